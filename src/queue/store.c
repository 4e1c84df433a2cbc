#include "queue/store.h"

#include "base/clock.h"
#include "base/mem.h"
#include "queue/file.h"

#include <errno.h>

struct store {
	char *path;
	struct store_loader loader;
	bool is_loaded;
	bool is_readable; /* not loaded yet: the file is open, and worth a look */

	struct store_file *file; /* the thread's, while there is one; NULL: not open yet */
	struct worker *worker;
	struct store_callbacks callbacks;
	void *ctx;

	/* The thread's, while there is one; the loop's while it is asked. */
	char *damage;		   /* what is wrong with the file; NULL: nothing */
	bool is_anew;		   /* the file was begun anew, and what memory holds is not in it */
	char *aside_text;	   /* why */
	struct job_list rewriting; /* what memory holds, to be written before anything else */
	struct job_list rewritten; /* that part of it which is */
	size_t left;		   /* rows of phones that the last batch has left unwritten */

	uv_timer_t timer;
	/* Without parts: stands behind what memory holds, to tell when all of that is stored. */
	struct queue_job anew;
	bool is_anew_out;
	size_t anew_rows; /* before it; the loop's */
	/* Without parts: lets phone rows be written when no other job comes. */
	struct queue_job idle;
	bool is_idle_out;
	size_t phones_left; /* the thread's, read on the loop once `idle` is back */
};

static int note_damage(struct store *store, int code, const struct err *err)
{
	if (code == -EBADMSG && !store->damage)
		store->damage = mem_dup(err->text);
	return code;
}

/* Whatever its trouble, the thread has read all of it once before: so it has become damaged. */
static void load(struct store *store)
{
	struct err err;
	if (store->is_readable && store_file_load(store->file, &store->loader, store->ctx, &err))
		note_damage(store, -EBADMSG, &err);
	store->is_loaded = true;
	store->callbacks.loaded(store->ctx);
}

/*
 * The file that could not be opened at the start.  Read through on the thread first, so that what a
 * disk cannot read is found before the loop knows half of it.
 */
static int open_late(struct store *store, struct err *err)
{
	if (!store->file) {
		int code = note_damage(store, store_file_open(store->path, &store->file, err), err);
		store->is_readable = !code;
		if (code && code != -EBADMSG)
			return code;
	}
	if (store->is_readable) {
		int code = note_damage(store, store_file_load(store->file, NULL, NULL, err), err);
		if (code && code != -EBADMSG)
			return code;
	}
	return worker_ask(store->worker) ? 0 : -ECANCELED;
}

static int begin_anew(struct store *store, struct err *err)
{
	char *aside;
	int code = store_file_begin_anew(store->file, &aside, err);
	if (code)
		return code;
	free(store->aside_text);
	store->aside_text = mem_printf(
		"%s; it is set aside as '%s', and a new one is begun with what memory holds: see "
		"the kernel's log for trouble with that disk, and remove the file when it is of no "
		"more use",
		store->damage, aside);
	free(aside);
	free(mem_steal(store->damage));
	store->is_anew = true;
	return 0;
}

static void put_before(struct job_list *first, struct job_list *rest)
{
	job_list_move(first, rest);
	job_list_move(rest, first);
}

/* Loop thread; the worker's waits or is no more. */
static void on_asked(void *ctx)
{
	struct store *store = ctx;
	if (!store->is_loaded) {
		load(store);
		return;
	}
	store->callbacks.rewrite(store->ctx, store->aside_text, &store->rewriting);
	store->anew_rows = store->rewriting.count;
	if (!store->is_anew_out) {
		store->is_anew_out = true;
		job_list_append(&store->rewriting, &store->anew.job);
	}
	for (struct job *job = store->rewriting.first; job; job = job->next)
		MEM_CONTAINER(job, struct queue_job, job)->status = -ECANCELED;
	store->is_anew = false;
}

static int rewrite(struct store *store, struct err *err)
{
	int code = 0;
	while (!code && store->rewriting.first) {
		struct job_list part;
		job_list_init(&part);
		job_list_move_some(&part, &store->rewriting, WORKER_BATCH_MAX);
		code = file_run(store->file, &part, clock_monotonic_ms(), &store->left, err);
		if (code)
			put_before(&part, &store->rewriting);
		else
			job_list_move(&store->rewritten, &part);
	}
	return code;
}

/* In the order in which they count. */
static void gather(struct store *store, struct job_list *batch)
{
	put_before(&store->rewriting, batch);
	put_before(&store->rewritten, batch);
}

/* -ECANCELED: the end has come while the loop was asked. */
static int attempt(void *ctx, struct job_list *batch, struct err *err)
{
	struct store *store = ctx;
	int code = store->is_loaded ? 0 : open_late(store, err);
	if (!code && store->damage)
		code = begin_anew(store, err);
	if (code)
		return code;
	if (store->is_anew) {
		/* Of an earlier time: says nothing that the whole does not say. */
		gather(store, batch);
		if (!worker_ask(store->worker))
			return -ECANCELED;
	}
	code = rewrite(store, err);
	if (!code)
		code = file_run(store->file, batch, clock_monotonic_ms(), &store->left, err);
	return note_damage(store, code, err);
}

static void run(void *ctx, struct job_list *batch)
{
	struct store *store = ctx;
	bool is_done = worker_attempt(store->worker, attempt, store, batch);
	gather(store, batch);
	if (!is_done)
		return;
	/* Only while `idle` is here may the loop not be reading it. */
	for (struct job *job = batch->first; job; job = job->next) {
		if (job == &store->idle.job)
			store->phones_left = store->left;
	}
}

static void submit_idle(struct store *store)
{
	if (store->is_idle_out)
		return;
	store->is_idle_out = true;
	worker_submit_lazy(store->worker, &store->idle.job);
}

static void on_anew_back(struct store *store)
{
	store->is_anew_out = false;
	if (store->anew.status == 0)
		store->callbacks.rewritten(store->ctx, store->anew_rows);
}

static void give_back(struct store *store, struct job_list *batch)
{
	for (struct job *job; (job = job_list_take(batch));) {
		if (job == &store->idle.job)
			store->is_idle_out = false;
		else if (job == &store->anew.job)
			on_anew_back(store);
		else
			store->callbacks.done(
				store->ctx, MEM_CONTAINER(job, struct queue_job, job));
	}
}

static void on_done(void *ctx, struct job_list *batch)
{
	struct store *store = ctx;
	bool was_idle_out = store->is_idle_out;
	give_back(store, batch);
	if (was_idle_out && !store->is_idle_out && store->phones_left)
		submit_idle(store);
}

static void on_trouble(void *ctx, const char *text)
{
	struct store *store = ctx;
	if (store->callbacks.trouble)
		store->callbacks.trouble(store->ctx, text);
}

static void on_timer(uv_timer_t *timer)
{
	submit_idle(timer->data);
}

/* Returns why it is not open yet, too: then it is not loaded. */
static int open_file(struct store *store, struct err *err)
{
	int code = store_file_open(store->path, &store->file, err);
	if (err_is_of_disk(code))
		return code;
	if (!code)
		code = store_file_load(store->file, &store->loader, store->ctx, err);
	note_damage(store, code, err);
	store->is_loaded = !code || store->damage;
	return store->damage ? begin_anew(store, err) : code;
}

static void free_store(struct store *store)
{
	free(store->damage);
	free(store->aside_text);
	free(store->path);
	free(store);
}

int store_new(uv_loop_t *loop, const char *path, const struct store_loader *loader,
	const struct store_callbacks *callbacks, void *ctx, struct store **ret, struct err *err)
{
	struct store *store = mem_alloc_zero(1, sizeof(*store));
	store->path = mem_dup(path);
	store->loader = *loader;
	store->callbacks = *callbacks;
	store->ctx = ctx;
	static const struct worker_callbacks of_worker = {
		.run = run,
		.done = on_done,
		.trouble = on_trouble,
		.asked = on_asked,
	};
	job_list_init(&store->rewriting);
	job_list_init(&store->rewritten);
	int unopened = open_file(store, err);
	bool is_late = err_is_of_disk(unopened) && (!store->file || store->is_loaded);
	int code = is_late ? 0 : unopened;
	if (!code)
		code = worker_new(loop, "queue", &of_worker, store, &store->worker, err);
	if (code) {
		store_file_close(store->file);
		free_store(store);
		return code;
	}
	if (is_late)
		worker_report(store->worker, err->text);
	uv_timer_init(loop, &store->timer);
	store->timer.data = store;
	uv_timer_start(&store->timer, on_timer, FILE_PHONES_MS, FILE_PHONES_MS);
	if (is_late || store->is_anew)
		submit_idle(store);
	*ret = store;
	return 0;
}

/* Nobody waits for what is only taken away: at worst a push is made once more after a crash. */
static bool is_lazy(const struct queue_job *job)
{
	static const unsigned taking_away = QUEUE_NEWS_SETTLE | QUEUE_NEWS_DROP |
		QUEUE_PUSH_DELETE | QUEUE_PHONE | QUEUE_PHONE_DELETE | QUEUE_UNPARK;
	return !job->owner && !job->is_awaited && !(job->parts & ~taking_away);
}

void store_submit(struct store *store, struct queue_job *job)
{
	job->status = -ECANCELED; /* until it is stored */
	if (is_lazy(job))
		worker_submit_lazy(store->worker, &job->job);
	else
		worker_submit(store->worker, &job->job);
}

bool store_is_loaded(const struct store *store)
{
	return store->is_loaded;
}

struct worker *store_worker(struct store *store)
{
	return store->worker;
}

static void on_closed(uv_handle_t *timer)
{
	free_store(timer->data);
}

/* The last chance of what waits. */
static int run_last(struct store *store, struct job_list *waiting, struct err *err)
{
	int code = 0;
	if (!store->damage && !store->is_anew)
		code = note_damage(store, store_file_run(store->file, waiting, err), err);
	if (store->damage)
		code = begin_anew(store, err);
	if (code || !store->is_anew)
		return code;
	on_asked(store);
	gather(store, waiting);
	return store_file_run(store->file, waiting, err);
}

static void write_last(struct store *store, struct job_list *waiting)
{
	struct err err;
	int code = waiting->first || store->damage || store->is_anew
		? run_last(store, waiting, &err)
		: 0;
	if (!code)
		code = store_file_flush(store->file, &err);
	if (code)
		on_trouble(store, err.text);
}

void store_free(struct store *store)
{
	if (!store)
		return;
	struct job_list left;
	job_list_init(&left);
	worker_free(store->worker, &left);

	/* What the thread did comes first, with status 0; the rest gets its last chance here. */
	struct job_list stored;
	struct job_list waiting;
	job_list_init(&stored);
	job_list_init(&waiting);
	for (struct job *job; (job = job_list_take(&left));) {
		bool is_stored = MEM_CONTAINER(job, struct queue_job, job)->status == 0;
		job_list_append(is_stored ? &stored : &waiting, job);
	}
	if (store->is_loaded)
		write_last(store, &waiting);
	store_file_close(store->file);
	give_back(store, &stored);
	give_back(store, &waiting);
	uv_close((uv_handle_t *)&store->timer, on_closed);
}

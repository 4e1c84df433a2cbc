#include "queue/store.h"

#include "base/clock.h"
#include "base/mem.h"
#include "queue/file.h"
#include "queue/salvage.h"

#include <errno.h>

#define SALVAGE_MS 60000 /* of some million rows */

struct store {
	char *path;
	struct store_loader loader;
	bool is_loaded;

	struct store_file *file; /* the thread's, while there is one; NULL: not open yet */
	char *salvaged;		 /* what is still to be said of a salvage; whose the file is */
	struct worker *worker;
	struct store_callbacks callbacks;
	void *ctx;

	/* Written once, and read by the loop when a job has come back so. */
	int failure; /* why no job is done any more; 0: they are */
	char *failure_text;
	bool is_failure_told;
	char *last_trouble; /* of the end */
	size_t left; /* the thread's: rows of phones that the last batch has left unwritten */

	bool has_ended;
	struct job_list late; /* submitted since */

	uv_timer_t timer;
	/* Without parts: lets phone rows be written when no other job comes. */
	struct queue_job idle;
	bool is_idle_out;
	size_t phones_left; /* the thread's, read on the loop once `idle` is back */
};

static int note_failure(struct store *store, int code, const struct err *err)
{
	if (!store->failure) {
		store->failure = code;
		store->failure_text = mem_dup(err->text);
	}
	return code;
}

static int salvage(struct store *store, const char *damage, struct err *err)
{
	char *aside;
	size_t rows;
	int code = salvage_run(store->file, &aside, &rows, err);
	if (code)
		return code;
	free(store->salvaged);
	store->salvaged =
		mem_printf("%s; it is set aside as '%s', and a new one has the %zu rows "
			   "that could be read: see the kernel's log for trouble with that "
			   "disk, and remove the file when it is of no more use",
			damage, aside, rows);
	free(aside);
	store_file_close(mem_steal(store->file));
	return store_file_open(store->path, &store->file, err);
}

static void tell_salvaged(struct store *store)
{
	mem_auto char *text = mem_steal(store->salvaged);
	if (text)
		store->callbacks.salvaged(store->ctx, text);
}

/* Read through, so that damage is found before the loop knows half of it. */
static int open_sound(struct store *store, struct err *err)
{
	int code = store_file_open(store->path, &store->file, err);
	if (!code)
		code = store_file_load(store->file, NULL, NULL, err);
	if (code == -EBADMSG) {
		const struct err damage = *err;
		code = salvage(store, damage.text, err);
	}
	if (code)
		store_file_close(mem_steal(store->file));
	return code;
}

static int load(struct store *store, struct err *err)
{
	int code = store_file_load(store->file, &store->loader, store->ctx, err);
	if (code)
		return code;
	store->is_loaded = true;
	tell_salvaged(store);
	store->callbacks.loaded(store->ctx);
	return 0;
}

/* Loop thread; the worker's waits. */
static void on_asked(void *ctx)
{
	struct store *store = ctx;
	struct err err;
	int code = load(store, &err);
	/* Whatever it is: the loop knows half of it. */
	if (code)
		note_failure(store, code, &err);
}

/* A worker_attempt_fn: a damaged file takes no job, however often it is tried. */
static int attempt(void *ctx, struct job_list *batch, struct err *err)
{
	struct store *store = ctx;
	int code = store->is_loaded || store->file || store->failure ? 0 : open_sound(store, err);
	if (code)
		return code;
	if (!store->failure && !store->is_loaded && !worker_ask(store->worker))
		return -ECANCELED;
	if (!store->failure)
		code = file_run(store->file, batch, clock_monotonic_ms(), &store->left, err);
	if (code == -EBADMSG)
		note_failure(store, code, err);
	return store->failure ? -ECANCELED : code;
}

static void run(void *ctx, struct job_list *batch)
{
	struct store *store = ctx;
	store->left = 0;
	bool is_done = worker_attempt(store->worker, attempt, store, batch);
	for (struct job *job = batch->first; job; job = job->next) {
		if (!is_done && store->failure)
			MEM_CONTAINER(job, struct queue_job, job)->status = store->failure;
		/* Only while `idle` is here may the loop not be reading it. */
		if (job == &store->idle.job)
			store->phones_left = is_done ? store->left : 0;
	}
}

static void submit_idle(struct store *store)
{
	if (store->is_idle_out)
		return;
	store->is_idle_out = true;
	worker_submit_lazy(store->worker, &store->idle.job);
}

static void give_back(struct store *store, struct job_list *batch)
{
	for (struct job *job; (job = job_list_take(batch));) {
		if (job == &store->idle.job)
			store->is_idle_out = false;
		else
			store->callbacks.done(
				store->ctx, MEM_CONTAINER(job, struct queue_job, job));
	}
}

static void tell_failure(struct store *store, const struct job_list *batch)
{
	for (const struct job *job = batch->first; job && !store->is_failure_told;
		job = job->next) {
		int status = MEM_CONTAINER(job, struct queue_job, job)->status;
		if (!status || status == -ECANCELED)
			continue;
		store->is_failure_told = true;
		store->callbacks.failed(store->ctx, store->failure_text);
	}
}

static void on_done(void *ctx, struct job_list *batch)
{
	struct store *store = ctx;
	bool was_idle_out = store->is_idle_out;
	tell_failure(store, batch);
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

/* The last chance of what waits. */
static int run_last(struct store *store, struct job_list *waiting, struct err *err)
{
	int code = waiting->first ? store_file_run(store->file, waiting, err) : 0;
	if (!code)
		code = store_file_flush(store->file, err);
	return code == -EBADMSG ? note_failure(store, code, err) : code;
}

static void write_last(struct store *store, struct job_list *waiting)
{
	struct err err;
	int code = store->failure || !store->is_loaded ? 0 : run_last(store, waiting, &err);
	if (store->failure == -EBADMSG)
		code = salvage(store, store->failure_text, &err);
	if (code)
		store->last_trouble = mem_dup(err.text);
}

static bool is_question(const struct job *job)
{
	return MEM_CONTAINER(job, struct queue_job, job)->parts & QUEUE_READ;
}

/* What the thread did comes first, with status 0; the rest gets its last chance here. */
static void end(void *ctx, struct job_list *left)
{
	struct store *store = ctx;
	struct job_list stored;
	struct job_list waiting;
	struct job_list questions;
	job_list_init(&stored);
	job_list_init(&waiting);
	job_list_init(&questions);
	for (struct job *job; (job = job_list_take(left));) {
		bool is_stored = MEM_CONTAINER(job, struct queue_job, job)->status == 0;
		job_list_append(is_stored	   ? &stored
				: is_question(job) ? &questions
						   : &waiting,
			job);
	}
	write_last(store, &waiting);
	store_file_close(mem_steal(store->file));
	job_list_move(left, &stored);
	job_list_move(left, &waiting);
	job_list_move(left, &questions);
}

static void free_store(struct store *store)
{
	free(store->failure_text);
	free(store->salvaged);
	free(store->last_trouble);
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
	job_list_init(&store->late);
	static const struct worker_callbacks of_worker = {
		.run = run,
		.done = on_done,
		.trouble = on_trouble,
		.asked = on_asked,
		.end = end,
	};
	int unopened = open_sound(store, err);
	bool is_late = err_is_of_disk(unopened);
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
	*ret = store;
	return 0;
}

int store_load(struct store *store, struct err *err)
{
	if (store->file)
		return load(store, err);
	submit_idle(store);
	return 0;
}

/* Nobody waits for what is only taken away: at worst a push is made once more after a crash. */
static bool is_lazy(const struct queue_job *job)
{
	static const unsigned taking_away = QUEUE_NEWS_SETTLE | QUEUE_NEWS_DROP |
		QUEUE_PUSH_DELETE | QUEUE_PHONE | QUEUE_PHONE_DELETE | QUEUE_UNPARK;
	return !job->waiter && !job->is_awaited && !(job->parts & ~taking_away);
}

void store_submit(struct store *store, struct queue_job *job)
{
	job->status = -ECANCELED; /* until it is stored */
	if (store->has_ended)
		job_list_append(&store->late, &job->job);
	else if (is_lazy(job))
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

bool store_free(struct store *store)
{
	if (!store)
		return true;
	struct job_list left;
	job_list_init(&left);
	int64_t limit_ms = store->is_failure_told ? SALVAGE_MS : WORKER_END_MS;
	if (!worker_free(store->worker, limit_ms, &left))
		return false;
	if (store->last_trouble)
		on_trouble(store, store->last_trouble);
	tell_salvaged(store);
	/* Who asks goes on with the answer, and nothing more can be stored. */
	for (struct job *job = left.first; job; job = job->next) {
		if (is_question(job))
			MEM_CONTAINER(job, struct queue_job, job)->status = -ECANCELED;
	}
	store->has_ended = true;
	while (left.first) {
		give_back(store, &left);
		job_list_move(&left, &store->late);
	}
	uv_close((uv_handle_t *)&store->timer, on_closed);
	return true;
}

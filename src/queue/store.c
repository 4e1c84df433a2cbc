#include "queue/store.h"

#include "base/clock.h"
#include "base/mem.h"
#include "queue/file.h"

#include <errno.h>

#define RETRY_MIN_MS 100
#define RETRY_MAX_MS 5000

struct store {
	struct store_file *file; /* the thread's, while there is one */
	struct worker *worker;
	struct store_callbacks callbacks;
	void *ctx;
	uv_timer_t timer;
	/* Without parts: lets phone rows be written when no other job comes. */
	struct queue_job idle;
	bool is_idle_out;
	size_t phones_left; /* the thread's, read on the loop once `idle` is back */
};

static void run(void *ctx, struct job_list *batch)
{
	struct store *store = ctx;
	int64_t delay_ms = RETRY_MIN_MS;
	struct err err;
	size_t left = 0;
	while (file_run(store->file, batch, clock_monotonic_ms(), &left, &err)) {
		worker_report(store->worker, err.text);
		if (!worker_pause(store->worker, delay_ms))
			return;
		delay_ms = delay_ms * 2 < RETRY_MAX_MS ? delay_ms * 2 : RETRY_MAX_MS;
	}
	worker_report(store->worker, NULL);
	/* Only while `idle` is here may the loop not be reading it. */
	for (struct job *job = batch->first; job; job = job->next) {
		if (job == &store->idle.job)
			store->phones_left = left;
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

int store_new(uv_loop_t *loop, const char *path, const struct store_loader *loader,
	const struct store_callbacks *callbacks, void *ctx, struct store **ret, struct err *err)
{
	struct store *store = mem_alloc_zero(1, sizeof(*store));
	store->callbacks = *callbacks;
	store->ctx = ctx;
	static const struct worker_callbacks of_worker = {
		.run = run,
		.done = on_done,
		.trouble = on_trouble,
	};
	int code = store_file_open(path, &store->file, err);
	if (!code)
		code = store_file_load(store->file, loader, ctx, err);
	if (!code)
		code = worker_new(loop, "queue", &of_worker, store, &store->worker, err);
	if (code) {
		store_file_close(store->file);
		free(store);
		return code;
	}
	uv_timer_init(loop, &store->timer);
	store->timer.data = store;
	uv_timer_start(&store->timer, on_timer, FILE_PHONES_MS, FILE_PHONES_MS);
	*ret = store;
	return 0;
}

/* Nobody waits for what is only taken away: at worst a push is made once more after a crash. */
static bool is_lazy(const struct queue_job *job)
{
	static const unsigned taking_away = QUEUE_NEWS_SETTLE | QUEUE_NEWS_DROP |
		QUEUE_PUSH_DELETE | QUEUE_PHONE | QUEUE_PHONE_DELETE | QUEUE_UNPARK;
	return !job->owner && !(job->parts & ~taking_away);
}

void store_submit(struct store *store, struct queue_job *job)
{
	job->status = -ECANCELED; /* until it is stored */
	if (is_lazy(job))
		worker_submit_lazy(store->worker, &job->job);
	else
		worker_submit(store->worker, &job->job);
}

struct worker *store_worker(struct store *store)
{
	return store->worker;
}

static void on_closed(uv_handle_t *timer)
{
	free(timer->data);
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
	struct err err;
	int code = waiting.first ? store_file_run(store->file, &waiting, &err) : 0;
	if (!code)
		code = store_file_flush(store->file, &err);
	store_file_close(store->file);
	if (code)
		on_trouble(store, err.text);
	give_back(store, &stored);
	give_back(store, &waiting);
	uv_close((uv_handle_t *)&store->timer, on_closed);
}

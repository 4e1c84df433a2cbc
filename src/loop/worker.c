#include "loop/worker.h"

#include "base/backoff.h"
#include "base/mem.h"
#include "platform/threadname.h"

#include <assert.h>
#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <string.h>

#define RETRY_MIN_MS 100
#define RETRY_MAX_MS 5000

struct worker {
	char name[16];
	struct worker_callbacks callbacks;
	void *ctx;
	pthread_t thread;

	/* The loop's. */
	struct job_list waiting;
	bool is_urgent; /* one of them is not lazy */
	uint64_t submitted;
	size_t running;		  /* jobs handed over and not yet back; 0: the thread is idle */
	struct job_list finished; /* back, and not yet given to `done` */
	uv_prepare_t turn;	  /* at the end of a turn, before the loop sleeps */
	uv_timer_t lazy;	  /* runs while lazy jobs wait */
	uv_async_t is_done;	  /* the thread's way back */
	unsigned handles;

	struct histogram took; /* observed by the thread */

	/* Shared, under lock. */
	pthread_mutex_t lock;
	pthread_cond_t wake;
	struct job_list batch;
	enum { EMPTY, GIVEN, FINISHED } batch_state;
	bool stopping;
	struct job_list last; /* what waited when it was stopped */
	bool has_ended;
	enum { SILENT, ASKED, ANSWERED } question;
	char *trouble; /* last reported, NULL for none */
	bool trouble_changed;
};

/* Under lock; returns so. */
static void end(struct worker *worker)
{
	struct job_list left;
	job_list_init(&left);
	job_list_move(&left, &worker->batch);
	job_list_move(&left, &worker->last);
	pthread_mutex_unlock(&worker->lock);
	if (worker->callbacks.end)
		worker->callbacks.end(worker->ctx, &left);
	pthread_mutex_lock(&worker->lock);
	job_list_move(&worker->batch, &left);
	worker->has_ended = true;
	pthread_cond_signal(&worker->wake);
}

static void *run(void *arg)
{
	struct worker *worker = arg;
	threadname_set(worker->name);
	pthread_mutex_lock(&worker->lock);
	for (;;) {
		while (worker->batch_state != GIVEN && !worker->stopping)
			pthread_cond_wait(&worker->wake, &worker->lock);
		if (worker->batch_state != GIVEN)
			break;
		struct job_list batch;
		job_list_init(&batch);
		job_list_move(&batch, &worker->batch);
		pthread_mutex_unlock(&worker->lock);
		uint64_t since_ns = uv_hrtime();
		worker->callbacks.run(worker->ctx, &batch);
		histogram_observe_us(&worker->took, (int64_t)((uv_hrtime() - since_ns) / 1000));
		pthread_mutex_lock(&worker->lock);
		job_list_move(&worker->batch, &batch);
		worker->batch_state = FINISHED;
		uv_async_send(&worker->is_done);
	}
	end(worker);
	pthread_mutex_unlock(&worker->lock);
	return NULL;
}

static void flush_if_urgent(struct worker *worker)
{
	if (worker->is_urgent || worker->waiting.count >= WORKER_BATCH_MAX)
		worker_flush(worker);
}

static void answer(struct worker *worker)
{
	worker->callbacks.asked(worker->ctx);
	pthread_mutex_lock(&worker->lock);
	worker->question = ANSWERED;
	pthread_cond_signal(&worker->wake);
	pthread_mutex_unlock(&worker->lock);
}

static void on_done(uv_async_t *handle)
{
	struct worker *worker = handle->data;
	struct job_list batch;
	job_list_init(&batch);
	mem_auto char *trouble = NULL;
	pthread_mutex_lock(&worker->lock);
	if (worker->batch_state == FINISHED) {
		job_list_move(&batch, &worker->batch);
		worker->batch_state = EMPTY;
	}
	bool is_asked = worker->question == ASKED;
	bool trouble_changed = worker->trouble_changed;
	worker->trouble_changed = false;
	if (trouble_changed && worker->trouble)
		trouble = mem_dup(worker->trouble);
	pthread_mutex_unlock(&worker->lock);
	if (trouble_changed && worker->callbacks.trouble)
		worker->callbacks.trouble(worker->ctx, trouble);
	if (is_asked)
		answer(worker);
	if (batch.first) {
		worker->running = 0;
		job_list_move(&worker->finished, &batch);
		/* Waiting jobs are handed over first, so that the thread works meanwhile. */
		flush_if_urgent(worker);
	}
	if (!worker->finished.first)
		return;
	struct job_list portion;
	job_list_init(&portion);
	job_list_move_some(&portion, &worker->finished, WORKER_TURN_MAX);
	if (worker->finished.first)
		uv_async_send(&worker->is_done);
	worker->callbacks.done(worker->ctx, &portion);
}

void worker_report(struct worker *worker, const char *text)
{
	pthread_mutex_lock(&worker->lock);
	if (text ? !worker->trouble || strcmp(text, worker->trouble) != 0
		 : worker->trouble != NULL) {
		free(worker->trouble);
		worker->trouble = text ? mem_dup(text) : NULL;
		worker->trouble_changed = true;
		uv_async_send(&worker->is_done);
	}
	pthread_mutex_unlock(&worker->lock);
}

static struct timespec after_ms(int64_t ms)
{
	struct timespec until;
	clock_gettime(CLOCK_MONOTONIC, &until);
	until.tv_sec += ms / 1000;
	until.tv_nsec += ms % 1000 * 1000000;
	if (until.tv_nsec >= 1000000000) {
		until.tv_nsec -= 1000000000;
		until.tv_sec++;
	}
	return until;
}

bool worker_pause(struct worker *worker, int64_t ms)
{
	const struct timespec until = after_ms(ms);
	pthread_mutex_lock(&worker->lock);
	int failed = 0;
	while (!worker->stopping && !failed)
		failed = pthread_cond_timedwait(&worker->wake, &worker->lock, &until);
	bool go_on = !worker->stopping;
	pthread_mutex_unlock(&worker->lock);
	return go_on;
}

bool worker_attempt(
	struct worker *worker, worker_attempt_fn *attempt, void *ctx, struct job_list *batch)
{
	struct err err;
	int status;
	for (unsigned failures = 0; (status = attempt(ctx, batch, &err)); failures++) {
		if (status == -ECANCELED)
			return false;
		worker_report(worker, err.text);
		if (!worker_pause(worker, backoff_ms(RETRY_MIN_MS, RETRY_MAX_MS, failures)))
			return false;
	}
	worker_report(worker, NULL);
	return true;
}

bool worker_ask(struct worker *worker)
{
	pthread_mutex_lock(&worker->lock);
	worker->question = ASKED;
	uv_async_send(&worker->is_done);
	while (!worker->stopping && worker->question != ANSWERED)
		pthread_cond_wait(&worker->wake, &worker->lock);
	bool is_answered = worker->question == ANSWERED;
	worker->question = SILENT;
	pthread_mutex_unlock(&worker->lock);
	return is_answered;
}

void worker_flush(struct worker *worker)
{
	/* Waits until the loop has taken most of the jobs that came back. */
	if (worker->running || worker->finished.count > WORKER_BATCH_MAX || !worker->waiting.first)
		return;
	struct job_list batch;
	job_list_init(&batch);
	job_list_move_some(&batch, &worker->waiting, WORKER_BATCH_MAX);
	worker->running = batch.count;
	if (!worker->waiting.first) {
		worker->is_urgent = false;
		uv_timer_stop(&worker->lazy);
	}
	pthread_mutex_lock(&worker->lock);
	assert(worker->batch_state == EMPTY);
	job_list_move(&worker->batch, &batch);
	worker->batch_state = GIVEN;
	pthread_cond_signal(&worker->wake);
	pthread_mutex_unlock(&worker->lock);
}

static void on_turn(uv_prepare_t *handle)
{
	flush_if_urgent(handle->data);
}

static void on_lazy(uv_timer_t *handle)
{
	struct worker *worker = handle->data;
	worker->is_urgent = true;
	flush_if_urgent(worker);
}

int worker_new(uv_loop_t *loop, const char *name, const struct worker_callbacks *callbacks,
	void *ctx, struct worker **ret, struct err *err)
{
	struct worker *worker = mem_alloc_zero(1, sizeof(*worker));
	strncpy(worker->name, name, sizeof(worker->name) - 1);
	worker->callbacks = *callbacks;
	worker->ctx = ctx;
	job_list_init(&worker->waiting);
	job_list_init(&worker->batch);
	job_list_init(&worker->last);
	job_list_init(&worker->finished);
	pthread_mutex_init(&worker->lock, NULL);
	pthread_condattr_t attributes;
	pthread_condattr_init(&attributes);
	pthread_condattr_setclock(&attributes, CLOCK_MONOTONIC);
	pthread_cond_init(&worker->wake, &attributes);
	pthread_condattr_destroy(&attributes);

	/* Signals are the loop thread's. */
	sigset_t all;
	sigset_t before;
	sigfillset(&all);
	pthread_sigmask(SIG_SETMASK, &all, &before);
	int failed = pthread_create(&worker->thread, NULL, run, worker);
	pthread_sigmask(SIG_SETMASK, &before, NULL);
	if (failed) {
		free(worker);
		return err_set(
			err, -failed, "cannot start the %s thread: %s", name, strerror(failed));
	}
	uv_async_init(loop, &worker->is_done, on_done);
	worker->is_done.data = worker;
	uv_prepare_init(loop, &worker->turn);
	worker->turn.data = worker;
	uv_prepare_start(&worker->turn, on_turn);
	uv_timer_init(loop, &worker->lazy);
	worker->lazy.data = worker;
	worker->handles = 3;
	*ret = worker;
	return 0;
}

void worker_submit_lazy(struct worker *worker, struct job *job)
{
	job_list_append(&worker->waiting, job);
	worker->submitted++;
	if (!worker->is_urgent && !uv_is_active((uv_handle_t *)&worker->lazy))
		uv_timer_start(&worker->lazy, on_lazy, WORKER_LAZY_MS, 0);
}

void worker_submit(struct worker *worker, struct job *job)
{
	worker->is_urgent = true;
	worker_submit_lazy(worker, job);
}

uint64_t worker_submitted(const struct worker *worker)
{
	return worker->submitted;
}

size_t worker_waiting(const struct worker *worker)
{
	return worker->waiting.count;
}

const struct histogram *worker_histogram(const struct worker *worker)
{
	return &worker->took;
}

size_t worker_running(const struct worker *worker)
{
	return worker->running;
}

static void on_closed(uv_handle_t *handle)
{
	struct worker *worker = handle->data;
	if (--worker->handles)
		return;
	pthread_cond_destroy(&worker->wake);
	pthread_mutex_destroy(&worker->lock);
	free(worker->trouble);
	free(worker);
}

bool worker_free(struct worker *worker, int64_t limit_ms, struct job_list *ret_left)
{
	if (!worker)
		return true;
	const struct timespec until = after_ms(limit_ms);
	pthread_mutex_lock(&worker->lock);
	job_list_move(&worker->last, &worker->waiting);
	worker->stopping = true;
	pthread_cond_signal(&worker->wake);
	int failed = 0;
	while (!worker->has_ended && !failed)
		failed = pthread_cond_timedwait(&worker->wake, &worker->lock, &until);
	bool has_ended = worker->has_ended;
	pthread_mutex_unlock(&worker->lock);
	if (!has_ended)
		return false;
	pthread_join(worker->thread, NULL);
	job_list_move(ret_left, &worker->finished);
	job_list_move(ret_left, &worker->batch);
	uv_close((uv_handle_t *)&worker->turn, on_closed);
	uv_close((uv_handle_t *)&worker->lazy, on_closed);
	uv_close((uv_handle_t *)&worker->is_done, on_closed);
	return true;
}

/*
 * worker - a thread that does jobs in batches.
 *
 * The loop thread submits jobs; at the end of its turn, if the thread is idle, all that wait are
 * handed over as one batch, up to WORKER_BATCH_MAX.  The thread does the batch (one transaction,
 * one commit) and hands it back, and `done` runs on the loop thread.  So the batch grows with the
 * load and costs one fsync.  Waiting jobs stay with the loop: they may be merged or taken back
 * until they are handed over.
 *
 * A lazy job is not urgent: it goes with the next job that is, so that it does not cost an fsync of
 * its own for which others would wait.
 *
 * Finished jobs are handed out WORKER_TURN_MAX at a time, one portion a turn of the loop, so that
 * sockets are read in between, however large the batch was.
 *
 * The submitter owns the jobs.  Between hand-over and `done` a job belongs to the thread, and the
 * loop reads only fields that neither side writes.
 */
#ifndef MAILPUSH_LOOP_WORKER_H
#define MAILPUSH_LOOP_WORKER_H

#include "base/err.h"
#include "base/histogram.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <uv.h>

/* Bounds the time until anything of a batch comes back. */
#define WORKER_BATCH_MAX 8192
/*
 * Jobs given to `done` at once: as many as datagrams are read in a turn, so that intake does not
 * outrun the rest.
 */
#define WORKER_TURN_MAX 2048
#define WORKER_LAZY_MS 20   /* after that a lazy job goes alone */
#define WORKER_END_MS 10000 /* for a thread that ends in order */

struct job {
	struct job *next;
};

struct job_list {
	struct job *first;
	struct job **end; /* where the next one is hung */
	size_t count;
};

void job_list_init(struct job_list *list);
void job_list_append(struct job_list *list, struct job *job);
void job_list_move(struct job_list *to, struct job_list *from);
/* At most `count` jobs from the front. */
void job_list_move_some(struct job_list *to, struct job_list *from, size_t count);
struct job *job_list_take(struct job_list *list); /* the first, or NULL */

struct worker;

/* On the worker's thread. */
typedef void worker_run_fn(void *ctx, struct job_list *batch);
/*
 * On the worker's thread, at its end: the jobs that are not given to `done` yet, done or not, whose
 * order may be changed.  Closing files and other work on the disk at the end belongs here.
 */
typedef void worker_end_fn(void *ctx, struct job_list *left);
/* On the loop thread; takes the jobs over. */
typedef void worker_done_fn(void *ctx, struct job_list *batch);

/*
 * On the loop thread: the text of the last worker_report.  NULL: the trouble is over.
 */
typedef void worker_trouble_fn(void *ctx, const char *text);

/* On the loop thread, while the worker's thread waits in worker_ask; it may use the batch. */
typedef void worker_asked_fn(void *ctx);

struct worker_callbacks {
	worker_run_fn *run;
	worker_done_fn *done;
	worker_trouble_fn *trouble; /* may be NULL */
	worker_asked_fn *asked;	    /* NULL if worker_ask is not used */
	worker_end_fn *end;	    /* may be NULL */
};

int worker_new(uv_loop_t *loop, const char *name, const struct worker_callbacks *callbacks,
	void *ctx, struct worker **ret, struct err *err);
/* Loop thread.  All jobs keep their order, lazy or not. */
void worker_submit(struct worker *worker, struct job *job);
void worker_submit_lazy(struct worker *worker, struct job *job);
/* Jobs that wait in the loop's hands to be handed over / that the thread has. */
size_t worker_waiting(const struct worker *worker);
size_t worker_running(const struct worker *worker);
/*
 * Jobs submitted since the worker was made.  Jobs are handed over in their order, so the n-th one
 * still waits while n > worker_submitted - worker_waiting.
 */
uint64_t worker_submitted(const struct worker *worker);
/* How long each batch took the thread. */
const struct histogram *worker_histogram(const struct worker *worker);
/*
 * Hands over now what waits, lazy or not, if the thread is idle, instead of at the end of the turn.
 */
void worker_flush(struct worker *worker);
/* 0, or why the batch failed; -ECANCELED: it is not retried, as the worker stops. */
typedef int worker_attempt_fn(void *ctx, struct job_list *batch, struct err *err);
/*
 * For `run`, on the worker's thread.  A batch that fails (a full disk, a database away) is tried
 * again inside `run`, so that order is kept: after 0.1 s, then twice as long each time, up to 5 s.
 * `trouble` reports the cause until an attempt succeeds.  False when the worker is to stop: give
 * the batch back undone.
 */
bool worker_attempt(
	struct worker *worker, worker_attempt_fn *attempt, void *ctx, struct job_list *batch);
/*
 * Any thread: has `trouble` called with this text (NULL: over).  For trouble found before the
 * thread ran.
 */
void worker_report(struct worker *worker, const char *text);
/* For `run`, on the worker's thread: false at once when the worker is to stop. */
bool worker_pause(struct worker *worker, int64_t ms);
/*
 * For `run`, on the worker's thread: has `asked` called on the loop thread and waits for its end.
 * False when the worker is to stop: it was not called.
 */
bool worker_ask(struct worker *worker);
/*
 * Waits until the thread has finished what it has, ends it and frees the worker.  Jobs that were
 * not handed back and jobs that still wait go to `ret_left` in order.  The loop must run once more
 * afterwards for the handles to close.
 *
 * False: the thread has not ended within `limit_ms`, as its work does not return.  It keeps the
 * worker, all jobs and everything that `ctx` leads to: the process must end, or call this again.
 */
bool worker_free(struct worker *worker, int64_t limit_ms, struct job_list *ret_left);

#endif

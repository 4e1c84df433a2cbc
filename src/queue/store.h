/*
 * store - the queue on disk: pushes, news and parked events, so that no crash loses them.
 *
 * Always local SQLite (WAL, synchronous=FULL).  It decides nothing: schedule decides, and each of
 * its decisions is a queue_job, which is written here.  A thread of its own does all waiting jobs
 * in one transaction with one commit.  A batch that fails (a full disk) is tried again on that
 * thread until it succeeds, reported through `trouble`.
 *
 * A file that is found damaged when it is opened is replaced by a new one with all of it that can
 * be read (salvage.h).  One that is found damaged later takes no job any more: all come back with
 * status -EBADMSG, and the daemon is to end.  Its replacement is made by store_free then, as the
 * bad page may be one that no start reads.
 *
 * Tables: push (one row a registration), news (key, hash), parked (raw events in order), phone
 * (what happened last with a registration: for people, and for min_interval over a restart; written
 * lazily, every FILE_PHONES_MS (file.h) and at the end: losing some seconds of it loses nothing).
 *
 * A registration's key is as good as random: a table in the order of keys takes and loses rows all
 * over, and each costs the write of a page of its own.  So push and news are in the order of a
 * number, `row`, which schedule gives each push as it comes: rows that are written together go
 * together, and a commit is cheap however many wait.
 *
 * All functions: loop thread.
 */
#ifndef MAILPUSH_QUEUE_STORE_H
#define MAILPUSH_QUEUE_STORE_H

#include "base/err.h"
#include "loop/worker.h"
#include "queue/file.h"
#include "schedule/job.h"

#include <stdbool.h>
#include <uv.h>

typedef void store_done_fn(void *ctx, struct queue_job *job); /* owns the job */
typedef void store_trouble_fn(void *ctx, const char *text);   /* NULL: all is well again */
typedef void store_text_fn(void *ctx, const char *text);
typedef void store_loaded_fn(void *ctx);

struct store_callbacks {
	store_done_fn *done; /* each job of a batch, in order */
	store_trouble_fn *trouble;
	/* A damaged file was replaced, as `text` says; also within store_load and store_free. */
	store_text_fn *salvaged;
	/* Once, before the first job that comes back so: no job will be done any more. */
	store_text_fn *failed;
	store_loaded_fn *loaded; /* behind the last call of the loader */
};

struct store;

/*
 * Opens or makes the file at `path`, reads through it, starts the thread.  When it is the disk that
 * fails (err_is_of_disk), the thread opens the file later, and `trouble` says why not yet.
 */
int store_new(uv_loop_t *loop, const char *path, const struct store_loader *loader,
	const struct store_callbacks *callbacks, void *ctx, struct store **ret, struct err *err);
/*
 * Tells `loader` what is in the file: at once, or as soon as the file is open.  Until `loaded` is
 * called no job may be submitted that changes the queue: what is in the file has the first numbers.
 * Once, before the loop runs.
 */
int store_load(struct store *store, struct err *err);
void store_submit(struct store *store, struct queue_job *job);
/* Has `loader` got all that is in the file? */
bool store_is_loaded(const struct store *store);
struct worker *store_worker(struct store *store);
/*
 * Finishes what can be finished (what waits is written too), ends the thread.  A question that was
 * not answered yet comes back with -ECANCELED, as nothing could follow from the answer any more; so
 * does what `done` submits from now on.  False: the thread does not end (worker_free); nothing is
 * freed, and what is not on disk does not come back.
 */
bool store_free(struct store *store);

#endif

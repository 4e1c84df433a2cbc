/*
 * registry - who wants to know.
 *
 * Holds the registrations that phones made and the mailboxes they subscribed to, and answers for
 * each change of a mailbox whom to tell.  A thread of its own does all waiting jobs as one batch in
 * one transaction, in the order in which they were submitted: a registration, a rename or a delete
 * is a barrier, what came before it is matched first and what comes after sees it.  A batch that
 * fails is tried again on that thread until it succeeds, so order is never lost; every job by
 * itself is idempotent.  How soon, and when `trouble` says so, depends on the failure (failure.h).
 * A job that the database refuses comes back undone, after `refused` has said why.
 *
 * A clock that ran ahead must not silence phones for as long as it was ahead.  A time that lies
 * more than five minutes in the future is from a wrong clock, and is put right where it enters: a
 * job that says so comes now, and a stored time becomes that of five minutes ago.  Stored times are
 * looked through at the first batch, at each REGISTRY_TIDY, when the clock went back, and when
 * another node's clock shows.  A clock before 2024 was never set: nothing is judged by it.
 *
 * Behind it stands a table of functions (ops.h): SQLite here, databases on the network alike.  The
 * rules are the same for all databases (batch.h, rules.h).
 *
 * Jobs belong to the caller; the registry has them from registry_submit until it calls their
 * `done`, in the order in which they were submitted.  What a job
 * borrows must not change meanwhile.  All functions: loop thread.
 */
#ifndef MAILPUSH_REGISTRY_REGISTRY_H
#define MAILPUSH_REGISTRY_REGISTRY_H

#include "base/err.h"
#include "driver/ops.h"
#include "loop/worker.h"
#include "registry/registry_job.h"

#include <stdbool.h>
#include <uv.h>

typedef void registry_trouble_fn(void *ctx, const char *text); /* NULL: all is well again */
typedef void registry_refused_fn(void *ctx, const char *text);

struct registry;

/*
 * Opens the database, migrates its schema (a newer one than is known here: -ENOTSUP), starts the
 * thread.  When it is the disk that fails (err_is_of_disk), the thread opens it later: jobs wait
 * meanwhile, and `trouble` says why.
 */
int registry_new(uv_loop_t *loop, const struct registry_settings *settings,
	registry_trouble_fn *trouble, registry_refused_fn *refused, void *ctx,
	struct registry **ret, struct err *err);
/* Other limits of its settings, from the next batch on. */
void registry_set_limits(struct registry *registry, int64_t registration_ttl_ms,
	int64_t deleted_user_grace_ms, unsigned registrations_per_user);
void registry_submit(struct registry *registry, struct registry_job *job);
/* Jobs are kept back while anybody holds it. */
enum registry_holder {
	REGISTRY_HELD_FOR_START = 1 << 0, /* what is in the queue's file comes first */
	REGISTRY_HELD_FOR_COPY = 1 << 1,  /* it is copied, and another one takes its place */
};

/* What was submitted before is done still; what is submitted from now on waits for the release. */
void registry_hold(struct registry *registry, enum registry_holder holder);
void registry_release(struct registry *registry, enum registry_holder holder);
bool registry_is_held(const struct registry *registry, enum registry_holder holder);
/* Nothing is being done, nothing was handed over. */
bool registry_is_at_rest(const struct registry *registry);
/* The thread has a batch, or jobs are kept back. */
bool registry_owes_answers(const struct registry *registry);
struct worker *registry_worker(struct registry *registry);
/* As worker_submitted and worker_waiting, with the jobs that are kept back. */
uint64_t registry_submitted(const struct registry *registry);
size_t registry_waiting(const struct registry *registry);
/* How often a batch was done again because another transaction was in the way. */
uint64_t registry_conflicts(const struct registry *registry);
/* How often it waited for an answer of a server; 0: there is none. */
uint64_t registry_round_trips(const struct registry *registry);
/* Costs nothing. */
void registry_health(struct registry *registry, struct registry_health *ret);
/* Ends the thread; jobs not done come back with status -ECANCELED, also those that a `done`
   submits.  False: its thread does not end (worker_free); nothing is freed. */
bool registry_free(struct registry *registry);

#endif

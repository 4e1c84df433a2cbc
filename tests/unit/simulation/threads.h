/*
 * threads - stands in for the registry's and the queue's thread (and for worker.h below them).
 *
 * As there, what was submitted is handed over as one batch at the end of a turn when the thread is
 * idle, is committed as a whole, and comes back in order.  The registry's batch is done by the
 * registry's own rules, over a database in memory; the queue's by disk.h.  A batch that fails is
 * tried again after a pause, also one that was committed and said to have failed.  The daemon may
 * die right after each commit.
 */
#ifndef MAILPUSH_TESTS_SIMULATION_THREADS_H
#define MAILPUSH_TESTS_SIMULATION_THREADS_H

#include "queue/store.h"
#include "registry/registry.h"

struct threads_callbacks {
	void (*on_registry)(struct registry_job *job);
	void (*on_stored)(struct queue_job *job); /* owns it */
};

void threads_start(const struct registry_settings *settings,
	const struct threads_callbacks *callbacks, struct registry **ret_registry,
	struct store **ret_store);
void threads_turn(void);
/*
 * As registry_free and store_free: what is done comes back done, the rest as it is; after a crash
 * nothing is done any more.
 */
void threads_end_registry(bool is_crash);
void threads_end_store(bool is_crash);

/* Transactions that were said to have failed; and those of them that were committed. */
uint64_t threads_failed(void);
uint64_t threads_unanswered(void);

#endif

/*
 * threads - stands in for registry.h and store.h and their threads (and for worker.h below them).
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

void threads_turn(void);
/* From now on nothing is done any more: registry_free and queue_free give jobs back undone. */
void threads_crash(void);

/* Transactions that were said to have failed; and those of them that were committed. */
uint64_t threads_failed(void);
uint64_t threads_unanswered(void);

#endif

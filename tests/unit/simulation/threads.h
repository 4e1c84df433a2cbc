/*
 * threads - stands in for registry.h and store.h and their threads (and for worker.h below them).
 *
 * As there, submitted jobs go over as one batch at the end of a turn when the thread is idle, are
 * committed together, and come back in order.  The registry's own rules do its batch, over a
 * database in memory; disk.h does the queue's.  A batch that fails is tried again after a pause,
 * also one that was committed but reported as failed; a job that the registry refuses comes back
 * undone, and the others are done without it.  The daemon may die right after each commit.
 */
#ifndef MAILPUSH_TESTS_SIMULATION_THREADS_H
#define MAILPUSH_TESTS_SIMULATION_THREADS_H

#include "queue/store.h"
#include "registry/registry.h"

void threads_turn(void);
/* From now on no job is done: registry_free and queue_free give jobs back undone. */
void threads_crash(void);

/* Transactions that were reported as failed, and those of them that were committed. */
uint64_t threads_failed(void);
uint64_t threads_unanswered(void);
/* Registrations and news that the registry refused. */
uint64_t threads_refused(void);

#endif

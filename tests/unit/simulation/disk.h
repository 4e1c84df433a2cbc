/*
 * disk - what stands in the queue's file, by the plainest reading of store.h.
 *
 * A batch is there as a whole or not at all.  What happened last with a registration is written
 * late, as there, and a crash loses what was not.  Breaks of the rules that the schedule owes to
 * the store end the simulation.
 */
#ifndef MAILPUSH_TESTS_SIMULATION_DISK_H
#define MAILPUSH_TESTS_SIMULATION_DISK_H

#include "queue/store.h"

/* Does the jobs, in order; again, if they were done and that was not known.  They stay the
 * caller's. */
void disk_commit(const struct job_list *batch, bool is_again);
/* A crash: what was written late is lost.  A stop: it is written. */
void disk_crash(void);
void disk_flush(void);
void disk_load(const struct store_loader *loader, void *ctx);
void disk_free(void);

/* Those that wait, but for what sleeps as its owner does. */
size_t disk_pushes(void);
size_t disk_parked(void);
uint64_t disk_commits(void);
bool disk_has_news(const struct registry_key *key, const char *hash);
/* An event that contains `text` is parked. */
bool disk_has_parked(const char *text);
/* The registration with whose row this apns_id was stored; NULL: none. */
const struct registry_key *disk_key_of_id(const uint8_t apns_id[QUEUE_APNS_ID_SIZE]);

#endif

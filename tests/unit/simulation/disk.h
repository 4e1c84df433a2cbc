/*
 * disk - the content of the queue's file, by the simplest reading of store.h.
 *
 * A batch is there completely or not at all.  The last event and push of a registration are written
 * late, as there, and a crash loses what was not written.  If the schedule violates the rules of
 * the store, the simulation ends.
 */
#ifndef MAILPUSH_TESTS_SIMULATION_DISK_H
#define MAILPUSH_TESTS_SIMULATION_DISK_H

#include "queue/store.h"

/* Does the jobs, in order; again, if they were done without the caller's knowledge.  They stay the
 * caller's. */
void disk_commit(const struct job_list *batch, bool is_again);
/* A crash loses late writes; a stop writes them. */
void disk_crash(void);
void disk_flush(void);
void disk_load(const struct store_loader *loader, void *ctx);
void disk_free(void);

/* Waiting pushes, without those of suspended owners. */
size_t disk_pushes(void);
size_t disk_parked(void);
uint64_t disk_commits(void);
bool disk_has_news(const struct registry_key *key, const char *hash);
/* An event that contains `text` is parked. */
bool disk_has_parked(const char *text);
/* The registration with whose row this apns_id was stored; NULL: none. */
const struct registry_key *disk_key_of_id(const uint8_t apns_id[QUEUE_APNS_ID_SIZE]);

#endif

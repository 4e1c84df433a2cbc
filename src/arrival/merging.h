/*
 * merging - news about the same mailbox and of the same urgency that waits for the registry is one.
 *
 * An arrival takes in others until it is handed to the registry's thread.  None crosses a barrier,
 * by which the mailbox may get other subscribers: a registration, a delete, a rename, news of a
 * mailbox that moved.  An event that was parked before a restart has a row of its own in the
 * queue's file, and is not taken in.
 *
 * Borrows arrivals from merging_match to merging_end.  Loop thread only.
 */
#ifndef MAILPUSH_ARRIVAL_MERGING_H
#define MAILPUSH_ARRIVAL_MERGING_H

#include "arrival/arrival.h"
#include "registry/registry.h"

struct merging;

/* The registry outlives this. */
struct merging *merging_new(const struct registry *registry, const uint8_t seed[16]);
void merging_free(struct merging *merging);

/* Which one can take it in?  NULL: none, and later ones may be merged into this one. */
struct arrival *merging_match(struct merging *merging, struct arrival *arrival);
/* It was submitted. */
void merging_begin(const struct merging *merging, struct arrival *arrival);
/* The registry has answered. */
void merging_end(struct merging *merging, const struct arrival *arrival);

#endif

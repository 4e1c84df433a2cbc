/*
 * parking - events that wait too long for the registry are kept in the queue's file meanwhile.
 *
 * The registry hangs or is frozen if it has had work and answered nothing for PARKING_AFTER_MS.
 * Then the events that it has had for as long are parked: written raw into the queue's file, and
 * acknowledged from there.  Later events are parked at once: all of them until the registry answers
 * again, then, while anything is parked, those whose sender waits.  All keep their place with the
 * registry, and so their order.
 *
 * Owns the list of arrivals under way.  Loop thread only.
 */
#ifndef MAILPUSH_ARRIVAL_PARKING_H
#define MAILPUSH_ARRIVAL_PARKING_H

#include "arrival/arrival.h"
#include "queue/queue.h"
#include "registry/registry.h"

#include <stdint.h>
#include <uv.h>

#define PARKING_AFTER_MS 200

struct parking;

/* Both outlive this. */
struct parking *parking_new(uv_loop_t *loop, const struct registry *registry, struct queue *queue);
/* None is under way. */
void parking_free(struct parking *parking);

/* One that was parked before a restart; those that come get other ids.  While all are held. */
void parking_know(struct parking *parking, uint64_t parked_id);
/* Of those that are under way. */
uint64_t parking_count(const struct parking *parking);
/* It is under way, until it leaves.  Perhaps parked at once. */
void parking_enter(struct parking *parking, struct arrival *arrival);
void parking_leave(struct parking *parking, struct arrival *arrival);
/* The oldest under way, or NULL; the others follow it. */
struct arrival *parking_first(const struct parking *parking);

/* Its row is written, or written again with the newest event. */
void parking_park(struct parking *parking, struct arrival *arrival);
/* The registry has answered one. */
void parking_on_answer(struct parking *parking);

#endif

/*
 * arrivals - events on their way in: from the bytes at the door to the queue on disk, and the
 * acknowledgement.
 *
 *   intake -> event -> relay -> registry -> queue -> OK
 *
 * The registry is asked first, then what follows is stored, then Cyrus gets its OK.  This module
 * joins those that decide on the way: admission.h, known_ids.h, merging.h, parking.h,
 * registry_outcome.h.  overload.h bounds how much may wait.
 *
 * Loop thread only.
 */
#ifndef MAILPUSH_ARRIVAL_ARRIVALS_H
#define MAILPUSH_ARRIVAL_ARRIVALS_H

#include "arrival/arrival.h"
#include "arrival/forward.h"
#include "config/config.h"
#include "config/input_files.h"
#include "event/dovecot_event.h"
#include "intake/notification.h"
#include "queue/queue.h"
#include "registry/registry.h"
#include "stats/observer.h"
#include "trace/trace.h"

#include <stdbool.h>
#include <stdint.h>

struct arrivals;

/* All of it outlives the arrivals. */
struct arrivals_needs {
	uv_loop_t *loop;
	const struct config *config;
	const struct input_files *input_files;
	struct registry *registry;
	struct queue *queue;
	struct topic_health *topics;
	struct forward *forward;
	struct metrics *metrics;
	const struct observer *observer;
	struct trace *trace; /* NULL: off */
	/* Too much waits, or no longer: the stream socket is not read meanwhile. */
	void (*pause)(void *ctx, bool is_paused);
	void *ctx;
};

struct arrivals *arrivals_new(const struct arrivals_needs *needs, const uint8_t seed[16]);
/* The configuration changed. */
void arrivals_configure(struct arrivals *arrivals);
void arrivals_free(struct arrivals *arrivals);

void arrivals_take(struct arrivals *arrivals, const struct notification *notification,
	struct arrival_waiter waiter);
/* As xaps_event.h writes it. */
void arrivals_take_xaps(
	struct arrivals *arrivals, const char *json, size_t size, struct arrival_waiter waiter);
/* Of class DOVECOT, for whom that counts: `sender`. */
void arrivals_take_dovecot(struct arrivals *arrivals, const struct dovecot_sender *sender,
	const struct notification *notification, struct arrival_waiter waiter);
/* An event that was parked before a restart, from the queue's file; only while events are held. */
void arrivals_take_parked(struct arrivals *arrivals, uint64_t parked_id, int64_t received_ms,
	const char *raw, size_t raw_size);

/*
 * From now on events wait in memory before anything follows from them: what is in the queue's file
 * is not known yet, and comes first.
 */
void arrivals_hold(struct arrivals *arrivals);
/* They go on in their order, behind those that were parked before the restart. */
void arrivals_release(struct arrivals *arrivals);
/* The end comes instead: their senders get -EAGAIN, and events that nobody keeps are lost. */
void arrivals_give_up_held(struct arrivals *arrivals);
/* The same for those that a database does not give back; only the end of the process frees them. */
void arrivals_give_up_stuck(struct arrivals *arrivals);

/* ack_timeout passed for a request. */
void arrivals_on_ack_timeout(struct arrivals *arrivals);

/* Events of which nothing was on disk when the queue had to end; their senders got NO. */
uint64_t arrivals_lost(const struct arrivals *arrivals);
/* As of overload.h. */
bool arrivals_have_room_for_guests(const struct arrivals *arrivals);
/* Events on their way in. */
uint64_t arrivals_count(const struct arrivals *arrivals);
/* Of them, those that are parked. */
uint64_t arrivals_parked(const struct arrivals *arrivals);
/* Those that the database refused since the start: they stay parked until the next one. */
uint64_t arrivals_set_aside(const struct arrivals *arrivals);

#endif

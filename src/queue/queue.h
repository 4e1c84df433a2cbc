/*
 * queue - pending pushes, as the other stages see them.
 *
 * Each call decides (schedule.h), numbers the decision and gives it to the thread that writes it
 * (store.h).  Decisions reach the disk in the order of the calls; that order, their numbers and the
 * clock are this module's alone.  A push leaves only when the row that holds it is on disk.
 *
 * A caller that must know when a decision is on disk passes a queue_waiter, any other one NULL.
 *
 * Loop thread only.  schedule.h says what each decision means.
 */
#ifndef MAILPUSH_QUEUE_QUEUE_H
#define MAILPUSH_QUEUE_QUEUE_H

#include "base/err.h"
#include "base/histogram.h"
#include "registry/registry_job.h"
#include "schedule/job.h"
#include "schedule/schedule.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <uv.h>

struct queue;

struct queue_settings {
	const char *path; /* of the SQLite file */
	struct schedule_settings schedule;
};

struct queue_callbacks {
	/* A decision is on disk: a push may be due. */
	void (*stored)(void *ctx);
	/* An event that was parked before the restart; `raw` is valid for the call. */
	void (*parked)(void *ctx, uint64_t parked_id, int64_t received_ms, const char *raw,
		size_t raw_size);
	/* All that was in the file is here; once, perhaps late (store_load). */
	void (*loaded)(void *ctx);
	/* As in store.h. */
	void (*trouble)(void *ctx, const char *text);
	void (*salvaged)(void *ctx, const char *text);
	void (*failed)(void *ctx, const char *text);
};

/* Opens the file (store_new).  `seed`: 16 random bytes. */
int queue_new(uv_loop_t *loop, const struct queue_settings *settings, const uint8_t seed[16],
	const struct queue_callbacks *callbacks, void *ctx, struct queue **ret, struct err *err);
/*
 * Takes in what is in the file, now or as soon as it can be opened.  No other call may change the
 * queue before `loaded`.  Once, before the loop runs.
 */
int queue_load(struct queue *queue, struct err *err);
/* As schedule_set. */
void queue_set(struct queue *queue, const struct schedule_settings *settings);
bool queue_is_loaded(const struct queue *queue);
/* Writes what waits and calls all waiters; those of reads get -ECANCELED (store_free).  False: the
 * disk does not answer, nothing is freed. */
bool queue_free(struct queue *queue);

/* What changes the queue.  `target` is handed over. */
struct queue_plan queue_add(struct queue *queue, struct push_target *target,
	const char (*hashes)[MAILBOX_HASH_SIZE], unsigned hash_count, enum queue_urgency urgency,
	struct queue_waiter *waiter);
void queue_renew(struct queue *queue, struct push_target *target,
	const char (*hashes)[MAILBOX_HASH_SIZE], unsigned hash_count, struct queue_waiter *waiter);
/* The registrations are gone. */
void queue_drop_all(struct queue *queue, const struct registry_key *keys, size_t count,
	struct queue_waiter *waiter);
/* The registrations are stopped. */
void queue_stop_all(struct queue *queue, const struct registry_key *keys, size_t count);
/* Follows what the registry did to a registration. */
void queue_follow(
	struct queue *queue, const struct registry_effect *effect, struct queue_waiter *waiter);
/* All news of the registration is discarded.  Returns whether there was any. */
bool queue_discard(struct queue *queue, struct push_target *target);
/* Its news is due now, whatever it waits for. */
void queue_hurry(struct queue *queue, const struct registry_key *key);

/* Events that wait for the registry, kept as they came.  `parked_id` is the caller's, from 1. */
void queue_park(struct queue *queue, uint64_t parked_id, int64_t received_ms, const char *raw,
	size_t raw_size, struct queue_waiter *waiter);
void queue_unpark(struct queue *queue, uint64_t parked_id, struct queue_waiter *waiter);

/* Nothing stays in the file's log of what was deleted so far, if the disk lets it be emptied. */
void queue_empty_log(struct queue *queue, struct queue_waiter *waiter);

/*
 * A look at what is due.  From queue_begin_turn on all of these see the time at which it was
 * called.
 */
void queue_begin_turn(struct queue *queue);
const char *queue_next_topic(const struct queue *queue, size_t *position);
const struct push *queue_next(struct queue *queue, const char *topic);
void queue_put_back(struct queue *queue, const struct registry_key *key);
/* How long until queue_next may have something that it has not now; INT64_MAX: nothing waits. */
int64_t queue_wake_in_ms(const struct queue *queue);

/* Verdicts on a push of queue_next, which is not valid any more then. */
void queue_settled(
	struct queue *queue, const struct registry_key *key, int status, const char *reason);
void queue_retry(struct queue *queue, const struct registry_key *key, int status,
	const char *reason, int64_t delay_ms, bool counts);
void queue_doubt(struct queue *queue, const struct registry_key *key, int status,
	const char *reason, int64_t delay_ms);

/* Reads for people: `parts` of QUEUE_READ_*, on the queue's thread, behind all decisions so far. */
void queue_read(struct queue *queue, unsigned parts, struct queue_reading *reading,
	struct queue_waiter *waiter);
/* As schedule_state and schedule_limited_until_ms. */
const char *queue_state(const struct queue *queue, const struct registry_key *key);
int64_t queue_limited_until_ms(const struct queue *queue, const struct registry_key *key);
/* The keys are the caller's. */
size_t queue_suspended(const struct queue *queue, struct registry_key **ret);
size_t queue_waiting_count(const struct queue *queue, const char *topic);
void queue_count(const struct queue *queue, struct schedule_counts *ret);
/* How many registrations have news pending; costs nothing. */
uint64_t queue_pending(const struct queue *queue);
const struct histogram *queue_commit_times(const struct queue *queue);

#endif

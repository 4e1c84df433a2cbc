/*
 * schedule - decides when each registration is pushed to next, and which mailboxes the push names.
 *
 * Pure: no I/O, no clock; callers pass `now`.  Loop thread only.  Each decision that must survive a
 * crash comes back as a queue_job.  The caller submits these jobs to the store in the order in
 * which it got them; schedule_stored says how far they are on disk.  A push is not sent before the
 * row that holds it, with its apns-id, is stored.
 *
 * A pending registration has a struct push.  Its state:
 *
 *   storing   waits for the store
 *   waiting   stands in its topic's heap until it is due (in none while its registration is
 *             suspended)
 *   flying    Apple has it; a registration has at most one flight, and news that comes meanwhile
 *             stays
 *   resting   no news; remembered until min_interval after its last push
 *
 * Urgent news is due at once, or min_interval after the last push; min_interval is longer for a
 * user whose phones have a limit of pushes a minute.  Deferred news is due deferred_delay (spread
 * up to twice that) after the first of it; later news does not postpone it. A push takes along all
 * that is there, SCHEDULE_HASHES_MAX hashes at most; the rest stays news.
 *
 * A push that failed may have reached the phone: the same one may be repeated at once, another one
 * (with an apns-id of its own) waits for min_interval after it too.  Deferred news that could not
 * leave when it was due (an outage, a restart) and is overdue by more than deferred_delay is put
 * off once, by chance up to deferred_delay, so that not all phones are woken at once.
 *
 * A flight remembers the highest seq that it carries.  A final verdict settles only news up to it;
 * a failure settles nothing.
 *
 * Times named _ms are monotonic unless the name says unix; disk wants Unix time, so every call that
 * makes a job takes both.
 */
#ifndef MAILPUSH_SCHEDULE_SCHEDULE_H
#define MAILPUSH_SCHEDULE_SCHEDULE_H

#include "event/user_settings.h"
#include "schedule/heap.h"
#include "schedule/job.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define SCHEDULE_HASHES_MAX 100
#define SCHEDULE_RETRY_MIN_MS 1000
#define SCHEDULE_RETRY_MAX_MS (5 * 60 * 1000)
#define SCHEDULE_LOADED_DUE_MAX_MS (5 * 60 * 1000) /* of due times from disk, ahead */
#define SCHEDULE_AMONG_URGENT 64 /* about so many deferred pushes, by chance, at a start */

struct schedule_settings {
	int64_t min_interval_ms;
	int64_t deferred_delay_ms;
	unsigned max_push_rate; /* pushes a second, 0: no limit */
	int64_t caution_ms; /* how long a start is cautious (slow_start.h) at most; 0: it is not */
	const struct user_settings *users; /* limits of single users; NULL: none */
};

struct schedule_time {
	int64_t now_ms;
	int64_t unix_ms;
};

struct schedule;

/* A push that is sent; valid until the verdict on it. */
struct push {
	const struct push_target *target;
	uint8_t apns_id[QUEUE_APNS_ID_SIZE];
	const char (*hashes)[MAILBOX_HASH_SIZE]; /* what this flight carries */
	unsigned hash_count;
	unsigned attempts;	  /* failed flights of this apns-id before this one */
	int64_t failing_since_ms; /* in this run; when this flight began if none failed before */
	int64_t sent_unix_ms;	  /* when the flight began */
	enum queue_urgency urgency;
	bool is_renewed;       /* the registration was, since the flight began */
	int64_t first_unix_ms; /* when its oldest news came; if urgent: its oldest urgent news */
};

/* `seed`: 16 random bytes; all chance comes from it. */
struct schedule *schedule_new(const struct schedule_settings *settings, const uint8_t seed[16]);
void schedule_free(struct schedule *schedule);
/* From now on; what has its time keeps it.  `caution_ms` is that of the start alone. */
void schedule_set(
	struct schedule *schedule, const struct schedule_settings *settings, int64_t now_ms);

/*
 * At the start, from the store: first all pushes, then all news.  `row` is the push's number there;
 * new ones go on behind the highest.  A due time further ahead than any that is given is from a
 * clock that was ahead: the push is due now.  News without a push is left out: the push could not
 * be read.
 */
void schedule_load_push(struct schedule *schedule, int64_t row, struct push_target *target,
	const uint8_t apns_id[QUEUE_APNS_ID_SIZE], int64_t due_unix_ms, unsigned attempts,
	bool is_doubted, int64_t last_push_unix_ms, struct schedule_time time);
void schedule_load_news(
	struct schedule *schedule, const struct registry_key *key, const struct queue_news *news);
/*
 * All is loaded.  If anything waits, the start is cautious.  Rows without news are dropped.
 * `ret_jobs`: to be submitted, perhaps none.
 */
void schedule_loaded(
	struct schedule *schedule, struct job_list *ret_jobs, struct schedule_time time);

/*
 * Something changed in mailboxes that `target` (handed over) subscribed to, at least one.  Never
 * NULL.  Each row of news has a seq of its own; the job's is the last of them.
 */
struct queue_job *schedule_add(struct schedule *schedule, struct push_target *target,
	const char (*hashes)[MAILBOX_HASH_SIZE], unsigned hash_count, enum queue_urgency urgency,
	struct schedule_time time);
/*
 * The registration was renewed (`target` handed over): its push takes the new target, and news
 * about hashes that are no longer in the list is dropped.  A push that waits because its token was
 * doubted is due now.  NULL: no push waits for it.
 */
struct queue_job *schedule_renew(struct schedule *schedule, struct push_target *target,
	const char (*hashes)[MAILBOX_HASH_SIZE], unsigned hash_count, struct schedule_time time);
/*
 * The registration is gone, and its phone row with it: never NULL.  A flight goes on; its verdict
 * changes nothing.
 */
struct queue_job *schedule_drop(struct schedule *schedule, const struct registry_key *key);
/*
 * The registration is stopped: its news is discarded.  What happened last with it stays known, and
 * the verdict on its flight is still to come.  NULL: no push waits for it.
 */
struct queue_job *schedule_stop(struct schedule *schedule, const struct registry_key *key);

/*
 * The registration's owner was deleted: its news is kept, and pushed when it is resumed: by
 * schedule_resume, or by schedule_add or schedule_renew, which only an active one comes to.
 * NULL: nothing changes.
 */
struct queue_job *schedule_suspend(
	struct schedule *schedule, const struct registry_key *key, struct schedule_time time);
struct queue_job *schedule_resume(
	struct schedule *schedule, const struct registry_key *key, struct schedule_time time);
/* The mailbox of that hash was deleted: news of it goes, other news stays.  NULL: there is none. */
struct queue_job *schedule_lose(struct schedule *schedule, const struct registry_key *key,
	const char *hash, struct schedule_time time);
/* The suspended registrations with news; the keys are the caller's. */
size_t schedule_suspended(const struct schedule *schedule, struct registry_key **ret);

/* A job that is none of schedule's own (parking) takes its place in the order. */
uint64_t schedule_next_seq(struct schedule *schedule);
/* Jobs up to `seq` are on disk. */
void schedule_stored(struct schedule *schedule, uint64_t seq, struct schedule_time time);

/*
 * The next push on `topic` that is due, now flying; NULL: none.  Urgent news goes first within a
 * topic, but one push in ten is deferred news while any is due.  max_push_rate and a start's
 * caution count over all topics, so these take turns in being walked first.  The push is borrowed
 * until its verdict.
 */
const struct push *schedule_next(
	struct schedule *schedule, const char *topic, struct schedule_time time);
/*
 * The push of schedule_next did not leave: it waits again as if it had not been asked for.  Before
 * any other call of the schedule's; the push is no longer valid.
 */
void schedule_put_back(struct schedule *schedule, const struct registry_key *key);
/* Before the topics are asked for what is due: another topic is walked first this time. */
void schedule_begin_turn(struct schedule *schedule);
/* Walks the topics that have something due, `*position` from 0; NULL at the end. */
const char *schedule_next_topic(const struct schedule *schedule, size_t *position, int64_t now_ms);
/*
 * When schedule_next may have something that it has not now (min. `now_ms`); INT64_MAX: nothing
 * waits.  Topics that have something due and were not asked for in this turn (no room) do not
 * count.
 */
int64_t schedule_wake_ms(const struct schedule *schedule, int64_t now_ms);

/* Verdicts on a flight; after each the push is no longer valid.  Each gives a job, or NULL. */
/* Apple took it (status 200), or it is dropped for good (another status). */
struct queue_job *schedule_settled(struct schedule *schedule, const struct registry_key *key,
	int status, const char *reason, struct schedule_time time);
/*
 * It was not taken.  The same push is due after `delay_ms`, or, if that is negative, after a
 * back-off of its own: 1 s doubling to 5 min, or shorter by chance.  `counts`: it is an attempt (a
 * push that was never processed is none).  The apns-id is kept until the set of hashes grows.
 */
struct queue_job *schedule_retry(struct schedule *schedule, const struct registry_key *key,
	int status, const char *reason, int64_t delay_ms, bool counts, struct schedule_time time);

/*
 * Apple does not want the token, but the registration stays, as the phone registered since.  As
 * schedule_retry; and a phone that registers again wants to be pushed to, so the push is due as
 * soon as it does, at once if it did during the flight.
 */
struct queue_job *schedule_doubt(struct schedule *schedule, const struct registry_key *key,
	int status, const char *reason, int64_t delay_ms, struct schedule_time time);

/*
 * The push of this registration is due now, whatever it waits for.  NULL: none waits, or it is in
 * flight.
 */
struct queue_job *schedule_hurry(
	struct schedule *schedule, const struct registry_key *key, struct schedule_time time);
/*
 * For people: "storing", "waiting", "limited" (it waits for its user's limit), "suspended",
 * "flying", "resting"; NULL: nothing is known of it.
 */
const char *schedule_state(
	const struct schedule *schedule, const struct registry_key *key, int64_t now_ms);
/* Until when it is limited, in Unix time; 0: it is not. */
int64_t schedule_limited_until_ms(
	const struct schedule *schedule, const struct registry_key *key, struct schedule_time time);

struct schedule_counts {
	uint64_t storing, waiting, flying, resting;
	uint64_t news;
};
/* How many pushes on `topic` wait, due or not. */
size_t schedule_waiting(const struct schedule *schedule, const char *topic);
void schedule_count(const struct schedule *schedule, struct schedule_counts *ret);
/* How many registrations are pending; costs nothing. */
uint64_t schedule_pending(const struct schedule *schedule);

#endif

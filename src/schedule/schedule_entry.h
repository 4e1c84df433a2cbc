/*
 * schedule_entry - the entries of the schedule, one a registration, and how they move.
 *
 * Only this folder includes it.
 */
#ifndef MAILPUSH_SCHEDULE_SCHEDULE_ENTRY_H
#define MAILPUSH_SCHEDULE_SCHEDULE_ENTRY_H

#include "base/map.h"
#include "base/random.h"
#include "schedule/news.h"
#include "schedule/rate.h"
#include "schedule/schedule.h"
#include "schedule/slow_start.h"
#include "schedule/topic_heaps.h"

#include <sys/queue.h>

#define NEVER_MS (INT64_MIN / 4) /* far in the past, and room to add an interval */

enum state { NEW, STORING, WAITING, FLYING, RESTING };

struct flight {
	struct push push;
	struct news carried; /* what of it still matters */
	uint64_t upto_seq;
	int64_t sent_ms;
	int64_t former_due_ms; /* the entry's, for one that did not leave */
	int64_t former_not_before_ms;
	int64_t former_left_ms;
	unsigned former_turns; /* of its heap */
	bool former_is_spread;
	bool former_is_among_urgent;
	bool former_has_flown;
	bool is_orphan; /* the registration went meanwhile: the verdict is ignored */
	struct push_target *old_target; /* the push's, if the registration has another by now */
	char hashes[][MAILBOX_HASH_SIZE];
};

struct entry {
	struct heap_node node;	  /* in `heap` */
	struct heap *heap;	  /* of its heap; NULL: in none */
	TAILQ_ENTRY(entry) place; /* in `storing` or `resting` */
	struct registry_key key;
	struct push_target *target; /* NULL while resting */
	struct flight *flight;	    /* while flying */
	int64_t row;		    /* in the store, when all jobs are done; 0: none */
	uint64_t storing_seq;	    /* the job that carries its apns_id */
	int64_t due_ms;		    /* of `news`; INT64_MAX: none */
	int64_t not_before_ms;	    /* a failed flight is not repeated sooner */
	int64_t last_push_ms;	    /* when the last flight that counted began */
	int64_t left_ms;	    /* when the last flight began, whatever became of it */
	int64_t failing_since_ms;   /* if there are failures */
	int64_t event_unix_ms;	    /* of the last change */
	struct news news;	    /* what no flight carries */
	uint32_t counted;	    /* in schedule's count of news */
	uint32_t attempts;	    /* failed flights of this apns_id */
	uint32_t failures; /* failed flights since the last that counted: for the back-off */
	uint8_t apns_id[QUEUE_APNS_ID_SIZE];
	enum state state;
	bool is_suspended;    /* its owner was deleted: it stands in no heap */
	bool is_doubted;      /* it waits as Apple does not want the token; renewed, it is due */
	bool is_spread;	      /* what is overdue after an outage is put off once */
	bool is_among_urgent; /* since the start, though it is not urgent itself */
	bool has_flown; /* this apns_id has (or may have): it stands for a fixed set of hashes */
};

TAILQ_HEAD(entry_list, entry);

struct schedule {
	struct schedule_settings settings;
	struct map *entries;
	struct entry_list storing; /* in order of storing_seq */
	struct topic_heaps heaps;
	struct entry_list resting; /* as they came to rest: nearly in order of left_ms */
	struct rate rate;
	struct slow_start caution;
	int64_t last_row;
	uint64_t seq;
	uint64_t stored_seq;
	uint64_t in_state[RESTING + 1];
	uint64_t news;
	bool is_spreading; /* more is overdue than one call of this turn spreads */
	struct random chance;
};

struct entry *schedule_find(const struct schedule *schedule, const struct registry_key *key);
/* Of a registration that has none yet. */
struct entry *schedule_new_entry(struct schedule *schedule, const struct registry_key *key);
/* A legal move of it. */
void schedule_enter(struct schedule *schedule, struct entry *entry, enum state to);
/* After each change of an entry's news or flight. */
void schedule_account(struct schedule *schedule, struct entry *entry);
/* `due_ms`, or later if the phone may not be pushed to so soon. */
int64_t schedule_not_too_soon(
	const struct schedule *schedule, const struct entry *entry, int64_t due_ms);
/* Is its own news due later only as its user's limit says so? */
bool schedule_is_limited(
	const struct schedule *schedule, const struct entry *entry, int64_t now_ms);
/* A waiting one stands where its topic, urgency and due time say; a suspended one nowhere. */
void schedule_stand(struct schedule *schedule, struct entry *entry);
struct queue_job *schedule_new_job(
	struct schedule *schedule, const struct registry_key *key, const struct entry *entry);
/* PUSH_PUT and PUSH_MOVE: how the row is now. */
void schedule_tell_row(
	struct entry *entry, struct queue_job *job, unsigned part, struct schedule_time time);
void schedule_delete_row(struct entry *entry, struct queue_job *job);
void schedule_new_apns_id(struct schedule *schedule, struct entry *entry);
/*
 * News went; `count_before` counts it, and what a flight carries.  If more than one push carries
 * were there, others take the places of those that went, so that an apns_id that has flown gets a
 * successor, which the job with `seq` stores.  Returns whether it did.
 */
bool schedule_replace_apns_id(
	struct schedule *schedule, struct entry *entry, uint32_t count_before, uint64_t seq);
/* After a change of its due time, and perhaps of its apns_id, which must be on disk to leave. */
void schedule_stand_anew(struct schedule *schedule, struct entry *entry, bool has_new_id);
void schedule_flight_free(struct flight *flight);
/* Some of those that have rested: more than one call can add, so that they never pile up. */
void schedule_reap(struct schedule *schedule, int64_t now_ms);

#endif

/*
 * arrival - one event on its way in: what came, what is asked of the registry, who waits for the
 * answer, and what of it is on disk.
 *
 * Merged events are one arrival, which answers for all of them.  merging.h, parking.h and
 * known_ids.h have their parts of the struct.  Loop thread only.
 */
#ifndef MAILPUSH_ARRIVAL_ARRIVAL_H
#define MAILPUSH_ARRIVAL_ARRIVAL_H

#include "arrival/registering.h"
#include "event/event.h"
#include "event/relay.h"
#include "queue/queue.h"
#include "registry/registry_job.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/queue.h>

/* Who waits to hear what became of a notification. */
struct arrival_waiter {
	/*
	 * Called once, or NULL: nobody waits.  0: it is on disk, or nothing follows from it; `text`
	 * is what the sender asked for, or NULL.  -EAGAIN: not now.  Other: never, as it is;
	 * -EPERM: its sender may not say it.  `text` says why.
	 */
	void (*answer)(void *who, int status, const char *text);
	void *who;
	const char *through; /* which way it came, for the log */
	/* It brings what is not on disk again after a restart; counts and logs what is rejected. */
	bool is_keeper;
	/*
	 * Called once before `answer`, when the registry has said how many registrations the news
	 * is for, or NULL.  Not called if `answer` comes first: the event was parked, or failed.
	 */
	void (*matched)(void *who, size_t registrations);
};

struct arrival {
	TAILQ_ENTRY(arrival) place; /* of those held, then of those under way */
	struct arrivals *arrivals;
	struct registry_job job;    /* the registry's from submit to done */
	struct queue_waiter stored; /* all that follows from it */
	enum relay_action action;
	struct mail_event *event;
	struct arrival *newest; /* of those merged into this one: its event and raw bytes count */
	int64_t since_ms;	/* monotonic */
	bool is_matched;	/* the registry has answered */
	bool is_lost;		/* nothing of it could be stored before the end */

	struct arrival_waiter waiter;
	struct arrival_waiter *more_waiters; /* of those merged into this one */
	size_t more_count;
	bool is_kept; /* by a waiter */

	/* parking */
	struct queue_waiter parked; /* its parked row */
	uint64_t parked_id;	    /* 0: none */
	bool is_parked;		    /* a row in the queue holds it, or is on its way there */
	bool is_safe;		    /* the parked row is on disk */
	bool must_repark;	    /* news was merged into it while the row was on its way */

	/* What the job borrows beside the event. */
	struct registering registering; /* REGISTER */
	struct mailbox was_at;		/* NEWS; its folder is our own */
	uint64_t doubts; /* about the ids of mailboxes, when the registry was asked */

	/* merging */
	uint64_t number; /* among the registry's jobs */
	size_t largest;	 /* raw_size, of all merged into this one */
	size_t merge_key_size;

	size_t raw_size;
	char memory[]; /* merge_key; raw: the event as it is parked (origin.h) */
};

TAILQ_HEAD(arrival_list, arrival);

/* Takes the event over and copies the raw bytes.  The caller sets what is called when it is done.
 */
struct arrival *arrival_new(enum relay_action action, struct mail_event *event, const char *raw,
	size_t raw_size, int64_t received_ms);
void arrival_free(struct arrival *arrival);

bool arrival_is_news(const struct arrival *arrival);
/* The one whose event and raw bytes count. */
const struct arrival *arrival_newest(const struct arrival *arrival);
const char *arrival_raw(const struct arrival *arrival);

void arrival_answer_waiter(struct arrival_waiter waiter, int status, const char *text);
void arrival_add_waiter(struct arrival *arrival, struct arrival_waiter waiter);
bool arrival_is_awaited(const struct arrival *arrival);
/* Tells all who wait what the registry has found. */
void arrival_tell_matched(const struct arrival *arrival);
/* Answers all who wait; a second call answers nobody. */
void arrival_answer(struct arrival *arrival, int status, const char *text);
/* The newer one stands for both, as its ACL counts; takes it over. */
void arrival_merge(struct arrival *into, struct arrival *newer);

#endif

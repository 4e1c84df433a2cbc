/*
 * job - a decision of schedule on its way to disk, or a question of an administrator.
 *
 * Made on the loop thread, done by the one that writes.
 */
#ifndef MAILPUSH_SCHEDULE_JOB_H
#define MAILPUSH_SCHEDULE_JOB_H

#include "event/mailbox.h"
#include "loop/worker.h"
#include "registry/push_target.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define QUEUE_APNS_ID_SIZE 16
#define QUEUE_REASON_MAX 48
#define QUEUE_DUE_SUSPENDED (-1) /* due_ms: its registration is suspended */

enum queue_urgency { QUEUE_URGENT, QUEUE_DEFERRED };

struct queue_news {
	char hash[MAILBOX_HASH_SIZE];
	int64_t first_ms;  /* Unix: when the first change that is not pushed yet came */
	int64_t urgent_ms; /* Unix: when the first urgent one of them came; 0: none is urgent */
	uint64_t seq;	   /* of the last change */
};

/* Parts of a job, done in this order. */
enum queue_part {
	QUEUE_PUSH_PUT = 1 << 0,    /* insert or replace the row: target, apns_id, due, ... */
	QUEUE_PUSH_MOVE = 1 << 1,   /* change apns_id, due_ms, attempts, is_doubted of the row */
	QUEUE_NEWS_PUT = 1 << 2,    /* insert or replace `news` */
	QUEUE_NEWS_SETTLE = 1 << 3, /* delete the row's news with seq <= upto_seq */
	QUEUE_NEWS_DROP = 1 << 4,   /* delete the rows of the hashes in `news` */
	QUEUE_PUSH_DELETE = 1 << 5, /* delete the row and all its news */
	QUEUE_PHONE = 1 << 6,	    /* last push, status, reason, event */
	QUEUE_PHONE_DELETE = 1 << 7,
	QUEUE_PARK = 1 << 8,	   /* insert or replace parked row `parked_id` with `raw` */
	QUEUE_UNPARK = 1 << 9,	   /* delete it */
	QUEUE_EMPTY_LOG = 1 << 13, /* nothing stays on disk of what was deleted, if it can be */
	/* For people: what `reading` asks and gets. */
	QUEUE_READ_PHONES = 1 << 10,
	QUEUE_READ_PAGE = 1 << 11,
	QUEUE_READ_TOTALS = 1 << 12,
	QUEUE_READ = QUEUE_READ_PHONES | QUEUE_READ_PAGE | QUEUE_READ_TOTALS,
};

struct queue_phone {
	int64_t last_push_ms; /* Unix; 0: leave as it is */
	int last_status;      /* HTTP status, 0: no answer */
	char last_reason[QUEUE_REASON_MAX];
	int64_t last_event_ms; /* Unix; 0: leave as it is */
};

/* A push that waits, as it stands on disk. */
struct queue_waiting {
	int64_t row;
	struct push_target *target;
	int64_t due_ms;	  /* Unix, or QUEUE_DUE_SUSPENDED; of a flight: when it began */
	int64_t first_ms; /* Unix; of its oldest news */
	unsigned attempts;
	unsigned hash_count;
	bool is_urgent; /* some of its news is urgent */
};

struct queue_reading {
	/* READ_PHONES: of these, borrowed; `phones` has room for as many, all 0 for one unknown. */
	const struct registry_key *keys;
	size_t key_count;
	struct queue_phone *phones;
	/* READ_PAGE: at most `limit` behind row `after_row`, the oldest first. */
	int64_t after_row;
	size_t limit;
	struct queue_waiting *waiting; /* freed by queue_reading_fini */
	size_t waiting_count;
	bool has_more;
	/* READ_TOTALS. */
	uint64_t bytes; /* of the file */
	/* Unix; of the oldest news that is not suspended, or one as good as it; 0: none. */
	int64_t oldest_ms;
};

void queue_reading_fini(struct queue_reading *reading);

/*
 * Waits until what it was passed with is on disk.  Embedded in whoever waits, which stays where it
 * is while `waiting` is not 0.
 */
struct queue_waiter {
	/* Once for each decision.  0: on disk.  -ECANCELED: the queue is being stopped.  Another:
	   it failed for good. */
	void (*done)(struct queue_waiter *waiter, int status);
	unsigned waiting; /* decisions that are not on disk yet */
};

/* What becomes of news, for people. */
struct queue_plan {
	bool is_due;	 /* the push may leave as soon as it is stored */
	bool is_merged;	 /* into a push that waits already */
	bool is_behind;	 /* a push is in flight, and this one leaves after it */
	bool is_limited; /* it waits, as the user's limit is reached */
	int64_t due_ms;	 /* Unix */
};

struct queue_job {
	struct job job;
	unsigned parts; /* enum queue_part */
	uint64_t seq;	/* grows from job to job; what is stored is known by it */
	struct registry_key key;
	int64_t row; /* the number of the push's row, from 1; 0: it has none */

	/* Owned by the job. */
	struct push_target *target; /* PUSH_PUT */
	struct queue_news *news;    /* see queue_job_make_room */
	size_t news_count;
	struct queue_news one_news; /* room for the common single row */

	uint8_t apns_id[QUEUE_APNS_ID_SIZE];
	int64_t due_ms; /* Unix, or QUEUE_DUE_SUSPENDED */
	unsigned attempts;
	bool is_doubted;  /* Apple does not want its token: due when the phone registers again */
	int64_t first_ms; /* Unix */
	uint64_t upto_seq;
	struct queue_phone phone;

	uint64_t parked_id; /* order of arrival */
	int64_t parked_received_ms;
	const char *raw; /* PARK; borrowed */
	size_t raw_size;

	struct queue_reading *reading; /* READ_*; borrowed */
	struct queue_plan plan;	       /* of schedule_add */

	struct queue_waiter *waiter; /* the queue's; the store asks only whether there is one */
	bool is_awaited;	     /* something goes on when it is stored */
	/* 0; not stored: -ECANCELED, the queue is being stopped; another, it failed for good */
	int status;
};

/* With empty parts and everything zero. */
struct queue_job *queue_job_new(void);
void queue_job_free(struct queue_job *job);
/* For `count` rows of news, zeroed; once a job. */
void queue_job_make_room(struct queue_job *job, size_t count);

#endif

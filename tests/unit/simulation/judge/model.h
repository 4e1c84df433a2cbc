/*
 * model - the judge's own registry: its rules, written again as simply as possible, with the
 * pending news of each registration.
 *
 * It follows the real one job by job, and compares the results.
 */
#ifndef MAILPUSH_TESTS_SIMULATION_MODEL_H
#define MAILPUSH_TESTS_SIMULATION_MODEL_H

#include "judge.h"

#define MODEL_HASHES_MAX 256

/* A mailbox by the name that one registration gives it. */
struct model_name {
	char hash[MAILBOX_HASH_SIZE];
	uint64_t changed;    /* the daemon knows of a change since the last push; 0: none */
	uint64_t owed;	     /* the last acknowledged change that was not pushed; 0: none */
	uint64_t forgiven;   /* since when it need not be pushed any more; 0: never */
	uint64_t pushed;     /* when the last settled push with it left */
	int64_t pushed_ms;   /* when that push was settled */
	int64_t due_ms;	     /* a push must have left until then; INT64_MAX: none must */
	int64_t last_due_ms; /* for the last change alone */
	int64_t since_ms;    /* when the first change came that is not pushed */
};

struct model_subscription {
	char *name;
	char *owner;
	char *folder;
	char hash[MAILBOX_HASH_SIZE];
};

struct model_registration {
	struct registry_key key;
	char *user;
	char *token;
	char *account_id;
	char topic[64];
	int version;
	bool exists;
	bool is_stopped;
	bool is_inbox_only;
	int64_t renewed_ms, created_ms, suspended_ms; /* Unix */
	uint64_t renewed_in;			      /* which batch */
	int64_t altered_ms; /* monotonic: when it was last made, renewed, stopped or removed */
	bool is_unknown;    /* the daemon does not know of it */
	struct model_subscription *list;
	size_t list_count;

	struct model_name names[MODEL_HASHES_MAX];
	unsigned name_count;

	/* The last push that left. */
	bool is_flying;
	const struct sender_push *push; /* the one in flight */
	bool was_settled;
	bool is_condemned; /* Apple has said that it is gone, though we know that */
	int64_t condemned_ms;
	bool is_unsure;	  /* the push may have been given up */
	bool was_dropped; /* registration, or some of its news, since */
	bool has_grown;	  /* its set, since */
	uint64_t left;	  /* 0: none ever */
	int64_t left_ms, answered_ms;
	unsigned jumps;	 /* of the clock before */
	bool has_waited; /* acknowledged news was pending at the daemon's last end: it has a row */
	unsigned life;	 /* the daemon's */
	bool was_plain;
	uint8_t apns_id[16];
	char hashes[MODEL_HASHES_MAX][MAILBOX_HASH_SIZE];
	unsigned hash_count;
	unsigned failures;     /* of this apns_id */
	bool is_doubted;       /* the last answer called its token gone or bad */
	bool is_bad;	       /* it called it bad */
	uint64_t renewed;      /* when it was renewed last; 0: never */
	int64_t calm_until_ms; /* after an answer about the token: no push leaves before, in this
				  life */
	int64_t excused_until_ms;
};

/* The judge's callbacks for the effects of a job. */
typedef void model_change_fn(
	const struct registry_job *job, struct model_registration *registration, const char *hash);
typedef void model_gone_fn(struct model_registration *registration, enum reason reason);
typedef void model_unlisted_fn(struct model_registration *registration, const char *hash);
typedef void model_renewed_fn(struct model_registration *registration);

struct model_callbacks {
	model_change_fn *changed;
	model_gone_fn *gone;
	model_unlisted_fn *unlisted;
	model_renewed_fn *renewed;
	model_renewed_fn *resumed;
	void (*done)(const struct registry_job *job);
};

void model_begin(const struct model_callbacks *callbacks);
void model_end(void);
/* The daemon that started then has opened the registry. */
void model_opened(int64_t started_unix_ms);
/* The daemon died, and its jobs with it. */
void model_died(void);
/* A batch that the registry has done; `is_reported`: the daemon gets its result. */
void model_follow(const struct job_list *batch, int64_t now_unix_ms, bool is_reported);
bool model_is_reported(void);

struct model_registration *model_find(const struct registry_key *key);
/* Walks all registrations that ever existed, from 0. */
struct model_registration *model_next(size_t *position);
struct model_name *model_name(struct model_registration *registration, const char *hash);
/* Does the ACL show that the owner of this reading of the mailbox's name is meant? */
bool model_believes(
	const struct mail_event *event, const struct mailbox *readings, unsigned count, unsigned i);
/* Was it in the last push that left? */
bool model_has_left_with(const struct model_registration *registration, const char *hash);
/* Mailboxes with news since their last push. */
unsigned model_count_changed(const struct model_registration *registration);
bool model_is_suspended(const char *owner);
bool model_lists(const struct model_registration *registration, const char *hash);

#endif

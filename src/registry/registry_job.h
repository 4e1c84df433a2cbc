/*
 * registry_job - what can be asked of the registry, and what it brings back.
 *
 * The caller fills in what is borrowed input; the result belongs to the job, whose owner frees it
 * with registry_job_fini.
 */
#ifndef MAILPUSH_REGISTRY_REGISTRY_JOB_H
#define MAILPUSH_REGISTRY_REGISTRY_JOB_H

#include "base/worker.h"
#include "event/event.h"
#include "registry/push_target.h"

#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct registry_ops;

struct registry_settings {
	const struct registry_ops *ops; /* the driver */
	const char *place;		/* what it opens: ops.h */
	const char *site;		/* users of two sites are two users */
	int64_t registration_ttl_ms;
	int64_t deleted_user_grace_ms;
	unsigned registrations_per_user; /* 64 */
	/* Of a database on the network: */
	const char *password_file;	   /* NULL or "": none */
	int64_t timeout_ms;		   /* for an answer; 0: 5000 */
	atomic_uint_fast64_t *round_trips; /* the driver counts its waits for an answer; or NULL */
	/* Set when the registry is to end (monotonic): no wait lasts longer; 0 or NULL: none. */
	const atomic_int_least64_t *end_by_ms;
};

enum registry_job_kind {
	/*
	 * A phone registered: insert or renew, the mailbox list is replaced; resumes it, ends
	 * stopped_reason, makes an older account id of the same user and token superseded, evicts
	 * beyond registrations_per_user.  Not applied (is_stale) if received_ms is older than what
	 * is stored.  matches[0]: the registration with the hashes of all its mailboxes.
	 */
	REGISTRY_REGISTER,
	/*
	 * A registration is brought from elsewhere, as it stood there: as REGISTER with its
	 * received_ms, and with what `past` says.  Older never beats newer: `imported` says whether
	 * it was taken, and nobody who was renewed later is evicted for it.
	 */
	REGISTRY_IMPORT,
	/*
	 * A mailbox changed: matches: each registration that subscribed to it, with the hash of
	 * every spelling; stopped ones left out, suspended ones of the owner resumed.  With was_at
	 * what subscribes to that place, and below it, moves here first, as by a rename.
	 */
	REGISTRY_NEWS,
	/* INBOX: the owner's registrations are suspended, others' subscriptions go.  Folder: those
	   to it go. */
	REGISTRY_MAILBOX_DELETE,
	/* INBOX: as delete for the old owner.  Folder: subscriptions move with the prefix. */
	REGISTRY_MAILBOX_RENAME,
	/* Apple says that the token is gone: delete all of (token, topic) with renewed_ms <
	   before_ms. */
	REGISTRY_FORGET,
	/* Nothing is sent to (token, topic) until it renews; only where renewed_ms < before_ms. */
	REGISTRY_STOP,
	/*
	 * Expiry, grace and superseded ones; matches: those to be nudged (each once a life).  When
	 * the clock has moved by more than two days since the last one, nobody goes for five days.
	 * The nodes of a site share the rounds: who comes when one was done within the hour looks
	 * at its `keys` alone (is_done_elsewhere), unless somebody asked for it (is_asked).
	 */
	REGISTRY_TIDY,
	/* For people: `query` says which registrations, `listing` is the answer. */
	REGISTRY_LIST,
	/* For people: those that are gone, the newest first; `traces` is the answer. */
	REGISTRY_LIST_FORGOTTEN,
	/* Those of `keys` that exist are deleted, but (before_ms not 0) those that were renewed at
	   before_ms or later; `gone`: which. */
	REGISTRY_REMOVE,
	/* All registrations and traces of query->user are deleted, and no trace is left; `gone`:
	   the registrations, and those whose traces these were. */
	REGISTRY_REMOVE_USER,
	/* For people: `totals`. */
	REGISTRY_COUNT,
};

/* What else is known of a registration that is brought from elsewhere; 0 and NULL as in its row. */
struct registry_past {
	/* Nobody knows when it was renewed: received_ms is the present, it is taken only if it is
	   not known here, and says nothing about the user's other ones. */
	bool is_undated;
	int64_t created_ms; /* 0: as received_ms */
	int64_t suspended_ms;
	int64_t superseded_ms;
	const char *stopped_reason;
};

enum registry_imported {
	REGISTRY_IMPORTED_NEW,
	REGISTRY_IMPORTED_RENEWED,
	REGISTRY_IMPORTED_KNOWN,   /* not taken: what is stored is as new, or newer */
	REGISTRY_IMPORTED_EXPIRED, /* not taken: it was not renewed within registration_ttl */
	REGISTRY_IMPORTED_LIMIT,   /* not taken: registrations_per_user were renewed later */
	REGISTRY_IMPORTED_KINDS
};

/* A mailbox of a registration. */
struct registry_subscription {
	const char *name; /* as typed */
	const char *owner;
	const char *folder;
	char hash[MAILBOX_HASH_SIZE];
};

struct registry_match {
	struct push_target
		*target; /* take it over with mem_steal, or leave it to registry_job_fini */
	char (*hashes)[MAILBOX_HASH_SIZE]; /* owned by the job */
	unsigned hash_count;
	unsigned reading; /* which reading of the event's mailbox */
	bool is_own;	  /* the mailbox belongs to the registration's user; REGISTER, TIDY: true */
};

struct registry_query {
	const struct registry_key *key; /* this one alone, or NULL */
	const char *user;		/* or NULL: all */
	/* Without key: what stands behind this place, in the order of user and key. */
	const char *after_user; /* without user */
	struct registry_key after_key;
	/* LIST_FORGOTTEN: what stands behind this trace; 0: from the beginning. */
	int64_t after_id;
	size_t limit; /* of LIST without key, and of LIST_FORGOTTEN */
};

enum registry_effect_kind {
	REGISTRY_EFFECT_SUSPENDED, /* its owner was deleted */
	REGISTRY_EFFECT_RESUMED,   /* something happened to its owner again */
	REGISTRY_EFFECT_ABSENT,	   /* TIDY, of its keys: there is none */
	REGISTRY_EFFECT_LOST, /* the mailbox of that hash was deleted, and is not on its list any
				 more */
};

/* What else a job did to a registration, or found of it. */
struct registry_effect {
	enum registry_effect_kind kind;
	struct registry_key key;
	char hash[MAILBOX_HASH_SIZE]; /* LOST */
};

struct registry_listed {
	struct push_target *target;
	char *subtopic;
	char *stopped_reason; /* NULL: not stopped */
	int64_t created_ms;
	int64_t superseded_ms;
	int64_t suspended_ms;
	struct registry_subscription *subscriptions; /* in order of their names */
	size_t subscription_count;
};

/* A page ends sooner than its limit when it has so many mailboxes. */
#define REGISTRY_LISTED_MAILBOXES_MAX 20000

struct registry_listing {
	struct registry_listed *listed;
	size_t count;
	bool has_more;
};

/* Why a registration is gone. */
enum registry_why {
	REGISTRY_WHY_APPLE,	 /* what it answered is in status and reason */
	REGISTRY_WHY_EXPIRED,	 /* not renewed for registration_ttl */
	REGISTRY_WHY_SUPERSEDED, /* the user has a newer account id on that phone */
	REGISTRY_WHY_LIMIT,	 /* the oldest of more than registrations_per_user */
	REGISTRY_WHY_DELETED,	 /* the account was, and deleted_user_grace is over */
	REGISTRY_WHY_REMOVED,	 /* by an administrator */
	REGISTRY_WHYS
};

extern const char *const registry_why_names[REGISTRY_WHYS];

/*
 * What is remembered of a registration that is gone, for REGISTRY_TRACE_MS: the last time of each,
 * of a user the newest REGISTRY_TRACES_PER_USER, of all REGISTRY_TRACES_MAX; a database that
 * several nodes share may have a twentieth more of each node until they are cut.
 */
#define REGISTRY_TRACE_MS (INT64_C(30) * 24 * 60 * 60 * 1000)
#define REGISTRY_TRACES_PER_USER 16
#define REGISTRY_TRACES_MAX 100000

struct registry_trace {
	int64_t id; /* grows from one that is forgotten to the next */
	struct registry_key key;
	const char *user;
	const char *token;
	const char *account_id;
	const char *topic;
	int64_t renewed_ms;
	int64_t at_ms;
	enum registry_why why;
	int status; /* what Apple answered; 0: it is not about that */
	const char *reason;
	bool is_back; /* it has registered again */
};

struct registry_traces {
	struct registry_trace *traces; /* their strings are ours */
	size_t count;
	bool has_more;
};

/* The first of these that holds, from the end. */
enum registry_state {
	REGISTRY_ACTIVE,
	REGISTRY_SUPERSEDED, /* pushed to, but the user has a newer account id on that phone */
	REGISTRY_SUSPENDED,  /* the account was deleted: waits for news, or for the grace's end */
	REGISTRY_STOPPED,    /* Apple said that the token is not for the topic */
	REGISTRY_STATES
};

extern const char *const registry_state_names[REGISTRY_STATES];
enum registry_state registry_state_of(
	const char *stopped_reason, int64_t suspended_ms, int64_t superseded_ms);

struct registry_totals {
	uint64_t registrations;
	uint64_t in_state[REGISTRY_STATES]; /* of them; their sum */
	uint64_t bytes;			    /* of the database; 0: it does not say */
};

struct registry_job {
	struct job job;
	enum registry_job_kind kind;
	/* On the loop thread, when it is done or will not be; the job is the caller's again. */
	void (*done)(struct registry_job *job);
	int64_t received_ms; /* Unix; when we got to know (the spool file's, the parked row's time)
			      */

	/* Borrowed input. */
	const struct mail_event *event;			   /* REGISTER, IMPORT, NEWS, MAILBOX_* */
	const struct registry_subscription *subscriptions; /* REGISTER, IMPORT; unique by name */
	size_t subscription_count;
	const struct registry_past *past; /* IMPORT */
	bool is_dry_run;		  /* IMPORT: only says what it would be */
	/* REGISTER, IMPORT: what Cyrus told the phone, "" where that is not known (a registration
	   keeps the topic that it has); FORGET, STOP. */
	const char *topic;
	bool confirmed; /* REGISTER, IMPORT */
	/* REGISTER: kept on disk since it came, so that a crash may have come when it was done.
	   Set by the registry too when a commit fails, as it may have been one all the same. */
	bool may_be_done;
	const char *token; /* FORGET, STOP */
	int64_t before_ms; /* FORGET, STOP, REMOVE */
	/* FORGET, STOP: the registration that was pushed to; it counts as gone too if it is not
	   there (a crash came between its end here and in the queue).  NULL: none in particular. */
	const struct push_target *target;
	int answer_status;		    /* FORGET: what Apple said, with `reason` */
	const char *reason;		    /* FORGET, STOP */
	const struct registry_query *query; /* LIST, LIST_FORGOTTEN, REMOVE_USER */
	/* REMOVE; TIDY: those that are suspended for all that is known (a crash may have come
	   between their end or resumption here and in the queue). */
	const struct registry_key *keys;
	size_t key_count;
	bool is_asked; /* TIDY: now, whenever the last one was */
	/* NEWS: where the mailbox was when it was last seen, a folder; NULL: here. */
	const struct mailbox *was_at;
	char separator; /* MAILBOX_RENAME, was_at: of the namespace, slash or dot */

	/* Result, owned by the job, which stays where it is; empty unless status is 0. */
	/* 0; -ECANCELED: not done, the registry is being stopped; -EILSEQ: not done and not tried
	   again, as the database refuses it (`refusal` says why). */
	int status;
	char *refusal;
	struct registry_match *matches;
	size_t match_count;
	struct registry_match one_match; /* room for the common single match */
	char one_hash[1][MAILBOX_HASH_SIZE];
	struct registry_key *gone; /* exist no longer; STOP: are not pushed to any more */
	size_t gone_count;
	struct registry_effect *effects; /* in order */
	size_t effect_count;
	bool is_new;	   /* REGISTER */
	bool list_changed; /* REGISTER: the set of names or the topic is another than before */
	bool is_stale;	   /* REGISTER */
	/* REGISTER: may_be_done, and so it is: what follows may have been lost in a crash. */
	bool is_again;
	bool is_double; /* REGISTER: says what another one of the same batch has said */
	enum registry_imported imported;  /* IMPORT */
	struct registry_listing *listing; /* LIST */
	struct registry_traces *traces;	  /* LIST_FORGOTTEN */
	struct registry_totals totals;	  /* COUNT */
	bool is_done_elsewhere;		  /* TIDY: this round was not ours */
	uint64_t kept_back; /* TIDY: expired ones that were kept, as too many at once */
	int64_t moved_ms; /* TIDY: how far the clock has moved since the last, if too far; else 0 */
	/* What an attempt brought whose commit failed, as it may have been one all the same: added
	   to the result of the one that succeeds.  NULL: nothing. */
	struct registry_job *kept;
};

/* Of one row of a listing. */
void registry_listed_fini(struct registry_listed *listed);
void registry_trace_fini(struct registry_trace *trace);
/* Frees what the job brought back; what was given in stays.  It can be done again. */
void registry_job_fini(struct registry_job *job);
/* The same, for another attempt: what is kept of the former ones stays too. */
void registry_job_undo(struct registry_job *job);

#endif

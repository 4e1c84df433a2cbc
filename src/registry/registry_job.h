/*
 * registry_job - what can be asked of the registry, and what it brings back.
 *
 * The caller fills in what is borrowed input; the result belongs to the job, whose owner frees it
 * with registry_job_fini.
 */
#ifndef MAILPUSH_REGISTRY_REGISTRY_JOB_H
#define MAILPUSH_REGISTRY_REGISTRY_JOB_H

#include "driver/registry_row.h"
#include "event/event.h"
#include "loop/worker.h"
#include "registry/push_target.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

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
	 * what subscribes to that place, and below it, moves here first, as by a rename
	 * (has_moved). But where somebody subscribed to this place before was_seen_ms, another
	 * mailbox had this name then, and went elsewhere unseen: the names alone count.
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
	/* For people: those that are gone, the newest first; `tombstones` is the answer. */
	REGISTRY_LIST_FORGOTTEN,
	/* Those of `keys` that exist are deleted, but (before_ms not 0) those that were renewed at
	   before_ms or later; `gone`: which. */
	REGISTRY_REMOVE,
	/* All registrations and tombstones of query->user are deleted, and no tombstone is left;
	   `gone`: the registrations, and those whose tombstones these were. */
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
	/* LIST_FORGOTTEN: what stands behind this tombstone; 0: from the beginning. */
	int64_t after_id;
	size_t limit; /* of LIST without key, and of LIST_FORGOTTEN */
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

struct registry_tombstones {
	struct registry_tombstone *tombstones; /* their strings are owned */
	size_t count;
	bool has_more;
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
	/* REGISTER, IMPORT: what Cyrus answered the phone, "" where that is not known (a
	   registration keeps the topic that it has); FORGET, STOP. */
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
	int64_t was_seen_ms; /* when that was */
	char separator;	     /* MAILBOX_RENAME, was_at: of the namespace, slash or dot */

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
	bool has_moved;	   /* NEWS */
	bool is_new;	   /* REGISTER */
	bool list_changed; /* REGISTER: the set of names or the topic is another than before */
	bool is_stale;	   /* REGISTER */
	/* REGISTER: what follows from it may have been lost in a crash: may_be_done, and so it is,
	   or it is the first that comes after the one that was new, and a start was between. */
	bool is_again;
	bool is_double; /* REGISTER: says what another one of the same batch has said */
	enum registry_imported imported;	/* IMPORT */
	struct registry_listing *listing;	/* LIST */
	struct registry_tombstones *tombstones; /* LIST_FORGOTTEN */
	struct registry_totals totals;		/* COUNT */
	bool is_done_elsewhere;			/* TIDY: another node had this round */
	uint64_t kept_back; /* TIDY: expired ones that were kept, as too many at once */
	int64_t moved_ms; /* TIDY: how far the clock has moved since the last, if too far; else 0 */
	/* What an attempt brought whose commit failed, as it may have been one all the same: added
	   to the result of the one that succeeds.  NULL: nothing. */
	struct registry_job *kept;
};

/* Of one row of a listing. */
void registry_listed_fini(struct registry_listed *listed);
void registry_tombstone_fini(struct registry_tombstone *tombstone);
/* Frees what the job brought back; what was given in stays.  It can be done again. */
void registry_job_fini(struct registry_job *job);
/* The same, for another attempt: what is kept of the former ones stays too. */
void registry_job_undo(struct registry_job *job);

#endif

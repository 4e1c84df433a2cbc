/*
 * trace_entry - one thing that happened with a user's phones, and its bytes in the trace.
 *
 * It holds no data of messages, no device token and no account id: a registration is named by its
 * key.
 *
 * Pure; any thread.  What is read may come from a damaged file, and is checked.
 */
#ifndef MAILPUSH_TRACE_TRACE_ENTRY_H
#define MAILPUSH_TRACE_TRACE_ENTRY_H

#include "apns/verdict.h"
#include "event/event.h"
#include "registry/push_target.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define TRACE_ENTRY_SIZE_MAX 2048 /* bytes of one entry; longer texts are cut */
#define TRACE_ENTRY_FOLDER_MAX 512
#define TRACE_ENTRY_TEXT_MAX 128
#define TRACE_ENTRY_HASHES_MAX 8
#define TRACE_ENTRY_ID_SIZE 16

enum trace_kind {
	TRACE_EVENT,	    /* what an event led to for one registration, or for its user */
	TRACE_REGISTRATION, /* a phone registered */
	TRACE_ANSWER,	    /* Apple answered a push, or did not */
	TRACE_SUSPENDED,    /* the account was deleted */
	TRACE_RESUMED,	    /* and is back */
	TRACE_UNLISTED,	    /* a mailbox of the registration's list was deleted */
	TRACE_NUDGED,	    /* housekeeping pushes, so that the phone renews its registration */
	TRACE_GAP,	    /* entries of all users were dropped */
	TRACE_KINDS
};

/* EVENT: what followed. */
enum trace_outcome {
	TRACE_AT_ONCE,	    /* due at once */
	TRACE_RESTS,	    /* urgent, but min_interval after the last push is not over */
	TRACE_DEFERRED,	    /* pushed after deferred_delay */
	TRACE_MERGED,	    /* into the push that waits already */
	TRACE_BEHIND,	    /* a push is in flight: pushed after it */
	TRACE_NO_RIGHT,	    /* the user may not read the mailbox */
	TRACE_NOT_SHARED,   /* shared_mailboxes is no */
	TRACE_PUSH_OFF,	    /* user_settings: push is off for this user */
	TRACE_NOT_LISTED,   /* no phone of the user subscribed to the mailbox */
	TRACE_NOT_WANTED,   /* events of this kind push nothing */
	TRACE_NO_MAIL,	    /* the mailbox does not hold mail */
	TRACE_SHED,	    /* too many events waited */
	TRACE_FOLDER_GONE,  /* the mailbox was deleted */
	TRACE_FOLDER_MOVED, /* it was renamed */
	TRACE_LIMITED,	    /* pushes_per_minute of the user is reached */
	TRACE_OUTCOMES
};

/* REGISTRATION: what it was. */
enum trace_received {
	TRACE_NEW,
	TRACE_CHANGED, /* other mailboxes, or another topic */
	TRACE_RENEWED,
	TRACE_STALE,	/* older than what is known */
	TRACE_UNWANTED, /* of a subtopic that is not configured */
	TRACE_RECEIVED_KINDS
};

/* ANSWER: what followed. */
enum trace_then {
	TRACE_DONE,
	TRACE_DROP,
	TRACE_FORGET,
	TRACE_STOP,
	TRACE_RETRY,
	TRACE_HOLD,
	TRACE_GIVEN_UP,
	TRACE_THENS
};

/* Texts are "" where there is none, and borrowed: of what is read, from its bytes. */
struct trace_entry {
	enum trace_kind kind;
	int64_t at_ms; /* Unix */
	const char *user;
	struct registry_key key; /* all zero: of no registration in particular */
	enum event_kind event;	 /* EVENT */
	unsigned what;		 /* of the enum that belongs to the kind */
	const char *owner;	 /* EVENT: of the mailbox */
	const char *folder;	 /* EVENT */
	/* EVENT: when the push may leave; ANSWER: when it left; GAP: since when.  Unix; or 0. */
	int64_t other_ms;
	/* REGISTRATION: the topic, unless it has none yet; ANSWER: Apple's reason. */
	const char *text;
	enum apns_ending ending;	      /* ANSWER */
	unsigned status;		      /* ANSWER */
	uint8_t apns_id[TRACE_ENTRY_ID_SIZE]; /* ANSWER */
	uint32_t count;			      /* ANSWER, REGISTRATION: mailboxes; GAP: entries */
	uint32_t left_out; /* entries of the user that were left out since the one before */
	/* EVENT, ANSWER: beginnings of the hashes of the first of its mailboxes. */
	uint64_t hashes[TRACE_ENTRY_HASHES_MAX];
	unsigned hash_count;
};

bool trace_entry_has_key(const struct trace_entry *entry);
/* The beginning of a mailbox's hash (mailbox_hash), as `hashes` has it. */
uint64_t trace_entry_hash(const char hash[MAILBOX_HASH_SIZE]);

/* Returns how many bytes were written; `ret` has room for TRACE_ENTRY_SIZE_MAX. */
size_t trace_entry_write(const struct trace_entry *entry, uint8_t *ret);
/* Reads the first of `size` bytes; returns how many it takes, or 0: that is no entry. */
size_t trace_entry_read(const uint8_t *bytes, size_t size, struct trace_entry *ret);

#endif

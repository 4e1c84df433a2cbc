/*
 * registry_row - a registration as a database holds it: its key, its row, its subscriptions, and
 * the tombstone that stays of it.
 *
 * Drivers and rules speak of registrations in these words.  Pure.
 */
#ifndef MAILPUSH_DRIVER_REGISTRY_ROW_H
#define MAILPUSH_DRIVER_REGISTRY_ROW_H

#include "event/mailbox.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define REGISTRY_KEY_SIZE 16

/*
 * First 16 bytes of SHA-256 over site, user, token, account id and subtopic, NUL-separated: the
 * same on every node, the same when the registration is made again.
 */
struct registry_key {
	uint8_t bytes[REGISTRY_KEY_SIZE];
};

struct registry_key registry_key_make(const char *site, const char *user, const char *token,
	const char *account_id, const char *subtopic);

/* Its strings are borrowed. */
struct registry_row {
	struct registry_key key;
	const char *user;
	const char *token;
	const char *account_id;
	const char *topic;
	int aps_version;
	bool confirmed;
	bool inbox_only;
	int64_t renewed_ms; /* received_ms of the newest REGISTER */
	int64_t suspended_ms;
	/* Not given by `match` and `claim_nudges`: */
	const char *subtopic;
	const char *stopped_reason; /* NULL: not stopped */
	int64_t created_ms;
	int64_t superseded_ms;
	bool is_nudged;
};

/* May a registration have these?  Not so what a damaged file says. */
bool registry_row_is_possible(const char *token, const char *account_id);
/* May a mailbox have this one: 32 digits, as mailbox_hash makes them? */
bool registry_hash_is_possible(const char *hash);

/* A mailbox of a registration. */
struct registry_subscription {
	const char *name; /* as typed */
	const char *owner;
	const char *folder;
	char hash[MAILBOX_HASH_SIZE];
};

/* What else a change did to a registration, or found of it. */
enum registry_effect_kind {
	REGISTRY_EFFECT_SUSPENDED, /* its owner was deleted */
	REGISTRY_EFFECT_RESUMED,   /* something happened to its owner again */
	REGISTRY_EFFECT_ABSENT,	   /* TIDY, of its keys: there is none */
	REGISTRY_EFFECT_LOST, /* the mailbox of that hash was deleted, and is not on its list any
				 more */
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
 * What is remembered of a registration that is gone, for REGISTRY_TOMBSTONE_MS: the last time of
 * each, of a user the newest REGISTRY_TOMBSTONES_PER_USER, of all REGISTRY_TOMBSTONES_MAX; a
 * database that several nodes share may have a twentieth more of each node until they are cut.
 */
#define REGISTRY_TOMBSTONE_MS (INT64_C(30) * 24 * 60 * 60 * 1000)
#define REGISTRY_TOMBSTONES_PER_USER 16
#define REGISTRY_TOMBSTONES_MAX 100000

struct registry_tombstone {
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

#endif

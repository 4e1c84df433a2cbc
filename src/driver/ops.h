/*
 * ops - what the rules ask of a database: one table of functions a kind.
 *
 * Every call takes or gives many rows, so that a database on the network costs a few round trips a
 * batch, not some for each job; a driver counts them (registry_settings).  The functions store and
 * find; what follows from what is decided by rules.c, renewal.c and tidy.h, once for all databases.
 * A registration is known by its key alone: ids that a database makes stay behind this table.  All
 * that is stored belongs to the site given to `open`; other sites in the same database are never
 * touched.
 *
 * Times are Unix milliseconds, 0 is "never".  Text is valid UTF-8 and compared byte by byte. Bounds
 * in bytes, without the NUL: user and owner MAILBOX_USER_MAX, name MAILBOX_NAME_MAX, folder twice
 * that (a rename may lengthen it), token EVENT_TOKEN_MAX, account id EVENT_ACCOUNT_ID_MAX, subtopic
 * EVENT_SUBTOPIC_MAX, hash MAILBOX_HASH_SIZE - 1; topic, reason and site some hundred.  Strings
 * given to a callback live until it returns.  Callbacks must not call the database.
 *
 * Failures: negative errno with a text that names the database without its password, what went
 * wrong and what to do.  failure.h says which errno means what.  The caller rolls back, which never
 * fails, and does the whole batch again, so a database on the network reconnects in `begin`.  What
 * waits for a network has a deadline of its own.
 *
 * Duties that no rule above this table can take over, each a case of the conformance suite
 * (tests/unit/registry/conformance*.c), which every driver passes as it is.  A change of a mailbox
 * spares what was renewed after it, and a change of a token what was renewed at before_ms or later.
 * FOLDER_MOVED done twice is as done once, below itself too.  Nudges leave out the stopped, the
 * suspended and those without a mailbox before `limit` counts.  Each registration and each hash
 * that is given was looked at (malformed.h); a malformed one is left out, and `limit` of `list`
 * does not count it.  `put` replaces all of a row, so that what was malformed is mended.
 *
 * Registry thread only (open and close: before and after it runs).
 */
#ifndef MAILPUSH_DRIVER_OPS_H
#define MAILPUSH_DRIVER_OPS_H

#include "base/err.h"
#include "driver/health.h"
#include "driver/registry_row.h"
#include "event/mailbox.h"

#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct registry_ops;

struct registry_settings {
	const struct registry_ops *ops; /* the driver */
	const char *place;		/* what it opens */
	const char *site;		/* users of two sites are two users */
	int64_t registration_ttl_ms;
	int64_t deleted_user_grace_ms;
	unsigned registrations_per_user; /* 64 */
	/* Unix; a crash may have come before.  0: none is known of. */
	int64_t started_ms;
	/* Of a database on the network: */
	const char *password_file;	   /* NULL or "": none */
	int64_t timeout_ms;		   /* for an answer; 0: 5000 */
	atomic_uint_fast64_t *round_trips; /* the driver counts its waits for an answer; or NULL */
	/* Set when the registry is to end (monotonic): no wait lasts longer; 0 or NULL: none. */
	const atomic_int_least64_t *end_by_ms;
};

struct registry_resume {
	const char *user;
	int64_t upto_ms; /* those that were suspended later stay so */
};

struct registry_list {
	struct registry_key key;
	const struct registry_subscription *subscriptions;
	size_t count;
};

enum registry_mailbox_change_kind {
	/* The registrations of user `owner` are suspended from `at_ms` on; others lose their
	   subscriptions to any mailbox of that owner. */
	REGISTRY_OWNER_GONE,
	/* Subscriptions to exactly this mailbox go. */
	REGISTRY_FOLDER_GONE,
	/* Subscriptions to this folder and those below it move to the new place; those that are
	   there already stay, so that it may be done again. */
	REGISTRY_FOLDER_MOVED,
};

/* Touches only what belongs to registrations with renewed_ms <= at_ms. */
struct registry_mailbox_change {
	enum registry_mailbox_change_kind kind;
	int64_t at_ms;
	const char *owner;
	const char *folder;
	const char *new_owner;
	const char *new_folder;
	char separator;
};

/* What is to be remembered of a registration that goes (registry_row.h has the bounds). */
struct registry_end {
	enum registry_why why;
	int64_t at_ms;
	int status;
	const char *reason; /* NULL: why it was stopped, if it was */
};

/* Touches only registrations with renewed_ms < before_ms. */
struct registry_token_change {
	const char *token;
	const char *topic;
	int64_t before_ms;
	const char *stop_reason; /* NULL: delete them */
	struct registry_end end; /* if they are deleted */
};

struct registry_census {
	uint64_t registrations;
	int64_t newest_renewal_ms; /* 0: there are none */
};

/* What the rounds of housekeeping left in the site's row; 0: never. */
struct registry_round {
	int64_t seen_ms; /* when the last one was */
	int64_t spared_until_ms;
	int64_t tidied_day;
	uint64_t tidied_count;
};

/* `index`: which of the things asked about. */
typedef void registry_row_fn(void *ctx, size_t index, const struct registry_row *row);
typedef void registry_match_fn(
	void *ctx, size_t index, const struct registry_row *row, const char *hash);
typedef void registry_subscription_fn(
	void *ctx, size_t index, const struct registry_subscription *subscription);
typedef void registry_key_fn(void *ctx, size_t index, const struct registry_key *key);
typedef void registry_tombstone_fn(void *ctx, const struct registry_tombstone *tombstone);
typedef void registry_effect_fn(void *ctx, size_t index, enum registry_effect_kind kind,
	const struct registry_key *key, const char *hash);
typedef void registry_suspended_fn(void *ctx, const char *user, int64_t suspended_ms);

/* What a run of registrations and news is to know first: all of it as it stood before the run. */
struct registry_load {
	/* As `resume`, which comes before the rest. */
	const struct registry_resume *resumes;
	size_t resume_count;
	registry_effect_fn *on_effect;
	void *resumes_ctx;
	/* As `load_users` and `load_lists`, of as many users as keys. */
	const char *const *users;
	const struct registry_key *keys;
	size_t user_count;
	registry_row_fn *on_row;
	registry_subscription_fn *on_subscription;
	void *users_ctx;
	/* As `match`. */
	const struct mailbox *const *mailboxes;
	size_t mailbox_count;
	registry_match_fn *on_match;
	void *mailboxes_ctx;
};

/* What a transaction is going to ask. */
enum registry_access {
	REGISTRY_READS_ONCE, /* with one call alone, so that no BEGIN is needed */
	REGISTRY_READS,
	REGISTRY_WRITES,
};

/* A database begins with this. */
struct registry_db {
	const struct registry_ops *ops;
};

/* Of a url; people read it after the url. */
#define OPS_HAS_PASSWORD                                                                        \
	"has a password in it, which others could read here; write it into a file of its own, " \
	"and name that in registry_password_file"

struct registry_ops {
	const char *scheme;  /* what stands before the colon of the url */
	const char *example; /* such a url, for people */

	/*
	 * Of `place`, which is what stands behind the colon.  Pure; any thread.
	 */
	/* Could `open` make something of it?  -EINVAL, with a text that people read after the url:
	   "is not ...; write ...", and that repeats no value of it, as one may be a secret. */
	int (*check)(const char *place, struct err *err);
	/* The absolute path of the file that it means, borrowed from it; NULL: it means no file. */
	const char *(*file)(const char *place);
	/* The url for people, without secrets; free it.  Of a place that `check` takes. */
	char *(*name)(const char *place);
	/* For administrators who make the tables themselves: SQL that makes the tables in an empty
	   database, and gives user `mailpush` the rights that the daemon needs; free it.  Pure. */
	char *(*schema)(void);

	/*
	 * Makes and migrates the schema.  A database on the
	 * network that is away is opened all the same: `begin` fails until it is there.
	 */
	int (*open)(const char *place, const struct registry_settings *settings,
		struct registry_db **ret, struct err *err);
	void (*close)(struct registry_db *db);
	/* What it is, as far as is known without asking it.  NULL: it says nothing. */
	void (*describe)(struct registry_db *db, struct registry_description *ret);

	/*
	 * Transactions that write are serialisable: all is as if they had been done one after the
	 * other.  Whoever writes what another has read waits for its commit, or one of the two
	 * fails with -EAGAIN if no such order is left.  So what was decided from what was read
	 * holds when it is written: `remove` needs no condition of its own, for one.
	 *
	 * One that only reads sees one state: what had been committed at a moment after it began
	 * and before its first answer.  It commits without a wait for the disk.  With SQLite and
	 * MariaDB that state is one that the serial order of those that write goes through.  With
	 * PostgreSQL it need not be: the order that it finds for writers at once may not be that of
	 * their commits, and a reader may see the later one done without the earlier.
	 * REGISTRY_READS_ONCE promises the same for its one call.
	 */
	int (*begin)(struct registry_db *db, enum registry_access access, struct err *err);
	int (*commit)(struct registry_db *db, struct err *err); /* durable on return */
	void (*rollback)(struct registry_db *db);		/* fine when there is none */

	/* One row for each subscription to the mailboxes, those of a registration side by side;
	   stopped registrations are left out, suspended ones not. */
	int (*match)(struct registry_db *db, const struct mailbox *const *mailboxes, size_t count,
		registry_match_fn *on_match, void *ctx, struct err *err);
	/* All registrations of each user. */
	int (*load_users)(struct registry_db *db, const char *const *users, size_t count,
		registry_row_fn *on_row, void *ctx, struct err *err);
	/* The subscriptions of each registration, in order of their names. */
	int (*load_lists)(struct registry_db *db, const struct registry_key *keys, size_t count,
		registry_subscription_fn *on_subscription, void *ctx, struct err *err);

	/* Asks for all that is not empty, with one wait if the driver can; else ops_load_each. */
	int (*load)(struct registry_db *db, const struct registry_load *load, struct err *err);

	/* Those of the keys that exist. */
	int (*load_keys)(struct registry_db *db, const struct registry_key *keys, size_t count,
		registry_row_fn *on_row, void *ctx, struct err *err);
	/* At most `limit` of those behind (user, key), in that order. */
	int (*list)(struct registry_db *db, const char *user, const struct registry_key *key,
		size_t limit, registry_row_fn *on_row, void *ctx, struct err *err);
	/* At most `limit` tombstones, the newest first: of that user or (NULL) of all, older than
	   the one with `after_id` or (0) from the newest. */
	int (*list_tombstones)(struct registry_db *db, const char *user, int64_t after_id,
		size_t limit, registry_tombstone_fn *on_tombstone, void *ctx, struct err *err);
	/* Quick, also with a million registrations. */
	int (*count)(struct registry_db *db, struct registry_totals *ret, struct err *err);

	/* Inserts or replaces. */
	int (*put)(struct registry_db *db, const struct registry_row *rows, size_t count,
		struct err *err);
	/* Replaces the subscriptions of registrations that exist. */
	int (*put_lists)(struct registry_db *db, const struct registry_list *lists, size_t count,
		struct err *err);
	/* With their subscriptions; of each that exists a tombstone is left. */
	int (*remove)(struct registry_db *db, const struct registry_key *keys, size_t count,
		const struct registry_end *end, struct err *err);

	/* Done one after the other; on_effect: who is suspended (also if it was already, of that
	   very time), and which subscriptions went. */
	int (*change_mailboxes)(struct registry_db *db,
		const struct registry_mailbox_change *changes, size_t count,
		registry_effect_fn *on_effect, void *ctx, struct err *err);
	/* Done one after the other; on_gone: what was deleted or stopped. */
	int (*change_tokens)(struct registry_db *db, const struct registry_token_change *changes,
		size_t count, registry_key_fn *on_gone, void *ctx, struct err *err);

	/* Each user that has a suspended registration, with the newest suspended_ms. */
	int (*find_suspended)(struct registry_db *db, registry_suspended_fn *on_suspended,
		void *ctx, struct err *err);
	int (*resume)(struct registry_db *db, const struct registry_resume *resumes, size_t count,
		registry_effect_fn *on_effect, void *ctx, struct err *err);

	/* Each time of a registration or tombstone that is later than `after_ms` becomes `to_ms`.
	 */
	int (*put_right)(struct registry_db *db, int64_t after_ms, int64_t to_ms, struct err *err);
	int (*load_round)(struct registry_db *db, struct registry_round *ret, struct err *err);
	/* Only where seen_ms is `was_ms` still; ret_is_ours: was it?  By one statement, so that of
	   two nodes one has the round even where transactions promise less. */
	int (*claim_round)(struct registry_db *db, int64_t was_ms, int64_t seen_ms,
		int64_t spared_until_ms, bool *ret_is_ours, struct err *err);
	int (*put_tidied)(struct registry_db *db, int64_t day, uint64_t count, struct err *err);
	/* Counts all: for the node that has the round.  Here and as find_expired's total, what
	   others commit meanwhile may be missing: counting locks nobody out. */
	int (*census)(struct registry_db *db, struct registry_census *ret, struct err *err);
	/* All tombstones of that user. */
	int (*remove_tombstones)(struct registry_db *db, const char *user, struct err *err);
	/* Deletes tombstones with at_ms < before_ms, and those beyond REGISTRY_TOMBSTONES_MAX. */
	int (*prune_tombstones)(struct registry_db *db, int64_t before_ms, struct err *err);
	/* The `limit` oldest of those with renewed_ms < before_ms; ret_total: how many there are.
	 */
	int (*find_expired)(struct registry_db *db, int64_t before_ms, size_t limit,
		registry_key_fn *on_key, void *ctx, uint64_t *ret_total, struct err *err);
	/* The `limit` longest suspended of those with suspended_ms < before_ms. */
	int (*find_longest_suspended)(struct registry_db *db, int64_t before_ms, size_t limit,
		registry_key_fn *on_key, void *ctx, struct err *err);
	/* Marks as nudged the `limit` oldest of those with renewed_ms < before_ms that were not
	   nudged yet, are neither stopped nor suspended and have a mailbox, and gives them: each
	   registration to one node.  One row for each subscription, `index` counts the
	   registrations. */
	int (*claim_nudges)(struct registry_db *db, int64_t before_ms, size_t limit,
		registry_match_fn *on_match, void *ctx, struct err *err);
};

/* One after the other, by the driver's own functions. */
int ops_load_each(struct registry_db *db, const struct registry_load *load, struct err *err);

#endif

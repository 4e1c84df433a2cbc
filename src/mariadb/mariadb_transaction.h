/*
 * mariadb_transaction - which statements go together, and when the server hears of it.
 *
 * BEGIN travels with the first statement.  In a transaction that writes, what is read is locked
 * until it commits, with the gaps beside it (REPEATABLE READ), so that it is serialisable: users
 * and keys in the order of their index, so that two that want the same wait instead of failing.
 * Only the numbers of a round of housekeeping, and the look for times of a wrong clock, take no
 * locks: those would keep everybody from registering.
 *
 * One that only reads sees one snapshot; a single question has one of its own, and takes no BEGIN.
 * It asks too whether the server has become read-only, since then another is the writer.
 *
 * Writes are gathered and not waited for: whether they went well is known with the next question,
 * or when the transaction commits.
 */
#ifndef MAILPUSH_MARIADB_MARIADB_TRANSACTION_H
#define MAILPUSH_MARIADB_MARIADB_TRANSACTION_H

#include "driver/ops.h"
#include "mariadb/mariadb_seen.h"
#include "mariadb/marialink.h"

enum mariadb_state {
	MARIADB_OUTSIDE,
	/* Before a BEGIN was sent: */
	MARIADB_READS_ONCE,
	MARIADB_READS,
	MARIADB_WRITES,
	MARIADB_BEGUN,
};

struct mariadb {
	struct registry_db db;
	struct marialink *link;
	char *place;
	char *password_file;
	char *site;
	int64_t timeout_ms;
	const atomic_int_least64_t *end_by_ms;
	/* Schema and site were looked at since the connection was made, and nothing was
	   missing since. */
	bool is_ready;
	enum mariadb_state state;
	bool writes;
	size_t tombstones;	   /* left since their limit was looked at */
	struct mariadb_seen *seen; /* by a transaction that writes */
	bool was_demoted;	   /* as the server said in this transaction */
};

struct mariadb *mariadb_of(struct registry_db *db);

int mariadb_begin(struct registry_db *db, enum registry_access access, struct err *err);
int mariadb_commit(struct registry_db *db, struct err *err);
void mariadb_rollback(struct registry_db *db);

/* What a question ends with, so that what it reads cannot change until the commit: of rows that are
   only read, and of those that are about to be written. */
const char *mariadb_lock_shared(const struct mariadb *m);
const char *mariadb_lock_for_update(const struct mariadb *m);

/* Adds a statement of the transaction, as marialink_send. */
int mariadb_send(struct mariadb *m, const char *sql, const struct mariavalues *values,
	marialink_rows_fn *on_rows, void *ctx, size_t index, struct err *err);
/* Waits for the answers to all. */
int mariadb_wait(struct mariadb *m, struct err *err);
/* Both. */
int mariadb_ask(struct mariadb *m, const char *sql, const struct mariavalues *values,
	marialink_rows_fn *on_rows, void *ctx, struct err *err);
/* The same for a question that goes without BEGIN where it is all that is asked. */
int mariadb_ask_alone(struct mariadb *m, const char *sql, const struct mariavalues *values,
	marialink_rows_fn *on_rows, void *ctx, struct err *err);

#endif

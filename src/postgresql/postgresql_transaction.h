/*
 * postgresql_transaction - which statements go together, and when the server hears of it.
 *
 * BEGIN travels with the first statement.  A transaction that writes is serialisable.  One that
 * only reads sees one snapshot; a single question has one of its own, and takes no BEGIN.
 *
 * Writes are sent and not waited for: whether they went well is known with the next question, or
 * when the transaction commits.
 */
#ifndef MAILPUSH_POSTGRESQL_POSTGRESQL_TRANSACTION_H
#define MAILPUSH_POSTGRESQL_POSTGRESQL_TRANSACTION_H

#include "driver/ops.h"
#include "postgresql/pglink.h"

enum postgresql_state {
	POSTGRESQL_OUTSIDE,
	/* Before a BEGIN was sent: */
	POSTGRESQL_READS_ONCE,
	POSTGRESQL_READS,
	POSTGRESQL_WRITES,
	POSTGRESQL_BEGUN,
};

struct postgresql {
	struct registry_db db;
	struct pglink *link;
	char *site;
	int64_t timeout_ms;
	/* Schema and site were looked at since the connection was made, and nothing was
	   missing since. */
	bool is_ready;
	enum postgresql_state state;
	size_t tombstones; /* left since their limit was looked at */
};

struct postgresql *postgresql_of(struct registry_db *db);

int postgresql_begin(struct registry_db *db, enum registry_access access, struct err *err);
int postgresql_commit(struct registry_db *db, struct err *err);
void postgresql_rollback(struct registry_db *db);

/* Sends a statement of the transaction, as pglink_send. */
int postgresql_send(struct postgresql *p, const char *sql, const struct pgvalues *values,
	pglink_rows_fn *on_rows, void *ctx, size_t index, struct err *err);
/* The same for a question that goes without BEGIN where it is all that is asked. */
int postgresql_send_alone(struct postgresql *p, const char *sql, const struct pgvalues *values,
	pglink_rows_fn *on_rows, void *ctx, size_t index, struct err *err);
/* Waits for the answers to all. */
int postgresql_wait(struct postgresql *p, struct err *err);
/* Both. */
int postgresql_ask(struct postgresql *p, const char *sql, const struct pgvalues *values,
	pglink_rows_fn *on_rows, void *ctx, struct err *err);
int postgresql_ask_alone(struct postgresql *p, const char *sql, const struct pgvalues *values,
	pglink_rows_fn *on_rows, void *ctx, struct err *err);

#endif

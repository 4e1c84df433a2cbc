/*
 * pglink - the connection to a PostgreSQL server, in which nothing waits without end.
 *
 * Statements are sent one after the other without waiting for their answers (libpq's pipeline
 * mode); pglink_wait waits for all that was sent.  So a batch costs as many round trips as it has
 * questions whose answers decide what is sent next.  Statements are not prepared, so that nothing
 * is to be prepared again after a loss, and poolers that give each transaction another server
 * (pgbouncer) do no harm.
 *
 * What the server answers is checked before it is used: each statement has one answer, and whoever
 * takes its rows looks at their columns first (pgvalue_check).  An answer that is not so is treated
 * as the loss of the connection.
 *
 * Each wait has a deadline, and so has pglink_connect as a whole, whatever number of hosts and
 * addresses it tries.  When it passes, when the connection is lost or the server says that it is
 * about to go or to be read-only, the connection is closed, and the next pglink_connect begins with
 * the next address or host.
 *
 * Errors are negative errno, by what is to be done about them:
 *   -EAGAIN     in conflict with another transaction: again at once
 *   -EEXIST     the same, as another made the same row
 *   -ENOTCONN   away: again later, on the next host
 *   -ETIMEDOUT  away too: there was no answer in time
 *   -EILSEQ     the server refuses a value, or there is too much for one statement: these very
 *               jobs will fail again
 *   -EACCES     rights are missing
 *   -ENOTSUP    the schema is missing, or is not that of mailpush
 *   -EPROTO     anything else that the server said
 *
 * One owner, one thread.  Passwords stand in no text.
 */
#ifndef MAILPUSH_POSTGRESQL_PGLINK_H
#define MAILPUSH_POSTGRESQL_PGLINK_H

#include "base/err.h"
#include "postgresql/pgvalue.h"

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

struct pglink_settings {
	const char *url;		   /* "postgresql://..." */
	const char *password_file;	   /* its line, read at each connect; NULL: none */
	int64_t timeout_ms;		   /* to connect, and for each wait */
	atomic_uint_fast64_t *round_trips; /* counts the waits for an answer; NULL: nobody */
	/* Another program's tables are read: the database may have any encoding, and errors do not
	   call it a registry. */
	bool is_foreign;
	/* Monotonic, may be set by another thread: no wait lasts longer; 0 or NULL: none. */
	const atomic_int_least64_t *end_by_ms;
};

struct pglink;

/* The rows of one answer; `index` is what was given with the statement.  Returns NULL, or what is
   malformed about it: then the connection is lost, and nothing that was taken counts. */
typedef const char *pglink_rows_fn(void *ctx, size_t index, const PGresult *rows);

/* Connects to nothing yet.  -EINVAL: the url cannot be read. */
int pglink_new(const struct pglink_settings *settings, struct pglink **ret, struct err *err);
void pglink_free(struct pglink *link);

/* Without a word about passwords. */
const char *pglink_name(const struct pglink *link);
/* What the server calls itself, as "PostgreSQL 15.8"; "" before the first connection. */
const char *pglink_server_version(const struct pglink *link);
/* Of the connection, or the folder of its socket; "" without one. */
const char *pglink_host(const struct pglink *link);

/* Still, or again; `*ret_is_new` says which. */
int pglink_connect(struct pglink *link, bool *ret_is_new, struct err *err);
void pglink_close(struct pglink *link);

/*
 * Sends a statement; `values` (NULL: none) may change afterwards.  `on_rows` (NULL: nobody) gets
 * its answer within pglink_wait, if all before it went well.
 */
int pglink_send(struct pglink *link, const char *sql, const struct pgvalues *values,
	pglink_rows_fn *on_rows, void *ctx, size_t index, struct err *err);
/* For the answers to all that was sent.  If a statement fails, those behind it are not done. */
int pglink_wait(struct pglink *link, struct err *err);
/* Both. */
int pglink_ask(struct pglink *link, const char *sql, const struct pgvalues *values,
	pglink_rows_fn *on_rows, void *ctx, struct err *err);
/* Ends the transaction that is open, if there is one, and forgets what was sent. */
void pglink_rollback(struct pglink *link);

#endif

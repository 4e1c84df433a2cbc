/*
 * marialink - the connection to a MariaDB server, in which nothing waits without end.
 *
 * Statements are gathered and sent together; marialink_wait sends them and waits for the answers to
 * all.  So a batch costs as many round trips as it has questions whose answers decide what is sent
 * next.  Nothing is prepared, so nothing is to be prepared again after a loss.
 *
 * A server of a Galera cluster answers a transaction when it has all that the others had committed
 * before (wsrep_sync_wait).
 *
 * What the server answers is checked before it is used: each statement has one answer, and whoever
 * takes its rows looks at their columns first (mariavalue_check).  An answer that is not so is
 * treated as the loss of the connection.
 *
 * Each wait has a deadline, and so has marialink_connect as a whole, whatever number of hosts it
 * tries.  When it passes, when the connection is lost or the server says that it is about to go or
 * to be read-only, or that rights are missing, the connection is closed, and the next
 * marialink_connect begins with the next host.  The server gives up a statement by the deadline too
 * (max_statement_time), a lock within half of it, and a transaction in which nothing comes.
 *
 * Errors are negative errno, by what is to be done about them:
 *   -EAGAIN     in conflict with another transaction: again at once
 *   -EEXIST     the same, as another made the same row
 *   -ENOTCONN   away: again later, on the next host
 *   -ETIMEDOUT  away too: there was no answer in time
 *   -EILSEQ     the server refuses a value: these very jobs will fail again
 *   -EACCES     rights are missing
 *   -ENOTSUP    the schema is missing, or is not that of mailpush
 *   -EPROTO     anything else that the server said
 *
 * One owner, one thread.  Passwords stand in no text.
 */
#ifndef MAILPUSH_MARIADB_MARIALINK_H
#define MAILPUSH_MARIADB_MARIALINK_H

#include "base/err.h"
#include "mariadb/mariavalue.h"

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

struct marialink_settings {
	const char *place;		   /* of the url: mariaurl.h */
	const char *password_file;	   /* its first line, read at each connect; NULL: none */
	int64_t timeout_ms;		   /* to connect, and for each wait */
	atomic_uint_fast64_t *round_trips; /* counts the waits for an answer; NULL: nobody */
	/* Another program's tables are read, perhaps MySQL's, by marialink_stream alone: nothing is
	   set for transactions, the server may be read-only, and errors do not call it a
	   registry. */
	bool is_foreign;
	/* Monotonic, may be set by another thread: no wait lasts longer; 0 or NULL: none. */
	const atomic_int_least64_t *end_by_ms;
};

struct marialink;

/* The rows of one answer, before the first; `index` is what was given with the statement.  Returns
   NULL, or what is malformed about it: then the connection is lost, and nothing that was taken
   counts. */
typedef const char *marialink_rows_fn(void *ctx, size_t index, struct mariarows *rows);

/* Connects to nothing yet.  -EINVAL: the url cannot be read. */
int marialink_new(
	const struct marialink_settings *settings, struct marialink **ret, struct err *err);
void marialink_free(struct marialink *link);

/* Without a word about passwords. */
const char *marialink_name(const struct marialink *link);
/* What the server calls itself, as "10.11.6-MariaDB"; "" before the first connection. */
const char *marialink_server_version(const struct marialink *link);
/* Of the connection, or to be tried next; "": this machine. */
const char *marialink_host(const struct marialink *link);

/* Of the last server that there was a connection to: is it one of a Galera cluster? */
bool marialink_is_in_cluster(const struct marialink *link);

/* Still, or again, with a server that can be written to; `*ret_is_new` says which. */
int marialink_connect(struct marialink *link, bool *ret_is_new, struct err *err);
void marialink_close(struct marialink *link);
/* The server is of no more use: the next is to be taken.  -ENOTCONN with that text. */
int marialink_leave(struct marialink *link, const char *why, struct err *err);

/* How many bytes the lists of one statement may have; what is more goes into the next. */
size_t marialink_room(const struct marialink *link);
/*
 * Adds a statement; `values` (NULL: none) may change afterwards.  `on_rows` (NULL: nobody) gets its
 * rows within marialink_wait, or here when too much was gathered, if all before it went well.
 */
int marialink_send(struct marialink *link, const char *sql, const struct mariavalues *values,
	marialink_rows_fn *on_rows, void *ctx, size_t index, struct err *err);
/* For the answers to all that was gathered.  If a statement fails, those behind it are not done. */
int marialink_wait(struct marialink *link, struct err *err);
/* Both. */
int marialink_ask(struct marialink *link, const char *sql, const struct mariavalues *values,
	marialink_rows_fn *on_rows, void *ctx, struct err *err);
/*
 * Asks for rows that are read one after the other as they come, however many; marialink_next_row
 * says 1: it stands at a row, 0: there is none left.  Nothing else is asked meanwhile.
 */
int marialink_stream(struct marialink *link, const char *sql, struct err *err);
int marialink_next_row(struct marialink *link, struct mariarows *rows, struct err *err);
/* Ends the transaction that is open, if there is one, and forgets what was gathered. */
void marialink_rollback(struct marialink *link);

#endif

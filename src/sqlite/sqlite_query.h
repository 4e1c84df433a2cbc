/*
 * sqlite_query - the registry's open file, its statements bound and read, and what a failure means.
 *
 * Private to the driver.  Where a statement is about one site, that is ?1.  What is bound is
 * borrowed until the statement is bound again.
 *
 * Registry thread only.
 */
#ifndef MAILPUSH_SQLITE_SQLITE_QUERY_H
#define MAILPUSH_SQLITE_SQLITE_QUERY_H

#include "driver/ops.h"
#include "sqlite/sqlite_file.h"
#include "sqlite/statement.h"

#include <sqlite3.h>

struct sqlite {
	struct registry_db db;
	struct sqlite_file file;
	bool has_bad_map; /* and what it said in this transaction is not to be believed */
	bool empties_log; /* once the transaction is committed */
	int64_t site;
	sqlite3_stmt *statements[STATEMENT_COUNT];
};

struct sqlite *sqlite_of(struct registry_db *db);

/* A statement with ?1 bound to the site. */
sqlite3_stmt *sqlite_query_of_site(struct sqlite *s, enum statement statement);
void sqlite_query_put_number(sqlite3_stmt *query, int at, int64_t number);
/* NULL is allowed. */
void sqlite_query_put_text(sqlite3_stmt *query, int at, const char *text);
void sqlite_query_put_key(sqlite3_stmt *query, int at, const struct registry_key *key);

/* A column; "" and a key of zeros where a damaged file has something else. */
const char *sqlite_query_text(sqlite3_stmt *query, int at);
void sqlite_query_key(sqlite3_stmt *query, int at, struct registry_key *ret);

/* Ends a statement that was stepped to `result`: 0 after SQLITE_DONE. */
int sqlite_query_end(struct sqlite *s, sqlite3_stmt *query, int result, struct err *err);
/* One that gives no rows, from its begin to its end. */
int sqlite_query_run(struct sqlite *s, sqlite3_stmt *query, struct err *err);

/* Right after a call of SQLite's failed, as sqlite_file_error; `doing` is a verb. */
int sqlite_query_fail(struct sqlite *s, const char *doing, struct err *err);
/* The same where the memory map cannot be read. */
int sqlite_query_bad_map(const struct sqlite *s, struct err *err);

#endif

/*
 * traces - what SQLite remembers of registrations that are gone.
 *
 * A trigger keeps within bounds what is left behind (schema.c).  Each function returns SQLITE_DONE,
 * or what SQLite said instead; sqlite.c makes an error of that.
 *
 * Registry thread only.
 */
#ifndef MAILPUSH_SQLITE_TRACES_H
#define MAILPUSH_SQLITE_TRACES_H

#include "registry/ops.h"

#include <sqlite3.h>

/* `statements`: those of statement.h. */
int traces_leave(sqlite3_stmt *const *statements, int64_t site, const struct registry_key *key,
	const struct registry_end *end);
int traces_leave_token(
	sqlite3_stmt *const *statements, int64_t site, const struct registry_token_change *change);
int traces_list(sqlite3_stmt *const *statements, int64_t site, const char *user, int64_t after_id,
	size_t limit, registry_trace_fn *on_trace, void *ctx);
int traces_remove(sqlite3_stmt *const *statements, int64_t site, const char *user);
int traces_prune(sqlite3_stmt *const *statements, int64_t site, int64_t before_ms);
int traces_put_right(
	sqlite3_stmt *const *statements, int64_t site, int64_t after_ms, int64_t to_ms);

#endif

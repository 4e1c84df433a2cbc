/*
 * tombstones - what SQLite remembers of registrations that are gone.
 *
 * A trigger keeps within bounds what is left behind (schema.c).  Registry thread only.
 */
#ifndef MAILPUSH_SQLITE_TOMBSTONES_H
#define MAILPUSH_SQLITE_TOMBSTONES_H

#include "sqlite/sqlite_query.h"

/* Functions of driver/ops.h. */
int tombstones_list(struct registry_db *db, const char *user, int64_t after_id, size_t limit,
	registry_tombstone_fn *on_tombstone, void *ctx, struct err *err);
int tombstones_remove(struct registry_db *db, const char *user, struct err *err);
int tombstones_prune(struct registry_db *db, int64_t before_ms, struct err *err);

/* Parts of sqlite_write's: before a registration goes, and with times of a wrong clock. */
int tombstones_leave(struct sqlite *s, const struct registry_key *key,
	const struct registry_end *end, struct err *err);
int tombstones_leave_token(
	struct sqlite *s, const struct registry_token_change *change, struct err *err);
int tombstones_put_right(struct sqlite *s, int64_t after_ms, int64_t to_ms, struct err *err);

#endif

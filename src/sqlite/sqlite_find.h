/*
 * sqlite_find - what is asked of SQLite: who subscribed, what is registered, what is due.
 *
 * Functions of driver/ops.h.
 */
#ifndef MAILPUSH_SQLITE_SQLITE_FIND_H
#define MAILPUSH_SQLITE_SQLITE_FIND_H

#include "driver/ops.h"

int sqlite_match(struct registry_db *db, const struct mailbox *const *mailboxes, size_t count,
	registry_match_fn *on_match, void *ctx, struct err *err);
int sqlite_load_users(struct registry_db *db, const char *const *users, size_t count,
	registry_row_fn *on_row, void *ctx, struct err *err);
int sqlite_load_lists(struct registry_db *db, const struct registry_key *keys, size_t count,
	registry_subscription_fn *on_subscription, void *ctx, struct err *err);
int sqlite_load_keys(struct registry_db *db, const struct registry_key *keys, size_t count,
	registry_row_fn *on_row, void *ctx, struct err *err);
int sqlite_list(struct registry_db *db, const char *user, const struct registry_key *key,
	size_t limit, registry_row_fn *on_row, void *ctx, struct err *err);
int sqlite_count(struct registry_db *db, struct registry_totals *ret, struct err *err);
int sqlite_find_suspended(
	struct registry_db *db, registry_suspended_fn *on_suspended, void *ctx, struct err *err);
int sqlite_load_round(struct registry_db *db, struct registry_round *ret, struct err *err);
int sqlite_census(struct registry_db *db, struct registry_census *ret, struct err *err);
int sqlite_find_expired(struct registry_db *db, int64_t before_ms, size_t limit,
	registry_key_fn *on_key, void *ctx, uint64_t *ret_total, struct err *err);
int sqlite_find_longest_suspended(struct registry_db *db, int64_t before_ms, size_t limit,
	registry_key_fn *on_key, void *ctx, struct err *err);
/* Writes too, as what it finds is claimed. */
int sqlite_claim_nudges(struct registry_db *db, int64_t before_ms, size_t limit,
	registry_match_fn *on_match, void *ctx, struct err *err);

#endif

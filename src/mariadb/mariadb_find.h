/*
 * mariadb_find - what is asked of MariaDB: who subscribed, what is registered, what is due.
 *
 * Each is one statement, however much is asked (up to what the server takes at once).  An answer to
 * several questions comes sorted, and is reported in the order in which they were asked.
 */
#ifndef MAILPUSH_MARIADB_MARIADB_FIND_H
#define MAILPUSH_MARIADB_MARIADB_FIND_H

#include "driver/ops.h"

int mariadb_match(struct registry_db *db, const struct mailbox *const *mailboxes, size_t count,
	registry_match_fn *on_match, void *ctx, struct err *err);
int mariadb_load_users(struct registry_db *db, const char *const *users, size_t count,
	registry_row_fn *on_row, void *ctx, struct err *err);
int mariadb_load_lists(struct registry_db *db, const struct registry_key *keys, size_t count,
	registry_subscription_fn *on_subscription, void *ctx, struct err *err);
int mariadb_load_keys(struct registry_db *db, const struct registry_key *keys, size_t count,
	registry_row_fn *on_row, void *ctx, struct err *err);
int mariadb_list(struct registry_db *db, const char *user, const struct registry_key *key,
	size_t limit, registry_row_fn *on_row, void *ctx, struct err *err);
int mariadb_list_tombstones(struct registry_db *db, const char *user, int64_t after_id,
	size_t limit, registry_tombstone_fn *on_tombstone, void *ctx, struct err *err);
int mariadb_count(struct registry_db *db, struct registry_totals *ret, struct err *err);
int mariadb_find_suspended(
	struct registry_db *db, registry_suspended_fn *on_suspended, void *ctx, struct err *err);
int mariadb_load_round(struct registry_db *db, struct registry_round *ret, struct err *err);
int mariadb_census(struct registry_db *db, struct registry_census *ret, struct err *err);
int mariadb_find_expired(struct registry_db *db, int64_t before_ms, size_t limit,
	registry_key_fn *on_key, void *ctx, uint64_t *ret_total, struct err *err);
int mariadb_find_longest_suspended(struct registry_db *db, int64_t before_ms, size_t limit,
	registry_key_fn *on_key, void *ctx, struct err *err);
/* Writes too, as what it finds is claimed. */
int mariadb_claim_nudges(struct registry_db *db, int64_t before_ms, size_t limit,
	registry_match_fn *on_match, void *ctx, struct err *err);

#endif

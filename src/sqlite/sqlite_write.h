/*
 * sqlite_write - what SQLite is given: registrations and their lists, what Apple said of tokens,
 * rounds of housekeeping.
 *
 * Functions of driver/ops.h.
 */
#ifndef MAILPUSH_SQLITE_SQLITE_WRITE_H
#define MAILPUSH_SQLITE_SQLITE_WRITE_H

#include "driver/ops.h"

int sqlite_put(
	struct registry_db *db, const struct registry_row *rows, size_t count, struct err *err);
int sqlite_put_lists(
	struct registry_db *db, const struct registry_list *lists, size_t count, struct err *err);
int sqlite_remove(struct registry_db *db, const struct registry_key *keys, size_t count,
	const struct registry_end *end, struct err *err);
int sqlite_change_tokens(struct registry_db *db, const struct registry_token_change *changes,
	size_t count, registry_key_fn *on_gone, void *ctx, struct err *err);
int sqlite_claim_round(struct registry_db *db, int64_t was_ms, int64_t seen_ms,
	int64_t spared_until_ms, bool *ret_is_ours, struct err *err);
int sqlite_put_right(struct registry_db *db, int64_t after_ms, int64_t to_ms, struct err *err);
int sqlite_put_tidied(struct registry_db *db, int64_t day, uint64_t count, struct err *err);

#endif

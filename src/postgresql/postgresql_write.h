/*
 * postgresql_write - the functions of ops.h that write what rules decided, for PostgreSQL.
 *
 * Each is a few statements, however many rows it has; none of them waits, but for change_tokens and
 * claim_round, which tell what they did.
 */
#ifndef MAILPUSH_POSTGRESQL_POSTGRESQL_WRITE_H
#define MAILPUSH_POSTGRESQL_POSTGRESQL_WRITE_H

#include "driver/ops.h"

int postgresql_put(
	struct registry_db *db, const struct registry_row *rows, size_t count, struct err *err);
int postgresql_put_lists(
	struct registry_db *db, const struct registry_list *lists, size_t count, struct err *err);
int postgresql_remove(struct registry_db *db, const struct registry_key *keys, size_t count,
	const struct registry_end *end, struct err *err);
int postgresql_change_tokens(struct registry_db *db, const struct registry_token_change *changes,
	size_t count, registry_key_fn *on_gone, void *ctx, struct err *err);
int postgresql_put_right(struct registry_db *db, int64_t after_ms, int64_t to_ms, struct err *err);
int postgresql_put_tidied(struct registry_db *db, int64_t day, uint64_t count, struct err *err);
int postgresql_claim_round(struct registry_db *db, int64_t was_ms, int64_t seen_ms,
	int64_t spared_until_ms, bool *ret_is_ours, struct err *err);
int postgresql_remove_tombstones(struct registry_db *db, const char *user, struct err *err);
int postgresql_prune_tombstones(struct registry_db *db, int64_t before_ms, struct err *err);

#endif

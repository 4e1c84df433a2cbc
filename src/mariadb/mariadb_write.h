/*
 * mariadb_write - what is written to MariaDB: registrations, their mailboxes, tombstones,
 * housekeeping.
 *
 * Each is a few statements, however many rows it has; none of them waits, but for change_tokens
 * and claim_round, which tell what they did.  An older write never undoes a newer one: each looks
 * at renewed_ms by itself, as a cluster may lose a lock.
 */
#ifndef MAILPUSH_MARIADB_MARIADB_WRITE_H
#define MAILPUSH_MARIADB_MARIADB_WRITE_H

#include "driver/ops.h"

int mariadb_put(
	struct registry_db *db, const struct registry_row *rows, size_t count, struct err *err);
int mariadb_put_lists(
	struct registry_db *db, const struct registry_list *lists, size_t count, struct err *err);
int mariadb_remove(struct registry_db *db, const struct registry_key *keys, size_t count,
	const struct registry_end *end, struct err *err);
int mariadb_change_tokens(struct registry_db *db, const struct registry_token_change *changes,
	size_t count, registry_key_fn *on_gone, void *ctx, struct err *err);
int mariadb_put_right(struct registry_db *db, int64_t after_ms, int64_t to_ms, struct err *err);
int mariadb_put_tidied(struct registry_db *db, int64_t day, uint64_t count, struct err *err);
int mariadb_claim_round(struct registry_db *db, int64_t was_ms, int64_t seen_ms,
	int64_t spared_until_ms, bool *ret_is_ours, struct err *err);
int mariadb_remove_tombstones(struct registry_db *db, const char *user, struct err *err);
int mariadb_prune_tombstones(struct registry_db *db, int64_t before_ms, struct err *err);

#endif

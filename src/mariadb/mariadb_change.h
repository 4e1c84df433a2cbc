/*
 * mariadb_change - accounts and folders that were deleted, renamed or woken, for MariaDB.
 *
 * All of one call go to the server together.  What was renewed after a change is spared in the very
 * statement that makes it.
 */
#ifndef MAILPUSH_MARIADB_MARIADB_CHANGE_H
#define MAILPUSH_MARIADB_MARIADB_CHANGE_H

#include "driver/ops.h"

int mariadb_change_mailboxes(struct registry_db *db, const struct registry_mailbox_change *changes,
	size_t count, registry_effect_fn *on_effect, void *ctx, struct err *err);
int mariadb_resume(struct registry_db *db, const struct registry_resume *resumes, size_t count,
	registry_effect_fn *on_effect, void *ctx, struct err *err);

#endif

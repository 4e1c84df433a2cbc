/*
 * postgresql_change - accounts and folders that were deleted, renamed or woken, for PostgreSQL.
 *
 * All of one call go to the server in a row; a folder that moves is asked for first, since its
 * places are made here.
 */
#ifndef MAILPUSH_POSTGRESQL_POSTGRESQL_CHANGE_H
#define MAILPUSH_POSTGRESQL_POSTGRESQL_CHANGE_H

#include "registry/ops.h"

int postgresql_change_mailboxes(struct registry_db *db,
	const struct registry_mailbox_change *changes, size_t count, registry_effect_fn *on_effect,
	void *ctx, struct err *err);
int postgresql_resume(struct registry_db *db, const struct registry_resume *resumes, size_t count,
	registry_effect_fn *on_effect, void *ctx, struct err *err);

#endif

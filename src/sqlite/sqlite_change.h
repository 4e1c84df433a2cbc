/*
 * sqlite_change - what SQLite does when accounts and folders are deleted, moved, or come to life
 * again.
 *
 * Functions of driver/ops.h.
 */
#ifndef MAILPUSH_SQLITE_SQLITE_CHANGE_H
#define MAILPUSH_SQLITE_SQLITE_CHANGE_H

#include "driver/ops.h"

int sqlite_change_mailboxes(struct registry_db *db, const struct registry_mailbox_change *changes,
	size_t count, registry_effect_fn *on_effect, void *ctx, struct err *err);
int sqlite_resume(struct registry_db *db, const struct registry_resume *resumes, size_t count,
	registry_effect_fn *on_effect, void *ctx, struct err *err);

#endif

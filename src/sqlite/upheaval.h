/*
 * upheaval - what SQLite does when accounts and folders are deleted, moved, or come to life again.
 *
 * Each function tells what it did to registrations, and returns SQLITE_DONE or what SQLite said
 * instead; sqlite.c makes an error of that.
 *
 * Registry thread only.
 */
#ifndef MAILPUSH_SQLITE_UPHEAVAL_H
#define MAILPUSH_SQLITE_UPHEAVAL_H

#include "registry/ops.h"

#include <sqlite3.h>

struct upheaval_teller {
	registry_effect_fn *on_effect;
	void *ctx;
	size_t index;
};

/* `statements`: those of statement.h. */
int upheaval_change(sqlite3_stmt *const *statements, int64_t site,
	const struct registry_mailbox_change *change, const struct upheaval_teller *teller);
int upheaval_resume(sqlite3_stmt *const *statements, int64_t site,
	const struct registry_resume *resume, const struct upheaval_teller *teller);

#endif

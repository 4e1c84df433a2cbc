/*
 * schema - the tables of the registry in SQLite, and how older ones become today's.
 *
 * Step n leads from version n to version n + 1; the version is the file's user_version, and its
 * application_id says that the file is a registry.  A step that was released is never changed.
 */
#ifndef MAILPUSH_SQLITE_SCHEMA_H
#define MAILPUSH_SQLITE_SCHEMA_H

#include "base/err.h"

#include <sqlite3.h>
#include <stddef.h>

#define SCHEMA_APPLICATION_ID 0x4d505247 /* "MPRG" */

/* SQL; the state of a registration as a number of enum registry_state, if it is not active. */
#define SCHEMA_IS_NOT_ACTIVE "stopped_reason IS NOT NULL OR suspended_ms > 0 OR superseded_ms > 0"
#define SCHEMA_STATE \
	"(CASE WHEN stopped_reason IS NOT NULL THEN 3 WHEN suspended_ms > 0 THEN 2 ELSE 1 END)"

extern const char *const schema_steps[];
extern const size_t schema_step_count;

/*
 * Does the steps that the file has not seen yet, all or none.  -ENOTSUP: its version is newer than
 * the last step; -EINVAL: it is a database, but not a registry.  `path` is for messages.
 */
int schema_migrate(
	sqlite3 *db, const char *path, const char *const *steps, size_t count, struct err *err);

/* The negative errno of what SQLite said last, with a text that names path and remedy. */
int schema_error(sqlite3 *db, const char *path, const char *doing, struct err *err);

#endif

/*
 * mariadb_schema - the tables of the registry in MariaDB, and how older ones become today's.
 *
 * Step n leads from version n to version n + 1; the version stands in the one row of
 * mailpush_schema, which is the lock too: whoever migrates holds it, over a connection of its own,
 * since each statement that makes or changes a table ends the transaction that it stands in.  So
 * each statement of a step is committed by itself, and may be done again by whoever comes after one
 * that ended in the middle.  A step that was released is never changed.
 *
 * A schema of today's version is only read, so that a site may forbid the daemon to make tables and
 * make them itself of what `mariadb_schema_text` says.
 */
#ifndef MAILPUSH_MARIADB_MARIADB_SCHEMA_H
#define MAILPUSH_MARIADB_MARIADB_SCHEMA_H

#include "base/err.h"
#include "mariadb/marialink.h"

/*
 * Does the steps that the database has not seen yet.  `settings`: those of the link.  -ENOTSUP: its
 * version is newer than the last.
 */
int mariadb_schema_migrate(
	struct marialink *link, const struct marialink_settings *settings, struct err *err);

/* All statements that make the tables in an empty database; the caller frees it. */
char *mariadb_schema_text(void);

#endif

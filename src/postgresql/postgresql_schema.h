/*
 * postgresql_schema - the tables of the registry in PostgreSQL, and how older ones become today's.
 *
 * Step n leads from version n to version n + 1; the version stands in the one row of
 * mailpush_schema, which is the lock too: whoever migrates holds it.  Each statement of a step may
 * be done again, as some databases commit it by itself.  A step that was released is never changed.
 *
 * A schema of today's version is only read, so that a site may forbid the daemon to make tables and
 * make them itself of what `postgresql_schema_text` says.
 */
#ifndef MAILPUSH_POSTGRESQL_POSTGRESQL_SCHEMA_H
#define MAILPUSH_POSTGRESQL_POSTGRESQL_SCHEMA_H

#include "base/err.h"
#include "postgresql/pglink.h"

/* SQL; beside a key: a server that knows little of a table yet might read all of a site instead. */
#define POSTGRESQL_IS_OF(column, site) "(" column " = " site ") IS TRUE"
/* SQL; the state of a registration as a number of enum registry_state, if it is not active. */
#define POSTGRESQL_IS_NOT_ACTIVE \
	"(stopped_reason IS NOT NULL OR suspended_ms > 0 OR superseded_ms > 0)"
#define POSTGRESQL_STATE                                                                   \
	"(CASE WHEN stopped_reason IS NOT NULL THEN 3 WHEN suspended_ms > 0 THEN 2 ELSE 1" \
	" END)"

/* Does the steps that the database has not seen yet.  -ENOTSUP: its version is newer than the last.
 */
int postgresql_schema_migrate(struct pglink *link, struct err *err);

/* All statements that make the tables in an empty database; the caller frees it. */
char *postgresql_schema_text(void);

#endif

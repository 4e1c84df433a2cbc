/*
 * schema - the tables of the registry in SQLite, as the steps of its file (sqlite_file.h).
 */
#ifndef MAILPUSH_SQLITE_SCHEMA_H
#define MAILPUSH_SQLITE_SCHEMA_H

#define SCHEMA_STEPS 1

/* SQL; the state of a registration as a number of enum registry_state, if it is not active. */
#define SCHEMA_IS_NOT_ACTIVE "stopped_reason IS NOT NULL OR suspended_ms > 0 OR superseded_ms > 0"
#define SCHEMA_STATE \
	"(CASE WHEN stopped_reason IS NOT NULL THEN 3 WHEN suspended_ms > 0 THEN 2 ELSE 1 END)"

extern const char *const schema_steps[SCHEMA_STEPS];

#endif

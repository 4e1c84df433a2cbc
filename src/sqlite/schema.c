#include "sqlite/schema.h"

#include "driver/registry_row.h"

/*
 * subscription repeats no text of its registration but refers to it by a small integer, and is
 * clustered by mailbox: that is the one look-up which each event makes.  registration keeps what a
 * push needs in its first columns, as SQLite reads a row from the front.  Registrations that are
 * not active are few, so registration_state counts them; its numbers are those of enum
 * registry_state. forgotten has one tombstone a registration, and of a user and of all no more than
 * registry.h says.
 */
static const char step_1[] =
	"CREATE TABLE site ("
	" id INTEGER PRIMARY KEY,"
	" name TEXT NOT NULL UNIQUE,"
	" tidied_day INTEGER NOT NULL DEFAULT 0,"
	" tidied_count INTEGER NOT NULL DEFAULT 0,"
	" seen_ms INTEGER NOT NULL DEFAULT 0,"
	" spared_until_ms INTEGER NOT NULL DEFAULT 0);"

	"CREATE TABLE registration ("
	" id INTEGER PRIMARY KEY,"
	" key BLOB NOT NULL UNIQUE,"
	" site INTEGER NOT NULL,"
	" user TEXT NOT NULL,"
	" device_token TEXT NOT NULL,"
	" account_id TEXT NOT NULL,"
	" topic TEXT NOT NULL,"
	" aps_version INTEGER NOT NULL,"
	" confirmed INTEGER NOT NULL,"
	" inbox_only INTEGER NOT NULL,"
	" renewed_ms INTEGER NOT NULL,"
	" suspended_ms INTEGER NOT NULL,"
	" stopped_reason TEXT,"
	" subtopic TEXT NOT NULL,"
	" created_ms INTEGER NOT NULL,"
	" superseded_ms INTEGER NOT NULL,"
	" is_nudged INTEGER NOT NULL);"
	"CREATE INDEX registration_user ON registration (site, user);"
	"CREATE INDEX registration_token ON registration (site, device_token);"
	"CREATE INDEX registration_renewed ON registration (site, renewed_ms);"
	"CREATE INDEX registration_suspended ON registration (site, suspended_ms)"
	" WHERE suspended_ms > 0;"
	"CREATE INDEX registration_state ON registration"
	" (site, " SCHEMA_STATE ") WHERE " SCHEMA_IS_NOT_ACTIVE ";"

	"CREATE TABLE subscription ("
	" site INTEGER NOT NULL,"
	" owner TEXT NOT NULL,"
	" folder TEXT NOT NULL,"
	" registration INTEGER NOT NULL,"
	" name TEXT NOT NULL,"
	" hash TEXT NOT NULL,"
	" PRIMARY KEY (site, owner, folder, registration, name)) WITHOUT ROWID;"
	"CREATE UNIQUE INDEX subscription_name ON subscription (registration, name);"

	"CREATE TABLE forgotten ("
	" id INTEGER PRIMARY KEY,"
	" key BLOB NOT NULL UNIQUE,"
	" site INTEGER NOT NULL,"
	" user TEXT NOT NULL,"
	" device_token TEXT NOT NULL,"
	" account_id TEXT NOT NULL,"
	" topic TEXT NOT NULL,"
	" renewed_ms INTEGER NOT NULL,"
	" at_ms INTEGER NOT NULL,"
	" why TEXT NOT NULL,"
	" status INTEGER NOT NULL,"
	" reason TEXT NOT NULL);"
	"CREATE INDEX forgotten_user ON forgotten (site, user);"
	"CREATE TRIGGER forgotten_bounds AFTER INSERT ON forgotten BEGIN"
	" DELETE FROM forgotten WHERE site = NEW.site AND user = NEW.user AND id <="
	"  (SELECT id FROM forgotten WHERE site = NEW.site AND user = NEW.user"
	"   ORDER BY id DESC LIMIT 1 OFFSET 16);"
	" DELETE FROM forgotten WHERE id <= NEW.id - 100000;"
	"END;";

_Static_assert(REGISTRY_TOMBSTONES_PER_USER == 16 && REGISTRY_TOMBSTONES_MAX == 100000,
	"as the trigger says");

const char *const schema_steps[SCHEMA_STEPS] = {step_1};

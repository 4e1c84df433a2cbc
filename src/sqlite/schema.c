#include "sqlite/schema.h"

#include "base/mem.h"
#include "registry/registry_job.h"

#include <errno.h>
#include <stdint.h>
#include <string.h>

/*
 * subscription repeats no text of its registration but refers to it by a small integer, and is
 * clustered by mailbox: that is the one look-up which each event makes.  registration keeps what a
 * push needs in its first columns, as SQLite reads a row from the front.
 */
static const char step_1[] =
	"CREATE TABLE site ("
	" id INTEGER PRIMARY KEY,"
	" name TEXT NOT NULL UNIQUE,"
	" tidied_day INTEGER NOT NULL DEFAULT 0,"
	" tidied_count INTEGER NOT NULL DEFAULT 0);"

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

	"CREATE TABLE subscription ("
	" site INTEGER NOT NULL,"
	" owner TEXT NOT NULL,"
	" folder TEXT NOT NULL,"
	" registration INTEGER NOT NULL,"
	" name TEXT NOT NULL,"
	" hash TEXT NOT NULL,"
	" PRIMARY KEY (site, owner, folder, registration, name)) WITHOUT ROWID;"
	"CREATE UNIQUE INDEX subscription_name ON subscription (registration, name);";

static const char step_2[] =
	"ALTER TABLE site ADD COLUMN seen_ms INTEGER NOT NULL DEFAULT 0;"
	"ALTER TABLE site ADD COLUMN spared_until_ms INTEGER NOT NULL DEFAULT 0;";

/*
 * Those that are not simply active are few, so they are counted by this index; its numbers are
 * those of enum registry_state.
 */
static const char step_3[] = "CREATE INDEX registration_state ON registration"
			     " (site, " SCHEMA_STATE ") WHERE " SCHEMA_IS_NOT_ACTIVE ";";

/*
 * What is remembered of registrations that are gone, the last time of each: of a user, and of all,
 * no more than registry.h says.
 */
static const char step_4[] =
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

_Static_assert(REGISTRY_TRACES_PER_USER == 16 && REGISTRY_TRACES_MAX == 100000,
	"as the trigger of step_4 says");

const char *const schema_steps[] = {step_1, step_2, step_3, step_4};
const size_t schema_step_count = sizeof(schema_steps) / sizeof(schema_steps[0]);

int schema_error(sqlite3 *db, const char *path, const char *doing, struct err *err)
{
	const char *said = sqlite3_errmsg(db);
	int system = sqlite3_system_errno(db);
	if ((sqlite3_errcode(db) & 0xff) == SQLITE_IOERR && (system == ENOSPC || system == EDQUOT))
		return err_set(err, -ENOSPC, "registry '%s': %s: %s; make room on its disk", path,
			doing, strerror(system));
	switch (sqlite3_errcode(db) & 0xff) {
	case SQLITE_BUSY:
	case SQLITE_LOCKED:
		return err_set(err, -EBUSY,
			"registry '%s': %s: %s; end the program that holds the file (fuser '%s'); "
			"it may "
			"be this mailpushd, if the same file is set for `registry` and `queue`",
			path, doing, said, path);
	case SQLITE_FULL:
		return err_set(err, -ENOSPC, "registry '%s': %s: %s; make room on its disk", path,
			doing, said);
	case SQLITE_READONLY:
		return err_set(err, -EROFS,
			"registry '%s': %s: %s; the daemon's user must be able to write the file "
			"and its folder",
			path, doing, said);
	case SQLITE_CANTOPEN:
	case SQLITE_PERM:
		return err_set(err, -EACCES,
			"registry '%s': %s: %s; the daemon's user must be able to write the file "
			"and its folder",
			path, doing, said);
	case SQLITE_NOTADB:
		return err_set(err, -EINVAL,
			"registry '%s': %s: it is not an SQLite database; correct the path in "
			"mailpush.conf, or move the file away",
			path, doing);
	case SQLITE_CORRUPT:
		return err_set(err, -EBADMSG,
			"registry '%s': %s: %s; restore a backup, or move the file away: phones "
			"register again within a day or two",
			path, doing, said);
	default:
		return err_set(err, -EIO, "registry '%s': %s: %s; see to the disk and its messages",
			path, doing, said);
	}
}

static int get_number(sqlite3 *db, const char *sql, int64_t *ret)
{
	sqlite3_stmt *query = NULL;
	if (sqlite3_prepare_v2(db, sql, -1, &query, NULL) != SQLITE_OK)
		return -EIO;
	int failed = sqlite3_step(query) == SQLITE_ROW ? 0 : -EIO;
	if (!failed)
		*ret = sqlite3_column_int64(query, 0);
	sqlite3_finalize(query);
	return failed;
}

static int migrate(
	sqlite3 *db, const char *path, const char *const *steps, size_t count, struct err *err)
{
	static const char doing[] = "cannot bring its tables up to date";
	int64_t version = 0;
	int64_t application = 0;
	int64_t tables = 0;
	if (get_number(db, "PRAGMA user_version", &version) ||
		get_number(db, "PRAGMA application_id", &application) ||
		get_number(db, "SELECT count(*) FROM sqlite_schema", &tables))
		return schema_error(db, path, "cannot read it", err);
	if (tables > 0 && application != SCHEMA_APPLICATION_ID)
		return err_set(err, -EINVAL,
			"registry '%s': it is another program's database; correct the path in "
			"mailpush.conf",
			path);
	if (version < 0 || (uint64_t)version > count)
		return err_set(err, -ENOTSUP,
			"registry '%s': its tables are of version %lld, this mailpushd knows "
			"versions up to %zu; install the newer mailpushd again, or restore the "
			"backup from before the upgrade",
			path, (long long)version, count);
	for (size_t i = (size_t)version; i < count; i++) {
		if (sqlite3_exec(db, steps[i], NULL, NULL, NULL) != SQLITE_OK)
			return schema_error(db, path, doing, err);
	}
	if ((size_t)version == count)
		return 0;
	mem_auto char *mark = mem_printf("PRAGMA application_id = %d; PRAGMA user_version = %zu",
		SCHEMA_APPLICATION_ID, count);
	if (sqlite3_exec(db, mark, NULL, NULL, NULL) != SQLITE_OK)
		return schema_error(db, path, doing, err);
	return 0;
}

int schema_migrate(
	sqlite3 *db, const char *path, const char *const *steps, size_t count, struct err *err)
{
	/* Locked first, so that two that start at once do not both migrate. */
	if (sqlite3_exec(db, "BEGIN IMMEDIATE", NULL, NULL, NULL) != SQLITE_OK)
		return schema_error(db, path, "cannot open it for writing", err);
	int failed = migrate(db, path, steps, count, err);
	if (!failed && sqlite3_exec(db, "COMMIT", NULL, NULL, NULL) != SQLITE_OK)
		failed = schema_error(db, path, "cannot bring its tables up to date", err);
	if (!sqlite3_get_autocommit(db))
		sqlite3_exec(db, "ROLLBACK", NULL, NULL, NULL);
	return failed;
}

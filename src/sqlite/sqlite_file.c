#include "sqlite/sqlite_file.h"

#include "base/mem.h"
#include "sqlite/walfile.h"

#include <errno.h>
#include <fcntl.h>
#include <stdint.h>
#include <string.h>
#include <unistd.h>

#define MUST_WRITE "the daemon's user must be able to write the file and its folder"

static int code_of(const struct sqlite_file *file)
{
	int system = sqlite3_system_errno(file->db);
	switch (sqlite3_errcode(file->db) & 0xff) {
	case SQLITE_FULL:
		return -ENOSPC;
	case SQLITE_BUSY:
	case SQLITE_LOCKED:
		return -EBUSY;
	case SQLITE_READONLY:
		return -EROFS;
	case SQLITE_PERM:
	case SQLITE_CANTOPEN:
		return -EACCES;
	case SQLITE_CORRUPT:
		return -EBADMSG;
	case SQLITE_NOTADB:
		return file->kind->is_salvaged ? -EBADMSG : -EINVAL;
	case SQLITE_ERROR: /* our statements are right: a table or a column is missing */
		return file->kind->is_salvaged ? -EBADMSG : -EIO;
	default:
		return system == ENOSPC || system == EDQUOT ? -ENOSPC : -EIO;
	}
}

static const char *remedy_of(const struct sqlite_file *file, int code)
{
	switch (code) {
	case -ENOSPC:
		return "make room on its disk";
	case -EBUSY:
		return "another process holds the file: end it (fuser names it); or the same file "
		       "is "
		       "set for `registry` and `queue`";
	case -EROFS:
	case -EACCES:
		return MUST_WRITE;
	case -EBADMSG:
		return file->kind->damaged;
	case -EINVAL:
		return "it is not an SQLite database: correct the path in mailpush.conf, or move "
		       "the file away";
	default:
		return "see the kernel's log for trouble with that disk";
	}
}

int sqlite_file_error(const struct sqlite_file *file, const char *doing, struct err *err)
{
	int code = code_of(file);
	int system = sqlite3_system_errno(file->db);
	bool has_system = system && (code == -EIO || code == -ENOSPC);
	return err_set(err, code, "cannot %s %s '%s': %s%s%s; %s", doing, file->kind->name,
		file->path, sqlite3_errmsg(file->db), has_system ? ": " : "",
		has_system ? strerror(system) : "", remedy_of(file, code));
}

/* The file holds device tokens: not for everybody's eyes.  SQLite gives its log the same mode. */
static int make(const struct sqlite_file *file, struct err *err)
{
	int fd = open(file->path, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, file->kind->mode);
	if (fd >= 0) {
		close(fd);
		return 0;
	}
	/* One that exists is not opened: closing it again would drop SQLite's locks on it. */
	if (errno == EEXIST && faccessat(AT_FDCWD, file->path, R_OK | W_OK, AT_EACCESS) == 0)
		return 0;
	int code = errno;
	const char *remedy = code == ENOENT || code == ENOTDIR
		? "make its folder, writable for the daemon's user"
		: code == ENOSPC || code == EDQUOT ? "make room on its disk"
		: code == EROFS			   ? ERR_READ_ONLY_REMEDY
						   : MUST_WRITE;
	return err_set(err, -code, "cannot open %s '%s': %s; %s", file->kind->name, file->path,
		strerror(code), remedy);
}

int sqlite_file_open(struct sqlite_file *file, const struct sqlite_file_kind *kind,
	const char *path, struct err *err)
{
	*file = (struct sqlite_file){.kind = kind, .path = mem_dup(path)};
	int failed = make(file, err);
	if (failed)
		return failed;
	if (walfile_is_damaged(path))
		return err_set(err, -EBADMSG,
			"cannot open %s '%s': its log '%s-wal' is damaged, and SQLite would go on "
			"without it; %s",
			kind->name, path, path, kind->log_damaged);
	int flags = SQLITE_OPEN_READWRITE | SQLITE_OPEN_NOMUTEX | SQLITE_OPEN_EXRESCODE;
	if (sqlite3_open_v2(path, &file->db, flags, NULL) != SQLITE_OK)
		return sqlite_file_error(file, "open", err);
	sqlite3_busy_timeout(file->db, kind->busy_ms);
	return 0;
}

static int execute(const struct sqlite_file *file, const char *sql, struct err *err)
{
	if (sqlite3_exec(file->db, sql, NULL, NULL, NULL) != SQLITE_OK)
		return sqlite_file_error(file, "open", err);
	return 0;
}

static int read_number(
	const struct sqlite_file *file, const char *sql, int64_t *ret, struct err *err)
{
	sqlite3_stmt *query = NULL;
	int failed = 0;
	if (sqlite3_prepare_v2(file->db, sql, -1, &query, NULL) != SQLITE_OK ||
		sqlite3_step(query) != SQLITE_ROW)
		failed = sqlite_file_error(file, "open", err);
	else
		*ret = sqlite3_column_int64(query, 0);
	sqlite3_finalize(query);
	return failed;
}

static int read_version(const struct sqlite_file *file, size_t *ret, struct err *err)
{
	const struct sqlite_file_kind *kind = file->kind;
	int64_t version = 0;
	int64_t application = 0;
	int64_t tables = 0;
	int failed = read_number(file, "PRAGMA user_version", &version, err);
	if (!failed)
		failed = read_number(file, "PRAGMA application_id", &application, err);
	if (!failed)
		failed = read_number(file, "SELECT count(*) FROM sqlite_schema", &tables, err);
	if (failed)
		return failed;
	if (tables > 0 && application != kind->application_id)
		return err_set(err, -EINVAL,
			"cannot open %s '%s': it is another program's database; set `%s` to a file "
			"of its own",
			kind->name, file->path, kind->name);
	if (version < 0 || (uint64_t)version > kind->step_count)
		return err_set(err, -ENOTSUP,
			"cannot open %s '%s': its tables are of version %lld, this mailpushd knows "
			"versions up to %zu; install the newer mailpushd again, or restore the "
			"backup from before the upgrade",
			kind->name, file->path, (long long)version, kind->step_count);
	*ret = (size_t)version;
	return 0;
}

static int migrate(const struct sqlite_file *file, struct err *err)
{
	const struct sqlite_file_kind *kind = file->kind;
	size_t version = 0;
	int failed = read_version(file, &version, err);
	if (failed || (version == kind->step_count && !kind->always_writes))
		return failed;
	for (size_t i = version; i < kind->step_count && !failed; i++)
		failed = execute(file, kind->steps[i], err);
	mem_auto char *mark = mem_printf("PRAGMA application_id = %d; PRAGMA user_version = %zu",
		kind->application_id, kind->step_count);
	return failed ? failed : execute(file, mark, err);
}

int sqlite_file_prepare(struct sqlite_file *file, struct err *err)
{
	int failed = execute(file, file->kind->before, err);
	/* Locked first, so that two that start at once do not both migrate. */
	if (!failed)
		failed = execute(file, "BEGIN IMMEDIATE", err);
	if (failed)
		return failed;
	failed = migrate(file, err);
	if (!failed)
		failed = execute(file, "COMMIT", err);
	if (!sqlite3_get_autocommit(file->db))
		sqlite3_exec(file->db, "ROLLBACK", NULL, NULL, NULL);
	/* Only now: nothing of a file of another program's changes. */
	return failed ? failed : execute(file, file->kind->pragmas, err);
}

int sqlite_file_statements(struct sqlite_file *file, const char *const *sql, size_t count,
	sqlite3_stmt **ret, struct err *err)
{
	for (size_t i = 0; i < count; i++) {
		if (sqlite3_prepare_v3(file->db, sql[i], -1, SQLITE_PREPARE_PERSISTENT, &ret[i],
			    NULL) != SQLITE_OK)
			return sqlite_file_error(file, "open", err);
	}
	inplace_init(&file->inplace, file->path);
	return 0;
}

void sqlite_file_drop_statements(sqlite3_stmt **statements, size_t count)
{
	for (size_t i = 0; i < count; i++)
		sqlite3_finalize(mem_steal(statements[i]));
}

void sqlite_file_close(struct sqlite_file *file)
{
	sqlite3_close(file->db);
	inplace_fini(&file->inplace);
	free(file->path);
	*file = (struct sqlite_file){0};
}

bool sqlite_file_empty_log(const struct sqlite_file *file)
{
	sqlite3_busy_timeout(file->db, 0);
	int result =
		sqlite3_wal_checkpoint_v2(file->db, NULL, SQLITE_CHECKPOINT_TRUNCATE, NULL, NULL);
	sqlite3_busy_timeout(file->db, file->kind->busy_ms);
	return result == SQLITE_OK;
}

int sqlite_file_check(const struct sqlite_file *file, struct err *err)
{
	const char *missing = inplace_missing(&file->inplace);
	if (!missing)
		return 0;
	return err_set(err, -ESTALE,
		"cannot write %s: '%s' was removed or replaced while in use, so nothing that is "
		"written to it would last; put it back, or restart mailpushd (%s)",
		file->kind->name, missing, file->kind->replaced);
}

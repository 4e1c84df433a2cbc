/*
 * sqlite_file - what the registry's and the queue's SQLite files share: how one is made, opened,
 * brought up to date and closed, and what is said of a failure.
 *
 * The version of the tables is the file's user_version; its application_id says whose file it is.
 * Step n of a kind leads from version n to version n + 1.  A step that was released never changes.
 *
 * Errors are negative errno values with a text that names the file and the remedy: -ENOSPC,
 * -EROFS, -EACCES, -ENOENT; -EBUSY: another process holds the file; -EBADMSG: it is damaged;
 * -EINVAL: it is another program's, or no database; -ENOTSUP: its version is newer than the last
 * step; -ESTALE: it was removed or replaced; -EIO: all else.
 *
 * One thread at a time.
 */
#ifndef MAILPUSH_SQLITE_SQLITE_FILE_H
#define MAILPUSH_SQLITE_SQLITE_FILE_H

#include "base/err.h"
#include "sqlite/inplace.h"

#include <sqlite3.h>
#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

struct sqlite_file_kind {
	const char *name; /* of its setting in mailpush.conf */
	int application_id;
	const char *const *steps;
	size_t step_count;
	mode_t mode;
	int busy_ms;		 /* how long a lock of another process is waited for */
	bool always_writes;	 /* at opening, to find a disk that takes nothing before use */
	bool is_salvaged;	 /* no database at all, or tables missing: counts as damage */
	const char *before;	 /* SQL before anything is read */
	const char *pragmas;	 /* SQL once the tables are up to date */
	const char *damaged;	 /* what to do about damage of the file */
	const char *log_damaged; /* and of its log */
	const char *replaced;	 /* what a restart costs after the file was replaced */
};

/* All zero is closed. */
struct sqlite_file {
	const struct sqlite_file_kind *kind;
	char *path;
	sqlite3 *db; /* NULL: not open */
	struct inplace inplace;
};

/* Makes the file if there is none, and opens it; `kind` is borrowed.  Close it after a failure too.
 */
int sqlite_file_open(struct sqlite_file *file, const struct sqlite_file_kind *kind,
	const char *path, struct err *err);
/* Does the steps that the file has not seen, all or none, then what the kind wants of SQLite. */
int sqlite_file_prepare(struct sqlite_file *file, struct err *err);
/*
 * The last step: fills `ret` with `count` statements, which sqlite_file_drop_statements ends.  From
 * here on sqlite_file_check watches the file and its log.
 */
int sqlite_file_statements(struct sqlite_file *file, const char *const *sql, size_t count,
	sqlite3_stmt **ret, struct err *err);
void sqlite_file_drop_statements(sqlite3_stmt **statements, size_t count);
void sqlite_file_close(struct sqlite_file *file);

/*
 * Writes the log into the file and empties it, so that nothing stays there of what was deleted.
 * Between transactions.  False: a reader or the disk is in the way, and some of it stays; nobody is
 * waited for.
 */
bool sqlite_file_empty_log(const struct sqlite_file *file);

/* Right after a call of SQLite's failed; `doing` is a verb. */
int sqlite_file_error(const struct sqlite_file *file, const char *doing, struct err *err);
/* Before each batch: -ESTALE if the file was removed or replaced. */
int sqlite_file_check(const struct sqlite_file *file, struct err *err);

#endif

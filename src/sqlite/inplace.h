/*
 * inplace - are the files of a database still where they were opened?
 *
 * Who removes or replaces a database file under a running daemon leaves it with files that have no
 * name any more: all goes on well, and nothing of it is there after the end.  SQLite does not look,
 * so both databases ask here before each batch (some microseconds), and fail it while that is so.
 * The log and its index count as the file itself does: SQLite keeps what was committed in them.
 *
 * Files are looked at, never opened: closing one again would drop SQLite's locks on it.  Any
 * thread, one at a time.
 */
#ifndef MAILPUSH_SQLITE_INPLACE_H
#define MAILPUSH_SQLITE_INPLACE_H

#include <stdbool.h>
#include <sys/types.h>

#define INPLACE_FILES 3 /* the database, its -wal and its -shm */

struct inplace {
	struct inplace_file {
		char *path;
		dev_t device;
		ino_t number;
		bool is_there; /* when it was opened; else it is not looked for */
	} files[INPLACE_FILES];
};

/* Once the database at `path` is open and was read. */
void inplace_init(struct inplace *inplace, const char *path);
/* Also of one that is all zero. */
void inplace_fini(struct inplace *inplace);

/* The first file that was removed or replaced since; NULL: all are in place. */
const char *inplace_missing(const struct inplace *inplace);

#endif

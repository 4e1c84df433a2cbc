/*
 * walfile - would SQLite take the write-ahead log that it finds?
 *
 * One whose header is not right it leaves out without a word: what was committed last is missing
 * then, or all of it.  So both databases look first.  Only the header is judged: behind it a power
 * cut leaves what looks like damage and is none.
 *
 * Before the database is opened.
 */
#ifndef MAILPUSH_SQLITE_WALFILE_H
#define MAILPUSH_SQLITE_WALFILE_H

#include <stdbool.h>
#include <stddef.h>

#define WALFILE_HEADER_SIZE 32

/* Of a header that was read whole; all zero is no damage, but was never written.  Pure. */
bool walfile_header_is_damaged(const unsigned char header[WALFILE_HEADER_SIZE]);

/* Of the log beside the database at `path`; one that is missing, short or cannot be read is not. */
bool walfile_is_damaged(const char *path);

#endif

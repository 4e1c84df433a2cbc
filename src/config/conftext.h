/*
 * conftext - the text of mailpush.conf, from the file to what libconfuse can read.
 *
 * Editors write invisible bytes that libconfuse takes for part of a key or a value: a byte order
 * mark, and the CR of CRLF line ends.  And libconfuse counts three lines for each line with a
 * comment, so its errors would name wrong lines.  All of these are removed here, and lines keep
 * their numbers.  Comments in the manner of C, which mailpush.conf(5) does not have, stay.  Any
 * thread, no state.
 */
#ifndef MAILPUSH_CONFIG_CONFTEXT_H
#define MAILPUSH_CONFIG_CONFTEXT_H

#include "base/buf.h"
#include "base/err.h"

#define CONFTEXT_MAX (1024 * 1024) /* bytes */

/*
 * Appends the text of the file at `path` to `ret`, cleaned.  -EINVAL: not a regular file, on which
 * libconfuse ends the process; more than CONFTEXT_MAX bytes; or a NUL byte, at which it would stop
 * silently.  The text of `err` begins with the path; `remedy` is what to do where the path is
 * wrong.
 */
int conftext_read(const char *path, const char *remedy, struct buf *ret, struct err *err);
/* The same of bytes that were read from `path`. */
int conftext_take(
	const char *path, const char *bytes, size_t size, struct buf *ret, struct err *err);

#define CONFTEXT_FOUND_MAX 64 /* files */

/*
 * The files of a pattern as in glob(7), in the order of their names.  One with a wildcard may match
 * none; a name without one must be there.  The caller frees the array and its texts.  On failure
 * the text of `err` stands behind the key's name.
 */
int conftext_find(const char *pattern, char ***ret_paths, size_t *ret_count, struct err *err);

#endif

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
 * silently.  The text of `err` begins with the path.
 */
int conftext_read(const char *path, struct buf *ret, struct err *err);
/* The same of bytes that were read from `path`. */
int conftext_take(
	const char *path, const char *bytes, size_t size, struct buf *ret, struct err *err);

#endif

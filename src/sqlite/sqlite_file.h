/*
 * sqlite_file - the file that the place of a url names: checked, shown, made.
 *
 * A place is an absolute path (ops.h).
 */
#ifndef MAILPUSH_SQLITE_SQLITE_FILE_H
#define MAILPUSH_SQLITE_SQLITE_FILE_H

#include "base/err.h"

/* As the functions of ops.h: check, file, name. */
int sqlite_file_check(const char *place, struct err *err);
const char *sqlite_file_path(const char *place);
char *sqlite_file_name(const char *place);

/* An empty file if there is none.  Negative errno: it cannot be made or written. */
int sqlite_file_make(const char *path, struct err *err);

#endif

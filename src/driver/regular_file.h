/*
 * regular_file - is what a database's library is going to read a file?
 *
 * The libraries open what a url names without a deadline: a pipe in its place would hold up the
 * registry's thread for ever.  Waits for a disk, but for no pipe.
 */
#ifndef MAILPUSH_DRIVER_REGULAR_FILE_H
#define MAILPUSH_DRIVER_REGULAR_FILE_H

#include "base/err.h"

/* -ENOTCONN: something else is there, but a file may be later.  What is not there, is NULL or
   /dev/null is fine: the library says what that means. */
int regular_file_check(const char *path, struct err *err);

#endif

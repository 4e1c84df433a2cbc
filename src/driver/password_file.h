/*
 * password_file - the password for a database: the first line of a file, behind which only ends of
 * lines may stand.
 *
 * Anything else in the file is an error, so that no other password is tried than was meant.  Waits
 * for a disk, but for no pipe.
 */
#ifndef MAILPUSH_DRIVER_PASSWORD_FILE_H
#define MAILPUSH_DRIVER_PASSWORD_FILE_H

#include "base/err.h"

#define PASSWORD_FILE_MAX 1024

/* The caller wipes it.  -ENOTCONN: there is none to be read, or none that can be one, but may be
   later. */
int password_file_read(const char *path, char ret[PASSWORD_FILE_MAX], struct err *err);

#endif

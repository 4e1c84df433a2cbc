/*
 * password_file - the password for a database, from the first line of a file.
 *
 * Waits for a disk.
 */
#ifndef MAILPUSH_REGISTRY_PASSWORD_FILE_H
#define MAILPUSH_REGISTRY_PASSWORD_FILE_H

#include "base/err.h"

#define PASSWORD_FILE_MAX 1024

/* The caller wipes it.  -ENOTCONN: there is none to be read, but may be later. */
int password_file_read(const char *path, char ret[PASSWORD_FILE_MAX], struct err *err);

#endif

/*
 * keys - a registration is named by the first characters of its key, if no other one begins so.
 */
#ifndef MAILPUSH_CTL_KEYS_H
#define MAILPUSH_CTL_KEYS_H

#include "console/client.h"

#define KEYS_PREFIX_MIN 4

/* `ret`: the whole key, to be freed.  A failure is printed. */
enum client_exit keys_find(const char *prefix, char **ret);
/* Prints what begins with `prefix`, a line each, for a shell: "users" or "keys". */
enum client_exit keys_complete(const char *what, const char *prefix);

#endif

/*
 * accounts - users and groups of this system, as mailpush.conf names them: by name or by number.
 */
#ifndef MAILPUSH_CONFIG_ACCOUNTS_H
#define MAILPUSH_CONFIG_ACCOUNTS_H

#include <pwd.h>
#include <stdbool.h>
#include <sys/types.h>

/* False: the name does not exist.  A number need not belong to an account. */
bool accounts_find_user(const char *name, uid_t *ret);
bool accounts_find_group(const char *name, gid_t *ret);

/* NULL: does not exist.  The result is libc's, valid until the next look-up. */
const struct passwd *accounts_find_account(const char *name);

#endif

/*
 * accounts - users and groups of this system, as mailpush.conf names them: by name or by number.
 */
#ifndef MAILPUSH_CONFIG_ACCOUNTS_H
#define MAILPUSH_CONFIG_ACCOUNTS_H

#include <pwd.h>
#include <stdbool.h>
#include <sys/types.h>

/* False: there is none of that name.  A number need not be anybody's. */
bool accounts_find_user(const char *name, uid_t *ret);
bool accounts_find_group(const char *name, gid_t *ret);

/* One that there is, or NULL.  It is libc's, until somebody is looked up again. */
const struct passwd *accounts_find_account(const char *name);

#endif

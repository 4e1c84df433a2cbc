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

#define ACCOUNTS_MEMBERS_MAX 100000

/*
 * The users that the system lists as members of the group, as one string of names that a NUL each
 * ends, and how many; the caller frees it.  -ENOENT: there is no such group; another -errno: it
 * cannot be said now.  May wait for a directory; any thread.
 */
int accounts_members(const char *group, char **ret, size_t *ret_count);

/* NULL: does not exist.  The result is libc's, valid until the next look-up. */
const struct passwd *accounts_find_account(const char *name);

#endif

/*
 * account - users and groups of this system, by name or number.
 */
#ifndef MAILPUSH_DAEMON_ACCOUNT_H
#define MAILPUSH_DAEMON_ACCOUNT_H

#include <stdbool.h>
#include <sys/types.h>

bool account_find_user(const char *name, uid_t *ret);
bool account_find_group(const char *name, gid_t *ret);

#endif

/*
 * acl - what a mailbox's ACL grants, as Cyrus writes it: `id TAB rights TAB id TAB rights TAB`.
 *
 * An id is a user, `anyone`, or `group:` and the name of a group.  One that begins with `-` holds
 * negative rights, which subtract, whatever is before or behind them.  Pure; any thread.
 */
#ifndef MAILPUSH_EVENT_ACL_H
#define MAILPUSH_EVENT_ACL_H

#include "event/groups.h"

#include <stdbool.h>

/* Does `acl` (NULL: unknown, grants nothing) give `user` the right?  `groups`: NULL for none. */
bool acl_grants(const char *acl, const struct groups *groups, const char *user, char right);

#endif

/*
 * acl - what a mailbox's ACL grants, as Cyrus writes it: `id TAB rights TAB id TAB rights TAB`.
 *
 * An id that begins with `-` holds negative rights, which subtract.  Pure; any thread.
 */
#ifndef MAILPUSH_EVENT_ACL_H
#define MAILPUSH_EVENT_ACL_H

#include <stdbool.h>

/* Does `acl` (NULL: unknown, grants nothing) give `user`, or `anyone`, the right? */
bool acl_grants(const char *acl, const char *user, char right);

#endif

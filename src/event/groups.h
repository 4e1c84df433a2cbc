/*
 * groups - the members of groups that an ACL names as `group:NAME`.
 *
 * Cyrus asks the system or a directory; an event has only the group's name, so mailpush.conf lists
 * its members again.
 *
 * Built once, then immutable.  Pure; any thread.
 */
#ifndef MAILPUSH_EVENT_GROUPS_H
#define MAILPUSH_EVENT_GROUPS_H

#include <stdbool.h>
#include <stddef.h>

struct groups;

struct groups *groups_new(void);
void groups_free(struct groups *groups);

/* The name must be new; members are written as ACLs write users, but in any case. */
void groups_add(struct groups *groups, const char *name, const char *const *members, size_t count);
size_t groups_count(const struct groups *groups);

/* `name`: not NUL-terminated.  `groups` NULL: there are none. */
bool groups_has(const struct groups *groups, const char *name, size_t name_size, const char *user);

#endif

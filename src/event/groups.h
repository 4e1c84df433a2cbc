/*
 * groups - the members of groups that an ACL names as `group:NAME`.
 *
 * Cyrus asks the system or a directory; an event has only the group's name, so mailpush.conf lists
 * its members again, or says that the system has them.
 *
 * Pure.  Any thread, until somebody may change it: then the loop's.
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
/* Its members are the system's: nobody, until groups_set_members says who. */
void groups_add_system(struct groups *groups, const char *name);
/* The names of those; the caller frees the array alone. */
const char **groups_of_system(const struct groups *groups, size_t *ret_count);
/* Of a group of the system; another name changes nothing. */
void groups_set_members(
	struct groups *groups, const char *name, const char *const *members, size_t count);
/* Members of groups of the system that `before` knows are taken out of it. */
void groups_take_members(struct groups *groups, struct groups *before);
size_t groups_count(const struct groups *groups);

/* `name`: not NUL-terminated.  `groups` NULL: there are none. */
bool groups_has(const struct groups *groups, const char *name, size_t name_size, const char *user);

#endif

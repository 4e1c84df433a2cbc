/*
 * suspended_users - the users of this site whose registrations are suspended, kept in memory.
 *
 * An account that was deleted is suspended, and any event of its owner resumes it.  There are few
 * of them, so an event finds out here that it has nobody to resume, and its batch needs no commit.
 */
#ifndef MAILPUSH_REGISTRY_SUSPENDED_USERS_H
#define MAILPUSH_REGISTRY_SUSPENDED_USERS_H

#include <stdbool.h>
#include <stdint.h>

struct suspended_users;

struct suspended_users *suspended_users_new(void);
void suspended_users_free(struct suspended_users *suspended);

void suspended_users_clear(struct suspended_users *suspended);
void suspended_users_add(struct suspended_users *suspended, const char *user, int64_t suspended_ms);
void suspended_users_remove(struct suspended_users *suspended, const char *user);

/* Does something that happened to `user` at `at_ms` resume them? */
bool suspended_users_resumes(
	const struct suspended_users *suspended, const char *user, int64_t at_ms);

#endif

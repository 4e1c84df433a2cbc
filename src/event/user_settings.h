/*
 * user_settings - what mailpush.conf says of single users: whether they are pushed to, and how
 * often each of their phones at most.
 *
 * Built once, then immutable.  Pure; any thread.
 */
#ifndef MAILPUSH_EVENT_USER_SETTINGS_H
#define MAILPUSH_EVENT_USER_SETTINGS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct user_settings;

struct user_settings_row {
	bool is_pushed_to;
	unsigned pushes_per_minute; /* to each registration; 0: no limit */
};

struct user_settings *user_settings_new(void);
void user_settings_free(struct user_settings *settings);

/* False: the user is there already.  The name is as ACLs write it, in any case. */
bool user_settings_add(
	struct user_settings *settings, const char *user, const struct user_settings_row *row);
size_t user_settings_count(const struct user_settings *settings);
/* NULL: nothing is said of this user.  `settings` NULL: of none, here and below. */
const struct user_settings_row *user_settings_find(
	const struct user_settings *settings, const char *user);

/* False: push = no.  Nothing is said of most users, who are pushed to. */
bool user_settings_is_pushed_to(const struct user_settings *settings, const char *user);

/* The least time between two pushes to a registration of this user; 0: no limit. */
int64_t user_settings_interval_ms(const struct user_settings *settings, const char *user);
/* The largest of all. */
int64_t user_settings_interval_max_ms(const struct user_settings *settings);

#endif

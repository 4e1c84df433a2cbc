/*
 * sleepers - the users of this site whose registrations sleep, kept in memory.
 *
 * An account that was deleted sleeps, and any event of its owner wakes it.  There are few of them,
 * so an event finds out here that it has nobody to wake, and its batch needs no commit.
 */
#ifndef MAILPUSH_REGISTRY_SLEEPERS_H
#define MAILPUSH_REGISTRY_SLEEPERS_H

#include <stdbool.h>
#include <stdint.h>

struct sleepers;

struct sleepers *sleepers_new(void);
void sleepers_free(struct sleepers *sleepers);

void sleepers_clear(struct sleepers *sleepers);
void sleepers_add(struct sleepers *sleepers, const char *user, int64_t sleeping_ms);
void sleepers_remove(struct sleepers *sleepers, const char *user);

/*
 * Does something that happened to `user` at `at_ms` wake them?  Who fell asleep later than
 * `wrong_ms` did so by a wrong clock, and anything wakes them.
 */
bool sleepers_wakes(
	const struct sleepers *sleepers, const char *user, int64_t at_ms, int64_t wrong_ms);

#endif

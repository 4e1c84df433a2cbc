/*
 * provider - the provider token of one token signing key, shared by all connections that use it.
 *
 * Apple wants one token a key, renewed after 20 to 60 minutes: so the same key under several topics
 * has one token.  It is renewed after `renew_ms` (50 min) by the monotonic clock, so that a wrong
 * clock does not stop it.  When Apple calls it expired all the same, another is made, but not
 * within `renew_least_ms` (20 min).
 *
 * The token carries the time of the system clock.  When that clock was set (or the machine slept)
 * and the token in use seems to be from the future, or an hour old, Apple would refuse it.  So
 * another is made at once, but only one such within `renew_least_ms` of the monotonic clock.
 *
 * If none can be made, a line of the log says why, what stands in its place is refused by Apple,
 * and the next use tries again.
 *
 * Loop thread.
 */
#ifndef MAILPUSH_CREDENTIAL_PROVIDER_H
#define MAILPUSH_CREDENTIAL_PROVIDER_H

#include "credential/credential.h"

#include <stdbool.h>
#include <stdint.h>
#include <sys/queue.h>

struct provider;

/* All providers in use; begins with none. */
struct provider_list {
	LIST_HEAD(, provider) providers;
	int64_t renew_ms;
	int64_t renew_least_ms;
};

/* A share of the provider with this key, which is made if there is none. */
struct provider *provider_get(struct provider_list *list, const struct credential *credential);
/* Gives the share back. */
void provider_put(struct provider *provider);

/* The header's value, with a new token if it is time; valid until the next call. */
const char *provider_authorization(struct provider *provider, int64_t now_ms, int64_t now_unix_ms);
/* The number of the present token: another number means that the token was replaced. */
unsigned provider_number(const struct provider *provider);
/*
 * Apple calls token `number` expired: the next use makes another, unless that was done since or it
 * is too early.
 */
void provider_expire(
	struct provider *provider, unsigned number, int64_t now_ms, int64_t now_unix_ms);

#endif

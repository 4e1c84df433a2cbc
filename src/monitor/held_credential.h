/*
 * held_credential - a credential on hold, described for people: since when and why (Apple's
 * answer), the next try, and how many pushes wait.
 *
 * Loop thread only.
 */
#ifndef MAILPUSH_MONITOR_HELD_CREDENTIAL_H
#define MAILPUSH_MONITOR_HELD_CREDENTIAL_H

#include "monitor/services.h"

#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>

#define HELD_CREDENTIAL_TEXT_MAX (ERR_TEXT_MAX + 160)

/* Adds held_since, next_try and waiting to the JSON of a credential. */
void held_credential_describe(
	const struct services *services, const struct sender_way *way, json_t *json);
/* Adds `credential` and the above, if a credential for `topic` is on hold. */
void held_credential_name(const struct services *services, const char *topic, json_t *json);
/*
 * Why no push on `topic` leaves now: for a hold all of the above in words, otherwise the trouble of
 * its connections.  False: no trouble is known.
 */
bool held_credential_explain(
	const struct services *services, const char *topic, char ret[HELD_CREDENTIAL_TEXT_MAX]);
/* Logs one line for each credential on hold. */
void held_credential_log(const struct services *services);

#endif

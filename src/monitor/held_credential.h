/*
 * held_credential - what a person is told about a credential on hold: since when and why (what
 * Apple said), when it is tried next, and how many pushes wait for it.
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

/* Adds held_since, next_try and waiting to what is said about a way. */
void held_credential_describe(
	const struct services *services, const struct sender_way *way, json_t *json);
/* Adds `credential` and the above, if one for `topic` is on hold. */
void held_credential_name(const struct services *services, const char *topic, json_t *json);
/*
 * Why no push on `topic` leaves now: with a hold all of the above in words, else the trouble of its
 * connections; false: nothing is known of a trouble.
 */
bool held_credential_explain(
	const struct services *services, const char *topic, char ret[HELD_CREDENTIAL_TEXT_MAX]);
/* One line in the log for each that is on hold. */
void held_credential_log(const struct services *services);

#endif

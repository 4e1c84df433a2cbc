/*
 * credential_check - does Apple take our credentials, though nothing is to be sent?
 *
 * At the start, after a reload and once an apns_check_interval each credential in force pushes to a
 * token of zeros (probe.h), at the times of check_times.h.  So a name that does not resolve, a
 * server that is not trusted and a credential that is refused are alarms before the first mail is
 * late. Pushes to phones go first; a credential on hold is tried when its hold lets a push through,
 * and so the hold ends when Apple takes it again, though nobody waits.
 *
 * Loop thread only.
 */
#ifndef MAILPUSH_FLOW_CREDENTIAL_CHECK_H
#define MAILPUSH_FLOW_CREDENTIAL_CHECK_H

#include "apns/sender.h"
#include "flow/probe.h"

struct credential_check;

struct credential_check *credential_check_new(uv_loop_t *loop, struct sender *sender,
	struct probes *probes, int64_t interval_ms, const uint8_t seed[16]);
/* What was asked is answered to nobody. */
void credential_check_free(struct credential_check *check);

/* The sender has other credentials, perhaps: new ones are asked about.  NULL does nothing. */
void credential_check_credentials(struct credential_check *check);
/* All are asked about, but for those with which Apple judged a push within the interval. */
void credential_check_soon(struct credential_check *check);

#endif

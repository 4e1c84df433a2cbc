/*
 * credential_check - tests each credential with Apple, whether pushes wait or not.
 *
 * At the start, after a reload and once an apns_check_interval each credential in force pushes to a
 * token of zeros (probe.h), at the times of check_times.h.  So a name that does not resolve, a
 * server that is not trusted and a credential that is refused are alarms before the first mail is
 * late.  Pushes to phones go first.  A held credential is tested when its hold lets a push through,
 * so a hold also ends when nothing is pending.
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
/* Nobody gets the answers that are still to come. */
void credential_check_free(struct credential_check *check);

/* From the next test on; with 0 there is none. */
void credential_check_set_interval(struct credential_check *check, int64_t interval_ms);

/* The sender may have other credentials: new ones are tested.  NULL does nothing. */
void credential_check_credentials(struct credential_check *check);
/* All are tested, but for those with which Apple judged a push within the interval. */
void credential_check_soon(struct credential_check *check);

#endif

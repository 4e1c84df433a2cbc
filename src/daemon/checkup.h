/*
 * checkup - does Apple take our credentials, though nothing is to be sent?
 *
 * At the start, after a reload and once an apns_check_interval each credential in force pushes to a
 * token of zeros (probe.h), at the times of cadence.h.  So a name that does not resolve, a server
 * that is not trusted and a credential that is refused are alarms before the first mail is late.
 * Pushes to phones go first; a credential on hold is tried when its hold lets a push through, and
 * so the hold ends when Apple takes it again, though nobody waits.
 *
 * Loop thread only.
 */
#ifndef MAILPUSH_DAEMON_CHECKUP_H
#define MAILPUSH_DAEMON_CHECKUP_H

#include "daemon/core.h"

struct checkup;

struct checkup *checkup_new(struct core *core, const uint8_t seed[16]);
/* What was asked is answered to nobody. */
void checkup_free(struct checkup *checkup);

/* The sender has other credentials, perhaps: new ones are asked about.  NULL does nothing. */
void checkup_credentials(struct checkup *checkup);
/* All are asked about, but for those with which Apple judged a push within the interval. */
void checkup_soon(struct checkup *checkup);

#endif

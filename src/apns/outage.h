/*
 * outage - notices when all pushes fail for a long time; single failures are normal.
 *
 * Two kinds: for `limit_ms` every push fails, or each connection ends before one is sent; or the
 * server allows no stream for that time, when no push can fail.  Times are monotonic.  Pure.
 */
#ifndef MAILPUSH_APNS_OUTAGE_H
#define MAILPUSH_APNS_OUTAGE_H

#include "apns/verdict.h"
#include "base/err.h"

#include <stdbool.h>
#include <stdint.h>

struct outage {
	int64_t limit_ms;
	int64_t failing_since_ms;  /* since when no push was judged; 0: the last one was */
	int64_t starving_since_ms; /* since when the server allows no stream; 0: it does */
	bool is_on;		   /* it has lasted for limit_ms */
};

/* A push failed, or a connection ended before one was sent.  True: the outage is on now, and `text`
 * says so. */
bool outage_failed(struct outage *outage, const struct apns_answer *answer, int64_t now_ms,
	char text[ERR_TEXT_MAX]);
/* Apple judged a push.  True: the outage was on and is over. */
bool outage_end(struct outage *outage);

/*
 * Pushes wait, and an open connection allows no stream.  True: the outage is on; its time begins
 * anew.
 */
bool outage_starved(struct outage *outage, int64_t now_ms);
void outage_fed(struct outage *outage);
#define OUTAGE_STARVED_TEXT                                                                       \
	"Apple's server has allowed no push for minutes; pushes wait, and another connection is " \
	"tried"
/* When outage_starved becomes true if nothing changes; INT64_MAX: never. */
int64_t outage_due_ms(const struct outage *outage);

#endif

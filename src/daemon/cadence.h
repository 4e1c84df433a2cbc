/*
 * cadence - when Apple is asked next whether it takes a credential, though nothing is to be sent.
 *
 * Soon after the start and a reload, spread where there are many; then once an interval, a little
 * less by chance, so that the servers of a site do not ask together.  A push to a phone that Apple
 * judged meanwhile says as much, so it puts the next time off.  Never twice within
 * CADENCE_LEAST_MS.
 *
 * Pure; embedded; one owner.
 */
#ifndef MAILPUSH_DAEMON_CADENCE_H
#define MAILPUSH_DAEMON_CADENCE_H

#include "base/clock.h"
#include "queue/chance.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define CADENCE_LEAST_MS (10 * CLOCK_SECOND_MS)
#define CADENCE_SPREAD_MS 500 /* at the start and after a reload, for each other credential */
#define CADENCE_AGAIN_MS CLOCK_MINUTE_MS /* after no answer */

enum cadence_outcome {
	CADENCE_ACCEPTED,
	CADENCE_REFUSED, /* the hold of the credential says when the next push may go */
	CADENCE_NO_ANSWER,
};

struct cadence {
	int64_t interval_ms; /* 0: never */
	int64_t due_ms;	     /* INT64_MAX: not before an answer or a reload */
	int64_t asked_ms;    /* the last time; with was_asked */
	bool was_asked;
	bool is_asking; /* there is no answer yet */
};

void cadence_init(struct cadence *cadence, int64_t interval_ms);
/* A start or a reload: of `count` credentials this is one. */
void cadence_soon(struct cadence *cadence, size_t count, struct chance *chance, int64_t now_ms);
/*
 * Whether to ask now.  `served_ms`: so long ago Apple judged a push to a phone; -1: never.  If that
 * will do, the time is put off.
 */
bool cadence_is_due(struct cadence *cadence, int64_t served_ms, int64_t now_ms);
/* It cannot be asked now: later. */
void cadence_put_off(struct cadence *cadence, int64_t now_ms);
void cadence_asked(struct cadence *cadence, int64_t now_ms);
void cadence_answered(struct cadence *cadence, enum cadence_outcome outcome, struct chance *chance,
	int64_t now_ms);

#endif

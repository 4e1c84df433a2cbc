/*
 * check_times - when a credential is tested with Apple next.
 *
 * Soon after the start and a reload, spread where there are many credentials; then once an
 * interval, a little less by chance, so that the servers of a site do not ask together.  A push to
 * a phone that Apple judged meanwhile says as much, so it puts the next test off.  Two tests are at
 * least CHECK_TIMES_LEAST_MS apart.
 *
 * Pure; embedded; one owner.
 */
#ifndef MAILPUSH_FLOW_CHECK_TIMES_H
#define MAILPUSH_FLOW_CHECK_TIMES_H

#include "base/clock.h"
#include "base/random.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define CHECK_TIMES_LEAST_MS (10 * CLOCK_SECOND_MS)
#define CHECK_TIMES_SPREAD_MS 500 /* at the start and after a reload, for each other credential */
#define CHECK_TIMES_AGAIN_MS CLOCK_MINUTE_MS /* after no answer */

enum check_times_outcome {
	CHECK_TIMES_ACCEPTED,
	CHECK_TIMES_REFUSED, /* the hold of the credential says when the next push may go */
	CHECK_TIMES_NO_ANSWER,
};

struct check_times {
	int64_t interval_ms; /* 0: never */
	int64_t due_ms;	     /* INT64_MAX: not before an answer or a reload */
	int64_t asked_ms;    /* the last time; with was_asked */
	bool was_asked;
	bool is_asking;	      /* there is no answer yet */
	bool is_wanted_again; /* a reload came meanwhile: what is asked now may be about the former
				 files */
};

void check_times_init(struct check_times *times, int64_t interval_ms);
/* From the next test on; with 0 there is none. */
void check_times_set_interval(struct check_times *times, int64_t interval_ms);
/* A start or a reload: of `count` credentials this is one. */
void check_times_soon(
	struct check_times *times, size_t count, struct random *chance, int64_t now_ms);
/*
 * Whether to ask now.  `served_ms`: so long ago Apple judged a push to a phone; -1: never.  If that
 * will do, the time is put off.
 */
bool check_times_is_due(struct check_times *times, int64_t served_ms, int64_t now_ms);
/* It cannot be asked now: later. */
void check_times_put_off(struct check_times *times, int64_t now_ms);
void check_times_asked(struct check_times *times, int64_t now_ms);
void check_times_answered(struct check_times *times, enum check_times_outcome outcome,
	struct random *chance, int64_t now_ms);

#endif

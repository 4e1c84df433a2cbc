/*
 * history - what was counted over the last hour and the last day, for the status page's charts.
 *
 * The totals are looked at now and then, and what they grew by is put down where it came: in
 * minutes for an hour, in quarters of an hour for a day.  So those who count know nothing of it,
 * and its size is fixed.  Time is monotonic and begins with the daemon's: a wall clock that is set
 * moves nothing, and of the time before the start there are no buckets.
 *
 * Pure.
 */
#ifndef MAILPUSH_STATS_HISTORY_H
#define MAILPUSH_STATS_HISTORY_H

#include "base/histogram.h"

#include <stdint.h>

#define HISTORY_MINUTES 60
#define HISTORY_QUARTERS 96

enum history_span { HISTORY_HOUR, HISTORY_DAY, HISTORY_SPANS };

/* Since the start; none of them ever shrinks. */
struct history_totals {
	uint64_t events;
	uint64_t taken;			  /* pushes that Apple took */
	uint64_t failed;		  /* pushes that ended otherwise */
	const struct histogram *told;	  /* from news to its push */
	const struct histogram *answered; /* from a push to Apple's answer */
};

struct history_bucket {
	uint64_t events;
	uint64_t taken;
	uint64_t failed;
	struct histogram told;
	struct histogram answered;
};

struct history;

struct history *history_new(int64_t now_ms);
void history_free(struct history *history);

/*
 * What the totals grew by since the last sample belongs to the bucket of `now_ms`, so samples are
 * to be much closer than a minute.  A time before the last one counts as that.
 */
void history_sample(struct history *history, int64_t now_ms, const struct history_totals *totals);

int64_t history_width_ms(enum history_span span);
/* How many there are: at least the one that the last sample fell into. */
unsigned history_count(const struct history *history, enum history_span span);
/* The oldest is 0; valid until the next sample. */
const struct history_bucket *history_at(
	const struct history *history, enum history_span span, unsigned i);

#endif

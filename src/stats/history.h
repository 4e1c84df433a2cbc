/*
 * history - counts over the last hour and the last day, for the charts of the status page.
 *
 * It samples the totals and adds their growth to the present bucket: minutes for an hour, quarters
 * of an hour for a day.  So the code that counts does not know of it, and its size is fixed.  Time
 * is monotonic and begins with the daemon: setting the system clock has no effect, and there are no
 * buckets from before the start.
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

/* Totals since the start; they never shrink. */
struct history_totals {
	uint64_t events;
	uint64_t taken;			       /* pushes that Apple accepted */
	uint64_t failed;		       /* pushes with another ending */
	const struct histogram *event_to_push; /* from news to its push */
	const struct histogram *answered;      /* from a push to Apple's answer */
};

struct history_bucket {
	uint64_t events;
	uint64_t taken;
	uint64_t failed;
	struct histogram event_to_push;
	struct histogram answered;
};

struct history;

struct history *history_new(int64_t now_ms);
void history_free(struct history *history);

/*
 * Adds the growth of the totals since the last sample to the bucket of `now_ms`, so samples must
 * come much more often than once a minute.  A time before the last sample counts as that time.
 */
void history_sample(struct history *history, int64_t now_ms, const struct history_totals *totals);

/* The time of the sample that found the last event, or push that Apple accepted; -1: none yet. */
int64_t history_last_event_ms(const struct history *history);
int64_t history_last_taken_ms(const struct history *history);

int64_t history_width_ms(enum history_span span);
/* The number of buckets: at least the one of the last sample. */
unsigned history_count(const struct history *history, enum history_span span);
/* The oldest is 0; valid until the next sample. */
const struct history_bucket *history_at(
	const struct history *history, enum history_span span, unsigned i);

#endif

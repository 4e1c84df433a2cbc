#include "stats/history.h"

#include "base/clock.h"
#include "base/mem.h"

#include <assert.h>
#include <string.h>

#define BUCKETS_MAX HISTORY_QUARTERS

static const struct {
	int64_t width_ms;
	unsigned count;
} spans[HISTORY_SPANS] = {
	[HISTORY_HOUR] = {CLOCK_MINUTE_MS, HISTORY_MINUTES},
	[HISTORY_DAY] = {15 * CLOCK_MINUTE_MS, HISTORY_QUARTERS},
};

struct history {
	int64_t began_ms;
	int64_t last_ms;
	int64_t last_event_ms; /* -1: none */
	int64_t last_taken_ms;
	struct history_bucket before; /* the totals at the last sample */
	/* Bucket number n, counted from the start, is at n modulo the span's count. */
	struct history_bucket buckets[HISTORY_SPANS][BUCKETS_MAX];
};

struct history *history_new(int64_t now_ms)
{
	struct history *history = mem_alloc_zero(1, sizeof(*history));
	history->began_ms = history->last_ms = now_ms;
	history->last_event_ms = history->last_taken_ms = -1;
	return history;
}

void history_free(struct history *history)
{
	free(history);
}

static int64_t number_at(const struct history *history, enum history_span span, int64_t at_ms)
{
	return (at_ms - history->began_ms) / spans[span].width_ms;
}

/* Buckets without a sample are empty. */
static struct history_bucket *bucket_for(
	struct history *history, enum history_span span, int64_t now_ms)
{
	int64_t number = number_at(history, span, now_ms);
	int64_t next = number_at(history, span, history->last_ms) + 1;
	int64_t count = spans[span].count;
	if (next <= number - count)
		next = number - count + 1;
	for (; next <= number; next++)
		memset(&history->buckets[span][next % count], 0, sizeof(struct history_bucket));
	return &history->buckets[span][number % count];
}

static void add(struct history_bucket *bucket, const struct history_totals *totals,
	const struct history_bucket *before)
{
	bucket->events += totals->events - before->events;
	bucket->taken += totals->taken - before->taken;
	bucket->failed += totals->failed - before->failed;
	histogram_add_growth(&bucket->event_to_push, totals->event_to_push, &before->event_to_push);
	histogram_add_growth(&bucket->answered, totals->answered, &before->answered);
}

void history_sample(struct history *history, int64_t now_ms, const struct history_totals *totals)
{
	if (now_ms < history->last_ms)
		now_ms = history->last_ms;
	for (int span = 0; span < HISTORY_SPANS; span++)
		add(bucket_for(history, (enum history_span)span, now_ms), totals, &history->before);
	if (totals->events > history->before.events)
		history->last_event_ms = now_ms;
	if (totals->taken > history->before.taken)
		history->last_taken_ms = now_ms;
	history->last_ms = now_ms;
	history->before = (struct history_bucket){
		.events = totals->events,
		.taken = totals->taken,
		.failed = totals->failed,
		.event_to_push = *totals->event_to_push,
		.answered = *totals->answered,
	};
}

int64_t history_last_event_ms(const struct history *history)
{
	return history->last_event_ms;
}

int64_t history_last_taken_ms(const struct history *history)
{
	return history->last_taken_ms;
}

int64_t history_width_ms(enum history_span span)
{
	return spans[span].width_ms;
}

unsigned history_count(const struct history *history, enum history_span span)
{
	int64_t count = number_at(history, span, history->last_ms) + 1;
	return count < spans[span].count ? (unsigned)count : spans[span].count;
}

const struct history_bucket *history_at(
	const struct history *history, enum history_span span, unsigned i)
{
	unsigned count = history_count(history, span);
	assert(i < count);
	int64_t number = number_at(history, span, history->last_ms) - count + 1 + i;
	return &history->buckets[span][number % spans[span].count];
}

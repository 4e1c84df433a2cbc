#include "stats/metrics.h"

#include <assert.h>
#include <stdio.h>
#include <string.h>

#define NAME(name) #name,
const char *const metrics_rejected_names[] = {METRICS_REJECTED(NAME)};
const char *const metrics_received_names[] = {METRICS_RECEIVED(NAME)};
const char *const metrics_gone_names[] = {METRICS_GONE(NAME)};
const char *const metrics_transport_names[] = {METRICS_TRANSPORTS(NAME)};

const char *metrics_ending_name(enum apns_ending ending)
{
	static const char *const names[] = {
		[APNS_ANSWERED] = "answered",
		[APNS_NOT_PROCESSED] = "not_processed",
		[APNS_LOST] = "lost",
		[APNS_SILENT] = "silent",
	};
	return names[ending];
}

static struct metrics_verdict *find(struct metrics *metrics, const struct apns_answer *answer)
{
	for (unsigned i = 0; i < metrics->verdict_count; i++) {
		struct metrics_verdict *verdict = &metrics->verdicts[i];
		if (verdict->status == answer->status && verdict->ending == answer->ending &&
			!strcmp(verdict->reason, answer->reason))
			return verdict;
	}
	return NULL;
}

enum metrics_transport metrics_transport_of(const char *name)
{
	int transport = 0;
	while (strcmp(metrics_transport_names[transport], name) != 0) {
		transport++;
		assert(transport < METRICS_TRANSPORT_COUNT);
	}
	return (enum metrics_transport)transport;
}

void metrics_answer(struct metrics *metrics, const struct apns_answer *answer)
{
	struct metrics_verdict *verdict = find(metrics, answer);
	bool is_full = metrics->verdict_count == METRICS_VERDICTS_MAX;
	if (!verdict && is_full) {
		verdict = &metrics->verdicts[METRICS_VERDICTS_MAX - 1];
	} else if (!verdict) {
		verdict = &metrics->verdicts[metrics->verdict_count++];
		*verdict = (struct metrics_verdict){
			.ending = answer->ending, .status = answer->status};
		bool is_last = metrics->verdict_count == METRICS_VERDICTS_MAX;
		snprintf(verdict->reason, sizeof(verdict->reason), "%s",
			is_last ? "other" : answer->reason);
	}
	verdict->count++;
	metrics->push_total++;
}

void metrics_outcomes(const struct metrics *metrics, uint64_t *ret_taken, uint64_t *ret_failed)
{
	*ret_taken = *ret_failed = 0;
	for (unsigned i = 0; i < metrics->verdict_count; i++) {
		const struct metrics_verdict *verdict = &metrics->verdicts[i];
		if (verdict->ending == APNS_ANSWERED && verdict->status == 200)
			*ret_taken += verdict->count;
		else if (verdict->ending != APNS_NOT_PROCESSED)
			*ret_failed += verdict->count;
	}
}

void metrics_take_sample(struct metrics *metrics, int64_t now_ms)
{
	metrics->samples[metrics->sample_count++ % METRICS_SAMPLES] = (struct metrics_sample){
		.at_ms = now_ms, .events = metrics->event_total, .pushes = metrics->push_total};
}

void metrics_rates(
	const struct metrics *metrics, int64_t now_ms, double *ret_events, double *ret_pushes)
{
	unsigned oldest = metrics->sample_count < METRICS_SAMPLES
		? 0
		: metrics->sample_count % METRICS_SAMPLES;
	const struct metrics_sample *sample = &metrics->samples[oldest];
	double seconds = (double)(now_ms - sample->at_ms) / 1000;
	*ret_events = *ret_pushes = 0;
	if (!metrics->sample_count || seconds <= 0)
		return;
	*ret_events = (double)(metrics->event_total - sample->events) / seconds;
	*ret_pushes = (double)(metrics->push_total - sample->pushes) / seconds;
}

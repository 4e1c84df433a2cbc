/*
 * metrics - the daemon's counters, each declared together with its meaning.
 *
 * Loop thread only: a count is an addition in memory.  Modules that count include this and add;
 * prometheus.c and status.c read.  Names are those of Prometheus without the prefix mailpush_.
 */
#ifndef MAILPUSH_STATS_METRICS_H
#define MAILPUSH_STATS_METRICS_H

#include "apns/verdict.h"
#include "base/histogram.h"
#include "event/event.h"
#include "event/relay.h"

#include <stdint.h>

#define METRICS_COUNTERS(X)                                                                    \
	X(malformed, "events_malformed_total", "Events that could not be understood.")         \
	X(shed, "events_shed_total", "Events dropped because too many waited (max_waiting).")  \
	X(other_class, "notifications_other_total",                                            \
		"Notifications of another class than EVENT, for other programs.")              \
	X(given_up, "pushes_given_up_total", "Pushes that failed for a day and were dropped.") \
	X(stopped, "registrations_stopped_total",                                              \
		"Registrations stopped by Apple's answer, until they renew.")

/* The label `why` of events_rejected_total, in the order of enum notification_fault. */
#define METRICS_REJECTED(X) X(not_allowed) X(malformed) X(incomplete)
/* The label `kind` of registrations_received_total. */
#define METRICS_RECEIVED(X) X(new) X(changed) X(renewed) X(stale)
/* The label `why` of registrations_gone_total. */
#define METRICS_GONE(X) X(apple) X(expired) X(replaced) X(removed)
/* The label `transport` of events_total. */
#define METRICS_TRANSPORTS(X) X(stream) X(datagram) X(spool) X(parked) X(xaps)

#define METRICS_ENUM_REJECTED(name) METRICS_REJECTED_##name,
#define METRICS_ENUM_RECEIVED(name) METRICS_RECEIVED_##name,
#define METRICS_ENUM_GONE(name) METRICS_GONE_##name,
#define METRICS_ENUM_TRANSPORT(name) METRICS_TRANSPORT_##name,
enum metrics_rejected { METRICS_REJECTED(METRICS_ENUM_REJECTED) METRICS_REJECTED_COUNT };
enum metrics_received { METRICS_RECEIVED(METRICS_ENUM_RECEIVED) METRICS_RECEIVED_COUNT };
enum metrics_gone { METRICS_GONE(METRICS_ENUM_GONE) METRICS_GONE_COUNT };
enum metrics_transport { METRICS_TRANSPORTS(METRICS_ENUM_TRANSPORT) METRICS_TRANSPORT_COUNT };

extern const char *const metrics_rejected_names[METRICS_REJECTED_COUNT];
extern const char *const metrics_received_names[METRICS_RECEIVED_COUNT];
extern const char *const metrics_gone_names[METRICS_GONE_COUNT];
extern const char *const metrics_transport_names[METRICS_TRANSPORT_COUNT];

#define METRICS_VERDICTS_MAX 64 /* different ones; further ones count as the last */
#define METRICS_SAMPLES 13	/* of the totals, METRICS_SAMPLE_MS apart: a minute */
#define METRICS_SAMPLE_MS 5000

struct metrics {
	uint64_t events[EVENT_SOURCES][EVENT_KINDS][METRICS_TRANSPORT_COUNT][RELAY_ACTIONS];
	uint64_t rejected[METRICS_REJECTED_COUNT];
	uint64_t received[METRICS_RECEIVED_COUNT];
	uint64_t gone[METRICS_GONE_COUNT];
#define METRICS_MEMBER(member, name, help) uint64_t member;
	METRICS_COUNTERS(METRICS_MEMBER)
#undef METRICS_MEMBER

	struct metrics_verdict {
		enum apns_ending ending;
		int status; /* 0 unless answered */
		char reason[VERDICT_REASON_MAX];
		uint64_t count;
	} verdicts[METRICS_VERDICTS_MAX];
	unsigned verdict_count;

	struct histogram acknowledged; /* from receiving the event to OK */
	struct histogram
		event_to_push[2];  /* by queue_urgency: from the oldest (urgent) news to its push */
	struct histogram answered; /* from a push to Apple's answer */

	uint64_t event_total;
	uint64_t push_total;
	struct metrics_sample {
		int64_t at_ms;
		uint64_t events;
		uint64_t pushes;
	} samples[METRICS_SAMPLES];
	unsigned sample_count; /* ever taken */
};

static inline void metrics_event(struct metrics *metrics, const struct mail_event *event,
	enum metrics_transport transport, enum relay_action action)
{
	metrics->events[event->source][event->kind][transport][action]++;
	metrics->event_total++;
}

void metrics_answer(struct metrics *metrics, const struct apns_answer *answer);
/* Pushes that Apple accepted and refused; a push that it did not process is neither. */
void metrics_outcomes(const struct metrics *metrics, uint64_t *ret_taken, uint64_t *ret_failed);
/* Of one of metrics_transport_names. */
enum metrics_transport metrics_transport_of(const char *name);
/* "answered", "not_processed", "lost", "silent". */
const char *metrics_ending_name(enum apns_ending ending);

/* Call it every METRICS_SAMPLE_MS. */
void metrics_take_sample(struct metrics *metrics, int64_t now_ms);
/* The rate a second, over the last minute or the samples so far. */
void metrics_rates(
	const struct metrics *metrics, int64_t now_ms, double *ret_events, double *ret_pushes);

#endif

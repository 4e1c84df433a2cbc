/*
 * judge_inner - what the parts of the judge share.
 */
#ifndef MAILPUSH_TESTS_SIMULATION_JUDGE_INNER_H
#define MAILPUSH_TESTS_SIMULATION_JUDGE_INNER_H

#include "base/clock.h"
#include "judge.h"
#include "model.h"

#include <stdbool.h>
#include <stdint.h>

#define JUDGE_RETRY_MAX_MS (5 * CLOCK_MINUTE_MS)

struct judge_state {
	const struct model_registration *about; /* the one that is judged now, or NULL */
	unsigned life;				/* the daemon's, counted */
	int64_t last_crash_ms;
	uint64_t pushes, accepted;
	uint64_t reasons[REASONS], gone[REASONS];
};
extern struct judge_state judge_state;

bool judge_has_crashed_since(int64_t ms);

/* judge_events.c: a job of the registry, after judge_events_changed for its changes. */
void judge_events_job(const struct registry_job *job);
/* A change by the current job. */
void judge_events_changed(
	struct model_registration *registration, const char *hash, uint64_t changed);
void judge_events_died(void);
void judge_events_started(void);
/* A datagram that was dropped leaves no trace. */
void judge_events_forget(uint64_t before);
/* Acknowledged events from which nothing has followed yet. */
unsigned judge_events_owed(void);
void judge_events_end(void);

/* judge_changes.c */
void judge_changes_begin(void);
void judge_changes_died(bool is_crash);
unsigned judge_changes_owed(void);

/* judge_flights.c */
void judge_flights_started(void);

#endif

/*
 * stats - counts of what happened so far.
 *
 * Counting is on the path of every push and allocates nothing there.  Loop thread.
 */
#ifndef MAILPUSH_SIM_STATS_H
#define MAILPUSH_SIM_STATS_H

#include "sim/service.h"

#include <jansson.h>

#define STATS_REASONS_MAX 64 /* further reasons are counted as "other" */

struct stats {
	uint64_t pushes;     /* requests that arrived whole */
	uint64_t trials;     /* likewise, to a token of zeros: they count nowhere else */
	uint64_t unanswered; /* of those, and of the unfinished: ended without an answer */
	uint64_t status[1000];
	struct {
		char reason[SERVICE_REASON_SIZE];
		uint64_t count;
	} reason[STATS_REASONS_MAX];
	size_t reasons;
	uint64_t reasons_other;
	uint64_t connections_total; /* accepted */
	uint64_t connections_open;
	uint64_t handshakes_failed;
	uint64_t streams; /* open now */
	uint64_t streams_max;
	uint64_t waiting; /* held back or delayed now */
	uint64_t pings_answered;
};

void stats_count_verdict(struct stats *stats, const struct verdict *verdict);

/* A push that ends without an answer; reason may be NULL. */
void stats_count_unanswered(struct stats *stats, const char *reason);

/* Resets all counts except those of things that exist now. */
void stats_clear(struct stats *stats);

/* A new object with everything; the caller owns it. */
json_t *stats_json(const struct stats *stats);

#endif

#include "sim/stats.h"

#include <assert.h>
#include <stdio.h>
#include <string.h>

static void count_reason(struct stats *stats, const char *reason)
{
	for (size_t i = 0; i < stats->reasons; i++) {
		if (!strcmp(stats->reason[i].reason, reason)) {
			stats->reason[i].count++;
			return;
		}
	}
	if (stats->reasons == STATS_REASONS_MAX) {
		stats->reasons_other++;
		return;
	}
	snprintf(stats->reason[stats->reasons].reason, SERVICE_REASON_SIZE, "%s", reason);
	stats->reason[stats->reasons].count = 1;
	stats->reasons++;
}

void stats_count_verdict(struct stats *stats, const struct verdict *verdict)
{
	assert(verdict->status >= 100 && verdict->status < 1000);
	stats->status[verdict->status]++;
	if (verdict->reason[0])
		count_reason(stats, verdict->reason);
}

void stats_count_unanswered(struct stats *stats, const char *reason)
{
	stats->unanswered++;
	if (reason)
		count_reason(stats, reason);
}

void stats_clear(struct stats *stats)
{
	*stats = (struct stats){
		.connections_open = stats->connections_open,
		.streams = stats->streams,
		.streams_max = stats->streams,
		.waiting = stats->waiting,
	};
}

static void set(json_t *object, const char *key, uint64_t number)
{
	json_object_set_new(object, key, json_integer((json_int_t)number));
}

json_t *stats_json(const struct stats *stats)
{
	json_t *object = json_object();
	set(object, "pushes", stats->pushes);
	set(object, "trials", stats->trials);
	set(object, "unanswered", stats->unanswered);

	json_t *by_status = json_object();
	for (size_t i = 0; i < sizeof(stats->status) / sizeof(stats->status[0]); i++) {
		char text[24];
		snprintf(text, sizeof(text), "%zu", i);
		if (stats->status[i])
			set(by_status, text, stats->status[i]);
	}
	json_object_set_new(object, "by_status", by_status);

	json_t *by_reason = json_object();
	for (size_t i = 0; i < stats->reasons; i++)
		set(by_reason, stats->reason[i].reason, stats->reason[i].count);
	if (stats->reasons_other)
		set(by_reason, "other", stats->reasons_other);
	json_object_set_new(object, "by_reason", by_reason);

	set(object, "connections_total", stats->connections_total);
	set(object, "connections_open", stats->connections_open);
	set(object, "handshakes_failed", stats->handshakes_failed);
	set(object, "in_flight", stats->streams);
	set(object, "in_flight_max", stats->streams_max);
	set(object, "waiting", stats->waiting);
	set(object, "pings_answered", stats->pings_answered);
	return object;
}

#include "monitor/status.h"

#include "arrival/arrivals.h"
#include "base/alarm.h"
#include "base/log.h"
#include "base/mem.h"
#include "base/version.h"
#include "database/database.h"
#include "monitor/held_credential.h"
#include "monitor/response.h"
#include "stats/metrics.h"
#include "trace/trace.h"

#include <string.h>
#include <unistd.h>

static json_t *number(uint64_t n)
{
	return json_integer((json_int_t)n);
}

/* null: it is not known. */
static json_t *number_if(bool is_known, uint64_t n)
{
	return is_known ? number(n) : json_null();
}

static void add_events(
	json_t *by, const struct metrics *metrics, int source, int kind, int transport, int action)
{
	uint64_t n = metrics->events[source][kind][transport][action];
	if (n)
		json_array_append_new(by,
			json_pack("{ss,ss,ss,ss,so}", "source", event_source_names[source], "event",
				event_kind_name((enum event_kind)kind), "transport",
				metrics_transport_names[transport], "action",
				relay_action_name((enum relay_action)action), "count", number(n)));
}

static json_t *events(const struct services *services)
{
	const struct metrics *metrics = services->metrics;
	json_t *by = json_array();
	for (int source = 0; source < EVENT_SOURCES; source++)
		for (int kind = 0; kind < EVENT_KINDS; kind++)
			for (int transport = 0; transport < METRICS_TRANSPORT_COUNT; transport++)
				for (int action = 0; action < RELAY_ACTIONS; action++)
					add_events(by, metrics, source, kind, transport, action);
	return json_pack("{so,so,so}", "total", number(metrics->event_total), "waiting",
		number(arrivals_count(services->arrivals)), "by", by);
}

static json_t *counters(const struct services *services)
{
	json_t *json = json_object();
	json_t *by = json_object();
	uint64_t rejected = 0;
	for (int i = 0; i < METRICS_REJECTED_COUNT; i++) {
		rejected += services->metrics->rejected[i];
		json_object_set_new(
			by, metrics_rejected_names[i], number(services->metrics->rejected[i]));
	}
	json_object_set_new(json, "rejected", number(rejected));
	json_object_set_new(json, "rejected_by", by);
#define COUNTER(member, name, help) \
	json_object_set_new(json, #member, number(services->metrics->member));
	METRICS_COUNTERS(COUNTER)
#undef COUNTER
	return json;
}

static json_t *registrations(const struct services *services, const struct db_totals_values *totals)
{
	json_t *received = json_object();
	json_t *gone = json_object();
	for (int i = 0; i < METRICS_RECEIVED_COUNT; i++)
		json_object_set_new(received, metrics_received_names[i],
			number(services->metrics->received[i]));
	for (int i = 0; i < METRICS_GONE_COUNT; i++)
		json_object_set_new(
			gone, metrics_gone_names[i], number(services->metrics->gone[i]));
	bool is_known = totals->knows_registry;
	json_t *json = json_pack("{so,so,so}", "total",
		number_if(is_known, totals->registry.registrations), "received", received, "gone",
		gone);
	for (int i = 0; i < REGISTRY_STATES; i++)
		json_object_set_new(json, registry_state_names[i],
			number_if(is_known, totals->registry.in_state[i]));
	return json;
}

static json_t *queue(const struct services *services, const struct db_totals_values *totals)
{
	struct schedule_counts counts;
	queue_count(services->queue, &counts);
	return json_pack("{so,so,so,so,so,so}", "pushes",
		number(counts.storing + counts.waiting + counts.flying), "storing",
		number(counts.storing), "waiting", number(counts.waiting), "in_flight",
		number(counts.flying), "mailboxes", number(counts.news), "oldest",
		response_time(totals->queue_oldest_ms));
}

static json_t *pushes(const struct services *services)
{
	const struct metrics *metrics = services->metrics;
	json_t *by = json_array();
	for (unsigned i = 0; i < metrics->verdict_count; i++) {
		const struct metrics_verdict *verdict = &metrics->verdicts[i];
		json_array_append_new(by,
			json_pack("{ss,si,so,so}", "result", metrics_ending_name(verdict->ending),
				"status", verdict->status, "reason", response_text(verdict->reason),
				"count", number(verdict->count)));
	}
	return json_pack("{so,so}", "total", number(metrics->push_total), "by", by);
}

struct way_search {
	const struct services *services;
	json_t *json;
	const char *name;
};

static void add_link(json_t *links, const struct sender_link *link)
{
	json_array_append_new(links,
		json_pack("{ss,ss,so,so}", "state", link->state, "address", link->address,
			"streams", number(link->in_flight), "limit", number(link->limit)));
}

static void on_way(void *ctx, const struct sender_way *way)
{
	struct way_search *search = ctx;
	const struct credential *credential = way->credential;
	if (strcmp(credential->name, search->name) != 0)
		return;
	json_t *json = search->json;
	json_t *topics = json_array();
	json_t *links = json_array();
	for (unsigned i = 0; i < credential->topics.count; i++)
		json_array_append_new(topics, response_text(credential->topics.topic[i]));
	for (size_t i = 0; i < way->link_count; i++)
		add_link(links, &way->links[i]);
	json_object_set_new(json, "in_force", json_true());
	json_object_set_new(json, "topic", response_text(credential->topic));
	json_object_set_new(json, "topics", topics);
	json_object_set_new(json, "valid_from", response_time(credential->not_before_unix_ms));
	json_object_set_new(json, "expires", response_time(credential->not_after_unix_ms));
	json_object_set_new(json, "held", json_boolean(way->is_held));
	if (way->is_held)
		held_credential_describe(search->services, way, json);
	json_object_set_new(json, "connections", links);
	if (way->trouble)
		json_object_set_new(json, "trouble", response_text(way->trouble));
}

json_t *status_credentials(const struct services *services)
{
	json_t *json = json_array();
	for (unsigned i = 0; i < services->config->credential_count; i++) {
		const char *name = services->config->credentials[i].name;
		const char *wrong = services->input_files->credential_errors[i].text;
		struct way_search search = {
			.services = services, .json = json_object(), .name = name};
		json_object_set_new(search.json, "name", response_text(name));
		json_object_set_new(search.json, "in_force", json_false());
		sender_each_way(services->sender, on_way, &search);
		if (*wrong)
			json_object_set_new(search.json, "error", response_text(wrong));
		json_array_append_new(json, search.json);
	}
	return json;
}

static void on_alarm(void *ctx, const char *name, const char *text, int64_t since_unix_ms)
{
	json_array_append_new(ctx,
		json_pack("{so,so,so}", "name", response_text(name), "text", response_text(text),
			"since", response_time(since_unix_ms)));
}

static void on_unready(void *ctx, const char *name, const char *text, int64_t since_unix_ms)
{
	if (!strcmp(name, "registry") || !strcmp(name, "queue") || !strncmp(name, "intake:", 7))
		on_alarm(ctx, name, text, since_unix_ms);
}

json_t *status_unready(void)
{
	json_t *json = json_array();
	alarm_each(on_unready, json);
	if (json_array_size(json))
		return json;
	json_decref(json);
	return NULL;
}

static json_t *latency(const struct histogram *histogram)
{
	return json_pack("{so,sf,sf,sf}", "count", number(histogram_count(histogram)), "p50",
		histogram_quantile_s(histogram, 0.5), "p95", histogram_quantile_s(histogram, 0.95),
		"p99", histogram_quantile_s(histogram, 0.99));
}

static json_t *latencies(const struct services *services)
{
	const struct metrics *metrics = services->metrics;
	return json_pack("{so,so,so,so,so,so}", "acknowledged", latency(&metrics->acknowledged),
		"urgent_push", latency(&metrics->event_to_push[QUEUE_URGENT]), "deferred_push",
		latency(&metrics->event_to_push[QUEUE_DEFERRED]), "answered",
		latency(&metrics->answered), "registry_commit",
		latency(worker_histogram(registry_worker(services->registry))), "queue_commit",
		latency(queue_commit_times(services->queue)));
}

static json_t *text_or_null(const char *text)
{
	return *text ? response_text(text) : json_null();
}

static json_t *registry_database(
	const struct services *services, const struct db_totals_values *totals)
{
	mem_auto char *url = database_name(services->config->registry);
	struct registry_health health;
	registry_health(services->registry, &health);
	json_t *json = json_pack("{so,so,so,so,so,so}", "url", response_text(url), "bytes",
		number_if(totals->knows_registry, totals->registry.bytes), "server",
		text_or_null(health.description.server), "host",
		text_or_null(health.description.host), "connected",
		health.since_ms ? json_boolean(!health.is_away) : json_null(), "since",
		response_time(health.since_ms));
	json_object_set_new(json, "error", text_or_null(health.error));
	json_object_set_new(json, "error_time", response_time(health.error_ms));
	json_object_set_new(json, "next_try", response_time(health.next_try_ms));
	json_object_set_new(json, "last_batch",
		health.description.server[0] ? json_real((double)health.batch_us / 1000000)
					     : json_null());
	json_object_set_new(json, "parked", number(arrivals_parked(services->arrivals)));
	json_object_set_new(json, "set_aside", number(arrivals_set_aside(services->arrivals)));
	return json;
}

/* null: it is off. */
static json_t *trace_state(const struct services *services)
{
	if (!services->trace)
		return json_null();
	const struct config *config = services->config;
	const char *trouble = trace_trouble(services->trace);
	struct trace_counts counts;
	trace_count(services->trace, &counts);
	return json_pack("{so,so,so,so,so,so,so}", "keep",
		json_real((double)config->trace_keep_ms / 1000), "bytes", number(counts.bytes),
		"bytes_max", number((uint64_t)config->trace_size), "entries",
		number(counts.entries), "left_out", number(counts.left_out), "dropped",
		number(counts.dropped), "trouble", trouble ? response_text(trouble) : json_null());
}

json_t *status_of(const struct services *services, const struct db_totals_values *totals)
{
	double event_rate;
	double push_rate;
	metrics_rates(services->metrics, clock_monotonic_ms(), &event_rate, &push_rate);
	json_t *alarms = json_array();
	alarm_each(on_alarm, alarms);
	json_t *json = json_pack("{ss,si,so,so,so,so,ss}", "version", MAILPUSH_VERSION, "pid",
		(int)getpid(), "started", response_time(services->started_unix_ms), "now",
		response_time(clock_unix_ms()), "site", response_text(services->input_files->site),
		"aps_topic", response_text(services->input_files->imapdconf->aps_topic),
		"log_level", log_level_name());
	json_object_set_new(json, "dovecot_site",
		response_text(input_files_dovecot_site(services->config, services->input_files)));
	json_object_set_new(json, "alarms", alarms);
	json_object_set_new(json, "events", events(services));
	json_object_set_new(json, "counters", counters(services));
	json_object_set_new(json, "registrations", registrations(services, totals));
	json_object_set_new(json, "queue", queue(services, totals));
	json_object_set_new(json, "pushes", pushes(services));
	json_object_set_new(
		json, "rates", json_pack("{sf,sf}", "events", event_rate, "pushes", push_rate));
	json_object_set_new(json, "credentials", status_credentials(services));
	json_object_set_new(json, "databases",
		json_pack("{so,s{so,so}}", "registry", registry_database(services, totals), "queue",
			"url", response_text(services->config->queue), "bytes",
			number_if(totals->knows_queue, totals->queue_bytes)));
	json_object_set_new(json, "trace", trace_state(services));
	json_object_set_new(json, "latencies", latencies(services));
	json_object_set_new(json, "log_lines_dropped", number(log_dropped()));
	return json;
}

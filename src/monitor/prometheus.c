#include "monitor/prometheus.h"

#include "arrival/arrivals.h"
#include "base/alarm.h"
#include "base/log.h"
#include "base/utf8.h"
#include "base/version.h"
#include "platform/descriptors.h"
#include "stats/metrics.h"
#include "trace/trace.h"

#include <inttypes.h>
#include <string.h>
#include <sys/resource.h>

#define PREFIX "mailpush_"

static void head(struct buf *out, const char *name, const char *type, const char *help)
{
	buf_printf(out, "# HELP " PREFIX "%s %s\n# TYPE " PREFIX "%s %s\n", name, help, name, type);
}

/*
 * The value of a label, between its quotes.  With a byte that is not UTF-8 Prometheus would take
 * none of the metrics: U+FFFD stands for it.
 */
static void value(struct buf *out, const char *text)
{
	size_t left = strlen(text);
	while (left) {
		uint32_t code_point;
		size_t n = utf8_read(text, left, &code_point);
		if (!n)
			buf_append_text(out, "\xef\xbf\xbd");
		else if (code_point == '\n')
			buf_append(out, "\\n", 2);
		else if (code_point == '"' || code_point == '\\')
			buf_printf(out, "\\%c", *text);
		else
			buf_append(out, text, n);
		n = n ? n : 1;
		text += n;
		left -= n;
	}
}

static void label(struct buf *out, bool is_first, const char *name, const char *text)
{
	buf_printf(out, "%s%s=\"", is_first ? "{" : ",", name);
	value(out, text);
	buf_append(out, "\"", 1);
}

static void single(
	struct buf *out, const char *name, const char *type, const char *help, uint64_t n)
{
	head(out, name, type, help);
	buf_printf(out, PREFIX "%s %" PRIu64 "\n", name, n);
}

static void labelled(
	struct buf *out, const char *name, const char *key, const char *text, uint64_t n)
{
	buf_append_text(out, PREFIX);
	buf_append_text(out, name);
	label(out, true, key, text);
	buf_printf(out, "} %" PRIu64 "\n", n);
}

/* `key` NULL: no label.  `text` may go on with further ones: `registry",driver="sqlite`. */
static void histogram(struct buf *out, const char *name, const char *key, const char *text,
	const struct histogram *histogram)
{
	char with[128] = "";
	char alone[130] = "";
	if (key) {
		snprintf(with, sizeof(with), "%s=\"%s\",", key, text);
		snprintf(alone, sizeof(alone), "{%s=\"%s\"}", key, text);
	}
	uint64_t below = 0;
	for (size_t i = 0; i < HISTOGRAM_BUCKETS; i++) {
		below += atomic_load_explicit(&histogram->counts[i], memory_order_relaxed);
		buf_printf(out, PREFIX "%s_bucket{%sle=\"%g\"} %" PRIu64 "\n", name, with,
			(double)histogram_bounds_us[i] / 1e6, below);
	}
	below += atomic_load_explicit(&histogram->counts[HISTOGRAM_BUCKETS], memory_order_relaxed);
	buf_printf(out, PREFIX "%s_bucket{%sle=\"+Inf\"} %" PRIu64 "\n", name, with, below);
	buf_printf(out, PREFIX "%s_sum%s %.6f\n", name, alone, histogram_sum_s(histogram));
	buf_printf(out, PREFIX "%s_count%s %" PRIu64 "\n", name, alone, below);
}

static void write_event_count(struct buf *out, const struct metrics *metrics, int source, int kind,
	int transport, int action)
{
	uint64_t n = metrics->events[source][kind][transport][action];
	if (!n)
		return;
	buf_append_text(out, PREFIX "events_total");
	label(out, true, "event", event_kind_name((enum event_kind)kind));
	label(out, false, "transport", metrics_transport_names[transport]);
	label(out, false, "action", relay_action_name((enum relay_action)action));
	label(out, false, "source", event_source_names[source]);
	buf_printf(out, "} %" PRIu64 "\n", n);
}

static void write_events(const struct services *services, struct buf *out)
{
	const struct metrics *metrics = services->metrics;
	head(out, "events_total", "counter", "Events, by kind, transport, action and source.");
	for (int source = 0; source < EVENT_SOURCES; source++)
		for (int kind = 0; kind < EVENT_KINDS; kind++)
			for (int transport = 0; transport < METRICS_TRANSPORT_COUNT; transport++)
				for (int action = 0; action < RELAY_ACTIONS; action++)
					write_event_count(
						out, metrics, source, kind, transport, action);
	head(out, "events_rejected_total", "counter", "What was rejected at a socket, by cause.");
	for (int i = 0; i < METRICS_REJECTED_COUNT; i++)
		labelled(out, "events_rejected_total", "why", metrics_rejected_names[i],
			metrics->rejected[i]);
#define COUNTER(member, name, help) single(out, name, "counter", help, metrics->member);
	METRICS_COUNTERS(COUNTER)
#undef COUNTER
	single(out, "events_waiting", "gauge", "Events on their way in.",
		arrivals_count(services->arrivals));
	head(out, "event_acknowledgement_seconds", "histogram",
		"Time from receiving an event to its acknowledgement to Cyrus.");
	histogram(out, "event_acknowledgement_seconds", NULL, NULL, &metrics->acknowledged);
}

/* Notifications for other programs, which forward counts. */
static void write_notifications(const struct services *services, struct buf *out)
{
	struct forward_counts counts;
	forward_count(services->forward, &counts);
	head(out, "notifications_forwarded_total", "counter",
		"Notifications for other programs, by outcome.");
	labelled(out, "notifications_forwarded_total", "outcome", "forwarded", counts.passed);
	labelled(out, "notifications_forwarded_total", "outcome", "dropped", counts.lost);
	labelled(out, "notifications_forwarded_total", "outcome", "unwanted", counts.unwanted);
	single(out, "notifications_waiting", "gauge",
		"Notifications that wait for the program behind forward_socket.", counts.waiting);
}

static void write_registrations(
	const struct services *services, const struct db_totals_values *totals, struct buf *out)
{
	const struct metrics *metrics = services->metrics;
	const struct registry_totals *registry = &totals->registry;
	head(out, "registrations", "gauge",
		"Registrations in the registry; active and superseded ones get pushes, unless push "
		"is off for their user.");
	for (int i = 0; i < REGISTRY_STATES && totals->knows_registry; i++)
		labelled(out, "registrations", "state", registry_state_names[i],
			registry->in_state[i]);
	head(out, "registrations_received_total", "counter",
		"Registrations received from phones, by kind.");
	for (int i = 0; i < METRICS_RECEIVED_COUNT; i++)
		labelled(out, "registrations_received_total", "kind", metrics_received_names[i],
			metrics->received[i]);
	head(out, "registrations_gone_total", "counter", "Registrations removed, by cause.");
	for (int i = 0; i < METRICS_GONE_COUNT; i++)
		labelled(out, "registrations_gone_total", "why", metrics_gone_names[i],
			metrics->gone[i]);
}

static void write_queue(
	const struct services *services, const struct db_totals_values *totals, struct buf *out)
{
	struct schedule_counts counts;
	queue_count(services->queue, &counts);
	head(out, "queue_pushes", "gauge", "Pending pushes, by state.");
	labelled(out, "queue_pushes", "state", "storing", counts.storing);
	labelled(out, "queue_pushes", "state", "waiting", counts.waiting);
	labelled(out, "queue_pushes", "state", "in_flight", counts.flying);
	single(out, "queue_mailboxes", "gauge", "Changed mailboxes that these pushes name.",
		counts.news);
	head(out, "queue_oldest_age_seconds", "gauge",
		"Age of the oldest pending change, 0 if there is none.");
	int64_t age_ms = totals->queue_oldest_ms ? clock_unix_ms() - totals->queue_oldest_ms : 0;
	buf_printf(out, PREFIX "queue_oldest_age_seconds %.3f\n",
		age_ms > 0 ? (double)age_ms / 1000 : 0);
}

static void write_pushes(const struct services *services, struct buf *out)
{
	const struct metrics *metrics = services->metrics;
	head(out, "pushes_total", "counter", "Pushes sent, by result and Apple's answer.");
	for (unsigned i = 0; i < metrics->verdict_count; i++) {
		const struct metrics_verdict *verdict = &metrics->verdicts[i];
		char status[16];
		snprintf(status, sizeof(status), "%d", verdict->status);
		buf_append_text(out, PREFIX "pushes_total");
		label(out, true, "result", metrics_ending_name(verdict->ending));
		label(out, false, "status", status);
		label(out, false, "reason", verdict->reason);
		buf_printf(out, "} %" PRIu64 "\n", verdict->count);
	}
	head(out, "event_to_push_seconds", "histogram",
		"Time from the oldest change that a push names to its sending, by urgency; urgent: "
		"from the oldest urgent change.");
	histogram(out, "event_to_push_seconds", "urgency", "urgent",
		&metrics->event_to_push[QUEUE_URGENT]);
	histogram(out, "event_to_push_seconds", "urgency", "deferred",
		&metrics->event_to_push[QUEUE_DEFERRED]);
	head(out, "push_answer_seconds", "histogram",
		"Time from sending a push to Apple's answer.");
	histogram(out, "push_answer_seconds", NULL, NULL, &metrics->answered);
}

/* Which number of each credential a walk writes: Prometheus wants a family in one block. */
enum way_family { CONNECTIONS, STREAMS, STREAMS_LIMIT, EXPIRY, WORKS, WAY_FAMILIES };

static const struct {
	const char *name;
	const char *help;
} way_families[WAY_FAMILIES] = {
	[CONNECTIONS] = {"connections", "Open connections to Apple."},
	[STREAMS] = {"streams", "Pushes in flight on them."},
	[STREAMS_LIMIT] = {"streams_limit", "Pushes that may be in flight on them."},
	[EXPIRY] = {"credential_expiry_timestamp_seconds",
		"When the credential expires; token keys do not."},
	[WORKS] = {"credential_works", "0 while no push can be sent with the credential."},
};

struct walk {
	struct buf *out;
	enum way_family family;
};

static void on_way(void *ctx, const struct sender_way *way)
{
	const struct walk *walk = ctx;
	bool is_endless = way->credential->not_after_unix_ms == INT64_MAX;
	if (walk->family == EXPIRY && is_endless)
		return;
	bool is_valid = credential_validity(way->credential, clock_unix_ms()) == CREDENTIAL_VALID;
	uint64_t open = 0;
	uint64_t in_flight = 0;
	uint64_t limit = 0;
	for (size_t i = 0; i < way->link_count; i++) {
		open += !strcmp(way->links[i].state, "open");
		in_flight += way->links[i].in_flight;
		limit += way->links[i].limit;
	}
	const uint64_t numbers[WAY_FAMILIES] = {
		[CONNECTIONS] = open,
		[STREAMS] = in_flight,
		[STREAMS_LIMIT] = limit,
		[EXPIRY] = (uint64_t)(way->credential->not_after_unix_ms / 1000),
		[WORKS] = !way->trouble && !way->is_held && is_valid,
	};
	buf_printf(walk->out, PREFIX "%s", way_families[walk->family].name);
	label(walk->out, true, "credential", way->credential->name);
	label(walk->out, false, "topic", way->credential->topic);
	buf_printf(walk->out, "} %" PRIu64 "\n", numbers[walk->family]);
}

static void write_ways(const struct services *services, struct buf *out)
{
	for (int family = 0; family < WAY_FAMILIES; family++) {
		struct walk walk = {.out = out, .family = (enum way_family)family};
		head(out, way_families[family].name, "gauge", way_families[family].help);
		sender_each_way(services->sender, on_way, &walk);
	}
}

static void write_databases(
	const struct services *services, const struct db_totals_values *totals, struct buf *out)
{
	head(out, "database_bytes", "gauge", "Size of the databases.");
	if (totals->knows_registry)
		labelled(out, "database_bytes", "database", "registry", totals->registry.bytes);
	if (totals->knows_queue)
		labelled(out, "database_bytes", "database", "queue", totals->queue_bytes);
	struct registry_health health;
	registry_health(services->registry, &health);
	head(out, "registry_connected", "gauge", "1: the registry answers; 0: it is away.");
	buf_printf(out, PREFIX "registry_connected %d\n", health.since_ms && !health.is_away);
	head(out, "events_parked", "gauge", "Events kept in the queue until the registry answers.");
	buf_printf(out, PREFIX "events_parked %" PRIu64 "\n", arrivals_parked(services->arrivals));
	head(out, "events_set_aside", "gauge",
		"Events that the registry's database refused since the start, kept in the queue "
		"until the "
		"next one.");
	buf_printf(out, PREFIX "events_set_aside %" PRIu64 "\n",
		arrivals_set_aside(services->arrivals));
	head(out, "registry_conflicts_total", "counter",
		"Batches of the registry repeated because of another transaction.");
	buf_printf(out, PREFIX "registry_conflicts_total %" PRIu64 "\n",
		registry_conflicts(services->registry));
	head(out, "registry_round_trips_total", "counter",
		"Waits for an answer of the registry's server.");
	buf_printf(out, PREFIX "registry_round_trips_total %" PRIu64 "\n",
		registry_round_trips(services->registry));
	head(out, "database_commit_seconds", "histogram",
		"Time of a batch of jobs in a database, with its commit.");
	char of_registry[64];
	const char *url = services->config->registry;
	snprintf(of_registry, sizeof(of_registry), "registry\",driver=\"%.*s",
		(int)strcspn(url, ":"), url);
	histogram(out, "database_commit_seconds", "database", of_registry,
		worker_histogram(registry_worker(services->registry)));
	histogram(out, "database_commit_seconds", "database", "queue\",driver=\"sqlite",
		queue_commit_times(services->queue));
}

static void write_trace(const struct services *services, struct buf *out)
{
	struct trace_counts counts;
	trace_count(services->trace, &counts);
	head(out, "trace_entries_total", "counter",
		"Entries of the trace, by what became of them.");
	labelled(out, "trace_entries_total", "outcome", "written", counts.entries);
	labelled(out, "trace_entries_total", "outcome", "left_out", counts.left_out);
	labelled(out, "trace_entries_total", "outcome", "dropped", counts.dropped);
	single(out, "trace_bytes", "gauge", "Bytes of the trace's file in use.", counts.bytes);
}

static void on_alarm(void *ctx, const char *name, const char *text, int64_t since_unix_ms)
{
	(void)text;
	(void)since_unix_ms;
	labelled(ctx, "alarm", "name", name, 1);
}

/* Under the names that all programs have for them. */
static void process_number(
	struct buf *out, const char *name, const char *type, const char *help, double number)
{
	buf_printf(out, "# HELP process_%s %s\n# TYPE process_%s %s\nprocess_%s %.15g\n", name,
		help, name, type, name, number);
}

static void write_process(const struct services *services, struct buf *out)
{
	uv_rusage_t usage;
	size_t resident;
	struct rlimit limit;
	long open = descriptors_count();
	if (!uv_getrusage(&usage))
		process_number(out, "cpu_seconds_total", "counter",
			"Processor time that the process has used.",
			(double)(usage.ru_utime.tv_sec + usage.ru_stime.tv_sec) +
				(double)(usage.ru_utime.tv_usec + usage.ru_stime.tv_usec) / 1e6);
	if (!uv_resident_set_memory(&resident))
		process_number(out, "resident_memory_bytes", "gauge", "Memory that it uses.",
			(double)resident);
	if (open >= 0)
		process_number(
			out, "open_fds", "gauge", "Descriptors that are open.", (double)open);
	if (!getrlimit(RLIMIT_NOFILE, &limit) && limit.rlim_cur != RLIM_INFINITY)
		process_number(out, "max_fds", "gauge", "Descriptors that may be open.",
			(double)limit.rlim_cur);
	process_number(out, "start_time_seconds", "gauge", "When it started.",
		(double)services->started_unix_ms / 1000);
}

void prometheus_write(
	const struct services *services, const struct db_totals_values *totals, struct buf *ret)
{
	head(ret, "build_info", "gauge", "The running version.");
	labelled(ret, "build_info", "version", MAILPUSH_VERSION, 1);
	head(ret, "site_info", "gauge", "The site whose registrations are counted.");
	labelled(ret, "site_info", "site", services->input_files->site, 1);
	head(ret, "start_time_seconds", "gauge", "When the daemon started.");
	buf_printf(
		ret, PREFIX "start_time_seconds %.3f\n", (double)services->started_unix_ms / 1000);
	write_process(services, ret);
	write_events(services, ret);
	write_notifications(services, ret);
	write_registrations(services, totals, ret);
	write_queue(services, totals, ret);
	write_pushes(services, ret);
	write_ways(services, ret);
	write_databases(services, totals, ret);
	write_trace(services, ret);
	head(ret, "alarm", "gauge", "1 for each active alarm.");
	alarm_each(on_alarm, ret);
	single(ret, "log_lines_dropped_total", "counter",
		"Lines dropped because the log's target did not keep up.", log_dropped());
}

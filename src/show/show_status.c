#include "show/show_status.h"

#include "base/mem.h"
#include "console/format.h"
#include "console/member.h"
#include "console/print.h"
#include "console/table.h"
#include "show/show_time.h"

#include <stdio.h>
#include <string.h>

static void show_alarms(const json_t *alarms)
{
	char when[FORMAT_SIZE];
	size_t i;
	json_t *alarm;
	print_head("Alarms");
	if (!json_array_size(alarms)) {
		print_coloured(TABLE_GOOD, "none");
		putchar('\n');
		return;
	}
	printf("%zu\n", json_array_size(alarms));
	json_array_foreach((json_t *)alarms, i, alarm)
	{
		fputs("  ", stdout);
		print_coloured(TABLE_BAD, member_text(alarm, "name"));
		printf(" (since %s): ", show_time_ago(alarm, "since", when));
		print_text(member_text(alarm, "text"));
		putchar('\n');
	}
}

/* Counts that get a line only if they are not 0. */
struct counter {
	const char *name;
	const char *words;
};

static void show_counters(const json_t *status, const struct counter *counters, size_t size)
{
	const json_t *counts = json_object_get(status, "counters");
	for (size_t i = 0; i < size; i++) {
		long long count = member_count(counts, counters[i].name);
		if (count)
			printf("  %lld %s\n", count, counters[i].words);
	}
}

static void show_events(const json_t *status)
{
	static const struct counter counters[] = {
		{"rejected",
			"rejected at a socket: from a user who is not allowed, malformed, or not "
			"in whole"},
		{"malformed", "not understood"},
		{"shed", "dropped: too many waited"},
		{"other_class", "notifications that are not events"},
	};
	const json_t *events = json_object_get(status, "events");
	double rate = member_number(json_object_get(status, "rates"), "events");
	size_t i;
	json_t *by;
	print_head("Events");
	printf("%lld, %.1f/s in the last minute; %lld on their way in\n",
		member_count(events, "total"), rate, member_count(events, "waiting"));
	struct table *table = table_new(NULL, 5, 2);
	json_array_foreach(json_object_get(events, "by"), i, by)
	{
		mem_auto char *count = mem_printf("%lld", member_count(by, "count"));
		table_add(table, member_text(by, "source"), member_text(by, "event"),
			member_text(by, "transport"), member_text(by, "action"), count);
	}
	table_print_and_free(table);
	show_counters(status, counters, sizeof(counters) / sizeof(counters[0]));
}

static void show_registrations(const json_t *status)
{
	static const struct counter counters[] = {
		{"stopped", "stopped by Apple's answer since the start"},
	};
	static const char *const states[] = {"active", "superseded", "suspended", "stopped"};
	const json_t *registrations = json_object_get(status, "registrations");
	bool is_known = json_is_number(json_object_get(registrations, "total"));
	print_head("Registrations");
	if (is_known)
		printf("%lld", member_count(registrations, "total"));
	else
		fputs("not known, as the registry has not answered since the start", stdout);
	for (size_t i = 0; i < sizeof(states) / sizeof(states[0]) && is_known; i++) {
		long long count = member_count(registrations, states[i]);
		bool is_odd = count && !strcmp(states[i], "stopped");
		printf("%s%s%s %lld%s", i ? ", " : ": ",
			table_begin(is_odd ? TABLE_ODD : TABLE_PLAIN), states[i], count,
			table_end());
	}
	putchar('\n');
	show_counters(status, counters, sizeof(counters) / sizeof(counters[0]));
}

static void show_pushes(const json_t *status)
{
	static const struct counter counters[] = {
		{"given_up", "given up after a day"},
	};
	const json_t *pushes = json_object_get(status, "pushes");
	double rate = member_number(json_object_get(status, "rates"), "pushes");
	size_t i;
	json_t *by;
	print_head("Pushes");
	printf("%lld, %.1f/s in the last minute\n", member_count(pushes, "total"), rate);
	struct table *table = table_new(NULL, 2, 2);
	json_array_foreach(json_object_get(pushes, "by"), i, by)
	{
		bool is_answer = !strcmp(member_text(by, "result"), "answered");
		mem_auto char *what = is_answer ? mem_printf("%lld %s", member_count(by, "status"),
							  member_text(by, "reason"))
						: mem_dup(member_text(by, "result"));
		mem_auto char *count = mem_printf("%lld", member_count(by, "count"));
		table_add(table, what, count);
	}
	table_print_and_free(table);
	show_counters(status, counters, sizeof(counters) / sizeof(counters[0]));
}

static void show_days_left(const json_t *credential)
{
	if (json_is_null(json_object_get(credential, "expires"))) {
		fputs("does not expire", stdout);
		return;
	}
	double days = (member_number(credential, "expires") - show_time_now_s()) / 86400;
	if (days < 0) {
		char when[FORMAT_SIZE];
		printf("%sexpired %s%s", table_begin(TABLE_BAD),
			show_time_ago(credential, "expires", when), table_end());
		return;
	}
	printf("%s%lld days left%s", table_begin(days < 30 ? TABLE_BAD : TABLE_PLAIN),
		(long long)days, table_end());
}

void show_status_hold(const json_t *hold)
{
	char since[FORMAT_SIZE];
	char next[FORMAT_SIZE];
	double next_s = member_number(hold, "next_try");
	printf("on hold since %s, tried next ", show_time_ago(hold, "held_since", since));
	if (json_is_null(json_object_get(hold, "next_try")))
		fputs("when it is valid", stdout);
	else
		fputs(next_s - show_time_now_s() < 1 ? "now"
						     : format_ago(next_s, show_time_now_s(), next),
			stdout);
	printf(", %lld push%s", member_count(hold, "waiting"),
		member_count(hold, "waiting") == 1 ? " waits" : "es wait");
}

static void show_way(const json_t *credential)
{
	size_t i;
	json_t *link;
	const char *error = member_text(credential, "error");
	const char *trouble = member_text(credential, "trouble");
	fputs("  ", stdout);
	print_text(member_text(credential, "name"));
	if (member_is_true(credential, "in_force")) {
		fputs(", ", stdout);
		print_text(member_text(credential, "topic"));
		fputs(", ", stdout);
		show_days_left(credential);
	}
	if (*error) {
		fputs(": ", stdout);
		print_coloured(TABLE_BAD, error);
	}
	if (member_is_true(credential, "held")) {
		fputs(", ", stdout);
		show_status_hold(credential);
	}
	if (*trouble) {
		fputs(": ", stdout);
		print_coloured(TABLE_BAD, trouble);
	}
	putchar('\n');
	json_array_foreach(json_object_get(credential, "connections"), i, link)
	{
		fputs("    ", stdout);
		print_text(member_text(link, "address"));
		putchar(' ');
		print_text(member_text(link, "state"));
		printf(", %lld of %lld streams\n", member_count(link, "streams"),
			member_count(link, "limit"));
	}
}

static void show_latencies(const json_t *latencies)
{
	static const char *const heads[] = {"Latencies", "half", "95 %", "99 %", "of"};
	static const struct {
		const char *key;
		const char *name;
	} rows[] = {{"acknowledged", "event to OK"}, {"urgent_push", "new mail to push"},
		{"deferred_push", "other change to push"}, {"answered", "push to answer"},
		{"registry_commit", "registry batch"}, {"queue_commit", "queue batch"}};
	struct table *table = table_new(heads, 5, 0);
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		const json_t *row = json_object_get(latencies, rows[i].key);
		char half[FORMAT_SIZE];
		char most[FORMAT_SIZE];
		char nearly_all[FORMAT_SIZE];
		mem_auto char *count = mem_printf("%lld", member_count(row, "count"));
		mem_auto char *name = mem_printf("  %s", rows[i].name);
		if (!member_count(row, "count"))
			continue;
		table_add(table, name, format_latency(member_number(row, "p50"), half),
			format_latency(member_number(row, "p95"), most),
			format_latency(member_number(row, "p99"), nearly_all), count);
	}
	table_print_and_free(table);
}

static void show_database(const json_t *databases, const char *name)
{
	char size[FORMAT_SIZE];
	const json_t *database = json_object_get(databases, name);
	bool is_known = json_is_number(json_object_get(database, "bytes"));
	printf("  %-9s %s, ", name,
		is_known ? format_size(member_number(database, "bytes"), size) : "size not known");
	print_text(member_text(database, "url"));
	putchar('\n');
}

/* Below the line of the registry's size. */
static void show_registry(const json_t *registry)
{
	char when[FORMAT_SIZE];
	char took[FORMAT_SIZE];
	const json_t *connected = json_object_get(registry, "connected");
	if (!json_is_boolean(connected))
		return;
	fputs("            ", stdout);
	print_text(member_text(registry, "server"));
	if (*member_text(registry, "host")) {
		fputs(" at ", stdout);
		print_text(member_text(registry, "host"));
	}
	printf("%s%s%s since %s", *member_text(registry, "server") ? ", " : "",
		table_begin(json_is_true(connected) ? TABLE_PLAIN : TABLE_BAD),
		json_is_true(connected) ? "connected" : "away",
		show_time_ago(registry, "since", when));
	fputs(table_end(), stdout);
	if (json_is_number(json_object_get(registry, "last_batch")))
		printf(", last batch %s",
			format_latency(member_number(registry, "last_batch"), took));
	printf(", events parked: %lld", member_count(registry, "parked"));
	if (member_count(registry, "set_aside"))
		printf(", set aside: %lld", member_count(registry, "set_aside"));
	putchar('\n');
	if (*member_text(registry, "error")) {
		printf("            last error %s: ", show_time_ago(registry, "error_time", when));
		print_text(member_text(registry, "error"));
		putchar('\n');
	}
}

static void show_trace(const json_t *trace)
{
	char text[FORMAT_SIZE];
	print_head("Trace");
	if (!json_is_object(trace)) {
		puts("off (trace_keep)");
		return;
	}
	printf("kept %s, ", format_duration(member_number(trace, "keep"), text));
	printf("%s", format_size(member_number(trace, "bytes"), text));
	printf(" of %s in use", format_size(member_number(trace, "bytes_max"), text));
	if (member_count(trace, "dropped"))
		printf(", %lld entries dropped", member_count(trace, "dropped"));
	if (*member_text(trace, "trouble")) {
		fputs(": ", stdout);
		print_coloured(TABLE_BAD, member_text(trace, "trouble"));
	}
	putchar('\n');
}

void show_status(const json_t *status)
{
	char text[FORMAT_SIZE];
	size_t i;
	json_t *credential;
	const json_t *queue = json_object_get(status, "queue");
	mem_auto char *up = mem_printf("%s, up %s, pid %lld", member_text(status, "version"),
		format_duration(
			member_number(status, "now") - member_number(status, "started"), text),
		member_count(status, "pid"));
	print_line("mailpushd", up);
	print_line("Site", member_text(status, "site"));
	if (*member_text(status, "dovecot_site"))
		print_line("Dovecot site", member_text(status, "dovecot_site"));
	if (*member_text(status, "aps_topic"))
		print_line("aps_topic", member_text(status, "aps_topic"));
	print_line("Log level", member_text(status, "log_level"));
	show_alarms(json_object_get(status, "alarms"));
	show_events(status);
	show_registrations(status);
	print_head("Queue");
	printf("pushes %lld, in flight %lld, mailboxes %lld, oldest %s\n",
		member_count(queue, "pushes"), member_count(queue, "in_flight"),
		member_count(queue, "mailboxes"),
		json_is_null(json_object_get(queue, "oldest"))
			? "none"
			: show_time_ago(queue, "oldest", text));
	show_pushes(status);
	print_head("Credentials");
	printf("%zu\n", json_array_size(json_object_get(status, "credentials")));
	json_array_foreach(json_object_get(status, "credentials"), i, credential)
		show_way(credential);
	print_line("Databases", "");
	show_database(json_object_get(status, "databases"), "registry");
	show_registry(json_object_get(json_object_get(status, "databases"), "registry"));
	show_database(json_object_get(status, "databases"), "queue");
	show_trace(json_object_get(status, "trace"));
	show_latencies(json_object_get(status, "latencies"));
	if (member_count(status, "log_lines_dropped"))
		printf("%lld lines could not be logged\n",
			member_count(status, "log_lines_dropped"));
}

#include "ctl/show.h"

#include "base/mem.h"
#include "console/format.h"
#include "console/member.h"
#include "console/table.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#define TEXT_MAX 2048

static double now_s(void)
{
	struct timespec now;
	clock_gettime(CLOCK_REALTIME, &now);
	return (double)now.tv_sec + (double)now.tv_nsec / 1e9;
}

static long long count_of(const json_t *json, const char *key)
{
	return json_integer_value(json_object_get(json, key));
}

static bool is_true(const json_t *json, const char *key)
{
	return json_is_true(json_object_get(json, key));
}

static const char *ago(const json_t *json, const char *key, char ret[FORMAT_SIZE])
{
	const json_t *time = json_object_get(json, key);
	if (!json_is_number(time))
		return "never";
	return format_ago(json_number_value(time), now_s(), ret);
}

/* Text from outside, made printable. */
static void print_text(const char *text)
{
	char printable[TEXT_MAX];
	format_printable(text, printable, sizeof(printable));
	fputs(printable, stdout);
}

/* The first of a line of events. */
static void print_column(const char *text)
{
	char printable[TEXT_MAX];
	size_t columns = format_printable(text, printable, sizeof(printable));
	printf("%s%*s ", printable, columns < 20 ? (int)(20 - columns) : 0, "");
}

static void head(const char *name)
{
	printf("%s%-15s%s", table_begin(TABLE_BOLD), name, table_end());
}

static void coloured(enum table_colour colour, const char *text)
{
	fputs(table_begin(colour), stdout);
	print_text(text);
	fputs(table_end(), stdout);
}

static void line(const char *name, const char *text)
{
	head(name);
	print_text(text);
	putchar('\n');
}

static void show_alarms(const json_t *alarms)
{
	char when[FORMAT_SIZE];
	size_t i;
	json_t *alarm;
	head("Alarms");
	if (!json_array_size(alarms)) {
		coloured(TABLE_GOOD, "none");
		putchar('\n');
		return;
	}
	printf("%zu\n", json_array_size(alarms));
	json_array_foreach((json_t *)alarms, i, alarm)
	{
		fputs("  ", stdout);
		coloured(TABLE_BAD, member_text(alarm, "name"));
		printf(" (since %s): ", ago(alarm, "since", when));
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
		long long count = count_of(counts, counters[i].name);
		if (count)
			printf("  %lld %s\n", count, counters[i].words);
	}
}

static void show_events(const json_t *status)
{
	static const struct counter counters[] = {
		{"rejected", "rejected at a socket: malformed, or from a user who is not allowed"},
		{"malformed", "not understood"},
		{"shed", "dropped: too many waited"},
		{"other_class", "notifications that are not events"},
	};
	const json_t *events = json_object_get(status, "events");
	double rate = member_number(json_object_get(status, "rates"), "events");
	size_t i;
	json_t *by;
	head("Events");
	printf("%lld, %.1f/s in the last minute; %lld on their way in\n", count_of(events, "total"),
		rate, count_of(events, "waiting"));
	struct table *table = table_new(NULL, 4, 2);
	json_array_foreach(json_object_get(events, "by"), i, by)
	{
		mem_auto char *count = mem_printf("%lld", count_of(by, "count"));
		table_add(table, member_text(by, "event"), member_text(by, "transport"),
			member_text(by, "action"), count);
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
	head("Registrations");
	printf("%lld", count_of(registrations, "total"));
	for (size_t i = 0; i < sizeof(states) / sizeof(states[0]); i++) {
		long long count = count_of(registrations, states[i]);
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
	head("Pushes");
	printf("%lld, %.1f/s in the last minute\n", count_of(pushes, "total"), rate);
	struct table *table = table_new(NULL, 2, 2);
	json_array_foreach(json_object_get(pushes, "by"), i, by)
	{
		bool is_answer = !strcmp(member_text(by, "result"), "answered");
		mem_auto char *what = is_answer
			? mem_printf("%lld %s", count_of(by, "status"), member_text(by, "reason"))
			: mem_dup(member_text(by, "result"));
		mem_auto char *count = mem_printf("%lld", count_of(by, "count"));
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
	double days = (member_number(credential, "expires") - now_s()) / 86400;
	if (days < 0) {
		char when[FORMAT_SIZE];
		printf("%sexpired %s%s", table_begin(TABLE_BAD), ago(credential, "expires", when),
			table_end());
		return;
	}
	printf("%s%.0f days left%s", table_begin(days < 30 ? TABLE_BAD : TABLE_PLAIN), days,
		table_end());
}

/* After the name, and before the reason. */
static void show_hold(const json_t *hold)
{
	char since[FORMAT_SIZE];
	char next[FORMAT_SIZE];
	double left_s = member_number(hold, "next_try") - now_s();
	printf("on hold since %s, tried next ", ago(hold, "held_since", since));
	fputs(left_s < 1 ? "now" : format_ago(member_number(hold, "next_try"), now_s(), next),
		stdout);
	printf(", %lld push%s", count_of(hold, "waiting"),
		count_of(hold, "waiting") == 1 ? " waits" : "es wait");
}

static void show_way(const json_t *credential)
{
	size_t i;
	json_t *link;
	const char *error = member_text(credential, "error");
	const char *trouble = member_text(credential, "trouble");
	fputs("  ", stdout);
	print_text(member_text(credential, "name"));
	if (is_true(credential, "in_force")) {
		fputs(", ", stdout);
		print_text(member_text(credential, "topic"));
		fputs(", ", stdout);
		show_days_left(credential);
	}
	if (*error) {
		fputs(": ", stdout);
		coloured(TABLE_BAD, error);
	}
	if (is_true(credential, "held")) {
		fputs(", ", stdout);
		show_hold(credential);
	}
	if (*trouble) {
		fputs(": ", stdout);
		coloured(TABLE_BAD, trouble);
	}
	putchar('\n');
	json_array_foreach(json_object_get(credential, "connections"), i, link)
	{
		fputs("    ", stdout);
		print_text(member_text(link, "address"));
		putchar(' ');
		print_text(member_text(link, "state"));
		printf(", %lld of %lld streams\n", count_of(link, "streams"),
			count_of(link, "limit"));
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
		mem_auto char *count = mem_printf("%lld", count_of(row, "count"));
		mem_auto char *name = mem_printf("  %s", rows[i].name);
		if (!count_of(row, "count"))
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
	printf("  %-9s %s, ", name, format_size(member_number(database, "bytes"), size));
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
		json_is_true(connected) ? "connected" : "away", ago(registry, "since", when));
	fputs(table_end(), stdout);
	if (json_is_number(json_object_get(registry, "last_batch")))
		printf(", last batch %s",
			format_latency(member_number(registry, "last_batch"), took));
	printf(", events parked: %lld\n", count_of(registry, "parked"));
	if (*member_text(registry, "error")) {
		printf("            last error %s: ", ago(registry, "error_time", when));
		print_text(member_text(registry, "error"));
		putchar('\n');
	}
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
		count_of(status, "pid"));
	line("mailpushd", up);
	line("Site", member_text(status, "site"));
	line("aps_topic", member_text(status, "aps_topic"));
	line("Log level", member_text(status, "log_level"));
	show_alarms(json_object_get(status, "alarms"));
	show_events(status);
	show_registrations(status);
	head("Queue");
	printf("pushes %lld, in flight %lld, mailboxes %lld, oldest %s\n",
		count_of(queue, "pushes"), count_of(queue, "in_flight"),
		count_of(queue, "mailboxes"),
		json_is_null(json_object_get(queue, "oldest")) ? "none"
							       : ago(queue, "oldest", text));
	show_pushes(status);
	head("Credentials");
	printf("%zu\n", json_array_size(json_object_get(status, "credentials")));
	json_array_foreach(json_object_get(status, "credentials"), i, credential)
		show_way(credential);
	line("Databases", "");
	show_database(json_object_get(status, "databases"), "registry");
	show_registry(json_object_get(json_object_get(status, "databases"), "registry"));
	show_database(json_object_get(status, "databases"), "queue");
	show_latencies(json_object_get(status, "latencies"));
	if (count_of(status, "log_lines_dropped"))
		printf("%lld lines could not be logged\n", count_of(status, "log_lines_dropped"));
}

static char *last_push(const json_t *device)
{
	const json_t *push = json_object_get(device, "last_push");
	char when[FORMAT_SIZE];
	if (json_is_null(push) && *member_text(device, "stopped_reason"))
		return mem_printf("never; stopped: %s", member_text(device, "stopped_reason"));
	if (json_is_null(push))
		return mem_dup("never");
	long long status = count_of(push, "status");
	const char *reason = member_text(push, "reason");
	mem_auto char *answer = status ? mem_printf("%lld%s%s", status, *reason ? " " : "", reason)
				       : mem_dup("no answer");
	if (!json_is_number(json_object_get(push, "time")))
		return mem_steal(answer);
	ago(push, "time", when);
	/* The push is retried, and the time is that of the one before. */
	if (status != 200 && *member_text(device, "queue"))
		return mem_printf("%s, before that %s", answer, when);
	return mem_printf("%s: %s", when, answer);
}

void show_devices(const json_t *devices, bool has_head)
{
	static const char *const heads[] = {
		"KEY", "USER", "TOKEN", "STATE", "MAILBOXES", "RENEWED", "LAST PUSH"};
	struct table *table = table_new(has_head ? heads : NULL, 7, 0);
	size_t i;
	json_t *device;
	json_array_foreach((json_t *)devices, i, device)
	{
		char renewed[FORMAT_SIZE];
		mem_auto char *push = last_push(device);
		mem_auto char *mailboxes =
			mem_printf("%zu", json_array_size(json_object_get(device, "mailboxes")));
		table_add(table, member_text(device, "key"), member_text(device, "user"),
			member_text(device, "token"), member_text(device, "state"), mailboxes,
			ago(device, "renewed", renewed), push);
	}
	table_print_and_free(table);
}

void show_forgotten(const json_t *forgotten, bool has_head)
{
	static const char *const heads[] = {"USER", "TOKEN", "FORGOTTEN", "RENEWED", "WHY"};
	struct table *table = table_new(has_head ? heads : NULL, 5, 0);
	size_t i;
	json_t *trace;
	json_array_foreach((json_t *)forgotten, i, trace)
	{
		char gone[FORMAT_SIZE];
		char renewed[FORMAT_SIZE];
		mem_auto char *why = format_forgotten(trace);
		mem_auto char *line = mem_printf("%s%s", why,
			is_true(trace, "registered_again") ? " (it has registered again)" : "");
		table_add(table, member_text(trace, "user"), member_text(trace, "token"),
			ago(trace, "forgotten", gone), ago(trace, "renewed", renewed), line);
	}
	table_print_and_free(table);
}

void show_device(const json_t *device)
{
	char when[FORMAT_SIZE];
	size_t i;
	json_t *name;
	mem_auto char *push = last_push(device);
	static const struct {
		const char *key;
		const char *name;
	} texts[] = {{"key", "Key"}, {"user", "User"}, {"token", "Token"},
		{"account_id", "Account id"}, {"topic", "Topic"}, {"subtopic", "Subtopic"},
		{"state", "State"}};
	for (i = 0; i < sizeof(texts) / sizeof(texts[0]); i++)
		line(texts[i].name, member_text(device, texts[i].key));
	if (*member_text(device, "stopped_reason"))
		line("Stopped", member_text(device, "stopped_reason"));
	line("Registered", ago(device, "created", when));
	line("Renewed", ago(device, "renewed", when));
	if (json_is_number(json_object_get(device, "suspended")))
		line("Suspended since", ago(device, "suspended", when));
	line("Last event", ago(device, "last_event", when));
	line("Last push", push);
	line("", member_text(json_object_get(device, "last_push"), "meaning"));
	line("Queue",
		*member_text(device, "queue") ? member_text(device, "queue") : "nothing waits");
	head("Mailboxes");
	printf("%zu%s\n", json_array_size(json_object_get(device, "mailboxes")),
		is_true(device, "confirmed") ? "" : " (not confirmed by the server)");
	json_array_foreach(json_object_get(device, "mailboxes"), i, name)
	{
		fputs("  ", stdout);
		const char *text = json_string_value(name);
		print_text(text ? text : "");
		putchar('\n');
	}
}

void show_queue(const json_t *pushes, bool has_head)
{
	static const char *const heads[] = {
		"USER", "TOKEN", "STATE", "URGENT", "MAILBOXES", "OLDEST", "DUE", "TRIES"};
	struct table *table = table_new(has_head ? heads : NULL, 8, 0);
	size_t i;
	json_t *push;
	json_array_foreach((json_t *)pushes, i, push)
	{
		char oldest[FORMAT_SIZE];
		char due[FORMAT_SIZE];
		mem_auto char *mailboxes = mem_printf("%lld", count_of(push, "mailboxes"));
		mem_auto char *attempts = mem_printf("%lld", count_of(push, "attempts"));
		table_add(table, member_text(push, "user"), member_text(push, "token"),
			member_text(push, "state"), is_true(push, "urgent") ? "yes" : "no",
			mailboxes, ago(push, "oldest", oldest), ago(push, "due", due), attempts);
	}
	table_print_and_free(table);
}

static void show_cyrus_event(const json_t *event)
{
	print_column(member_text(event, "event"));
	print_text(*member_text(event, "owner") ? member_text(event, "owner") : "-");
	putchar(' ');
	print_text(*member_text(event, "folder") ? member_text(event, "folder") : "INBOX");
	fputs(" -> ", stdout);
	print_text(member_text(event, "action"));
	fputs(" (", stdout);
	print_text(member_text(event, "transport"));
	puts(")");
}

static void show_sent_push(const json_t *event)
{
	bool is_fine = count_of(event, "status") == 200;
	print_column("push");
	print_text(member_text(event, "user"));
	putchar(' ');
	print_text(member_text(event, "token"));
	printf(", mailboxes %lld: ", count_of(event, "mailboxes"));
	fputs(table_begin(is_fine ? TABLE_GOOD : TABLE_ODD), stdout);
	if (count_of(event, "status"))
		printf("%lld", count_of(event, "status"));
	else
		print_text(member_text(event, "result"));
	if (*member_text(event, "reason")) {
		putchar(' ');
		print_text(member_text(event, "reason"));
	}
	printf("%s (", table_end());
	print_text(member_text(event, "then"));
	printf(", %.0f ms)\n", member_number(event, "seconds") * 1000);
}

void show_flushed(const json_t *answer)
{
	long long flushed = (long long)count_of(answer, "flushed");
	printf("%lld push%s due now\n", flushed, flushed == 1 ? " is" : "es are");
	size_t i;
	const json_t *obstacle;
	json_array_foreach(json_object_get(answer, "cannot_go"), i, obstacle)
	{
		const char *topic = member_text(obstacle, "topic");
		printf("%lld cannot go", (long long)count_of(obstacle, "count"));
		if (*topic) {
			fputs(" on topic ", stdout);
			print_text(topic);
		}
		if (json_object_get(obstacle, "credential")) {
			fputs(", as credential ", stdout);
			print_text(member_text(obstacle, "credential"));
			fputs(" is ", stdout);
			show_hold(obstacle);
		}
		fputs(": ", stdout);
		print_text(member_text(obstacle, "meaning"));
		putchar('\n');
	}
}

void show_event(const json_t *event)
{
	const char *kind = member_text(event, "kind");
	char clock[FORMAT_SIZE];
	printf("%s ", format_clock(member_number(event, "time"), clock));
	if (!strcmp(kind, "event"))
		show_cyrus_event(event);
	else if (!strcmp(kind, "push"))
		show_sent_push(event);
	else
		printf("%lld lines were missed\n", count_of(event, "lines"));
	fflush(stdout);
}

void show_config(const json_t *config)
{
	static const char *const heads[] = {"KEY", "VALUE", "FROM"};
	struct table *table = table_new(heads, 3, 0);
	size_t i;
	json_t *setting;
	json_array_foreach(json_object_get(config, "settings"), i, setting)
	{
		long long at = count_of(setting, "line");
		mem_auto char *from = at ? mem_printf("%s:%lld", member_text(config, "file"), at)
					 : mem_dup("default");
		const char *value = member_text(setting, "value");
		table_add(table, member_text(setting, "key"), *value ? value : "\"\"", from);
	}
	table_print_and_free(table);
}

void show_push(const json_t *answer)
{
	size_t i;
	json_t *device;
	json_array_foreach(json_object_get(answer, "devices"), i, device)
	{
		const char *state = member_text(device, "state");
		bool is_taken = count_of(device, "status") == 200;
		print_text(member_text(device, "token"));
		fputs(" ", stdout);
		fputs(table_begin(is_taken ? TABLE_GOOD : TABLE_BAD), stdout);
		if (!strcmp(state, "answered") && count_of(device, "status"))
			printf("%lld", count_of(device, "status"));
		else
			print_text(!strcmp(state, "not_sent") ? "not sent"
					: !strcmp(state, "waiting")
					? "no answer yet"
					: member_text(device, "result"));
		if (*member_text(device, "reason")) {
			putchar(' ');
			print_text(member_text(device, "reason"));
		}
		printf("%s: ", table_end());
		print_text(member_text(device, "meaning"));
		putchar('\n');
	}
}

void show_credentials(const json_t *answer)
{
	size_t i;
	size_t j;
	json_t *credential;
	json_t *finding;
	json_array_foreach(json_object_get(answer, "credentials"), i, credential)
	{
		print_text(member_text(credential, "name"));
		putchar('\n');
		json_array_foreach(json_object_get(credential, "findings"), j, finding)
		{
			const char *level = member_text(finding, "level");
			fputs("  ", stdout);
			if (!strcmp(level, "fail"))
				coloured(TABLE_BAD, "fail ");
			else if (!strcmp(level, "ok"))
				coloured(TABLE_GOOD, "ok   ");
			else
				coloured(TABLE_ODD, "warn ");
			print_text(member_text(finding, "text"));
			putchar('\n');
		}
	}
	if (!json_array_size(json_object_get(answer, "credentials")))
		puts("no credential is configured: phones can register, nothing is pushed");
}

bool show_is_pushed(const json_t *answer)
{
	size_t i;
	json_t *device;
	json_array_foreach(json_object_get(answer, "devices"), i,
		device) if (count_of(device, "status") != 200) return false;
	return true;
}

bool show_are_credentials_fine(const json_t *answer)
{
	const json_t *credentials = json_object_get(answer, "credentials");
	size_t i;
	size_t j;
	json_t *credential;
	json_t *finding;
	json_array_foreach((json_t *)credentials, i, credential)
		json_array_foreach(json_object_get(credential, "findings"), j,
			finding) if (!strcmp(member_text(finding, "level"), "fail")) return false;
	return json_array_size(credentials) > 0;
}

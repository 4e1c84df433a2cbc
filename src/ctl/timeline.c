#include "ctl/timeline.h"

#include "base/clock.h"
#include "base/mem.h"
#include "base/units.h"
#include "console/format.h"
#include "console/member.h"
#include "console/print.h"
#include "console/unknown_user.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#define FOLLOW_MS 1000
#define INDENT "          " /* as wide as a time and its space */

static bool is(const json_t *json, const char *key, const char *text)
{
	return !strcmp(member_text(json, key), text);
}

/* A line for each day. */
static void print_day(double time_s, char last[FORMAT_SIZE])
{
	char day[FORMAT_SIZE] = "";
	struct tm local;
	time_t seconds = (time_t)time_s;
	if (localtime_r(&seconds, &local))
		strftime(day, sizeof(day), "%a %Y-%m-%d", &local);
	if (!strcmp(day, last))
		return;
	strcpy(last, day);
	print_coloured(TABLE_BOLD, day);
	putchar('\n');
}

static enum table_colour colour_of(const json_t *entry)
{
	if (is(entry, "kind", "push"))
		return is(entry, "what", "done") ? TABLE_GOOD : TABLE_BAD;
	if (is(entry, "kind", "forgotten") || is(entry, "kind", "suspended") ||
		is(entry, "kind", "gap"))
		return TABLE_BAD;
	return TABLE_PLAIN;
}

static void print_left_out(long long count)
{
	if (count)
		printf(INDENT "(%lld more left out: the same again, or beyond what is kept of one "
			      "user)\n",
			count);
}

static void print_entry(const json_t *entry, bool has_meaning)
{
	char when[FORMAT_SIZE];
	print_left_out((long long)member_number(entry, "left_out"));
	printf("%-9s ", format_clock(member_number(entry, "time"), when));
	if (*member_text(entry, "token")) {
		print_coloured(TABLE_PLAIN, member_text(entry, "token"));
		fputs("  ", stdout);
	}
	print_coloured(colour_of(entry), member_text(entry, "text"));
	if (json_is_number(json_object_get(entry, "due"))) {
		/* In seconds, as it is shown: the push waits for more than its time. */
		bool is_past = (int64_t)member_number(entry, "due") <
			(int64_t)member_number(entry, "time");
		printf(", %s %s", is_past ? "was due" : "due",
			format_clock(member_number(entry, "due"), when));
	}
	if (is(entry, "kind", "push")) {
		fputs(" (sent ", stdout);
		fputs(format_clock(member_number(entry, "sent"), when), stdout);
		fputs(", apns-id ", stdout);
		print_coloured(TABLE_PLAIN, member_text(entry, "apns_id"));
		putchar(')');
	}
	putchar('\n');
	if (has_meaning) {
		fputs(INDENT, stdout);
		print_coloured(TABLE_PLAIN, member_text(entry, "meaning"));
		putchar('\n');
	}
}

/* What something means is said where it happened last. */
static bool is_explained_later(const json_t *entries, size_t i)
{
	const char *meaning = member_text(json_array_get(entries, i), "meaning");
	for (size_t j = i + 1; j < json_array_size(entries); j++)
		if (is(json_array_get(entries, j), "meaning", meaning))
			return true;
	return false;
}

static void print_entries(const json_t *entries, char day[FORMAT_SIZE])
{
	size_t i;
	json_t *entry;
	json_array_foreach((json_t *)entries, i, entry)
	{
		print_day(member_number(entry, "time"), day);
		print_entry(
			entry, *member_text(entry, "meaning") && !is_explained_later(entries, i));
	}
}

static void print_device(const json_t *device, double now_s)
{
	char when[FORMAT_SIZE];
	fputs("  ", stdout);
	print_coloured(TABLE_PLAIN, member_text(device, "token"));
	fputs("  ", stdout);
	print_coloured(is(device, "state", "active") ? TABLE_GOOD : TABLE_BAD,
		member_text(device, "state"));
	if (*member_text(device, "stopped_reason")) {
		fputs(": ", stdout);
		print_coloured(TABLE_BAD, member_text(device, "stopped_reason"));
	}
	if (json_is_false(json_object_get(device, "push"))) {
		fputs(", ", stdout);
		print_coloured(TABLE_BAD, "no pushes (push = no in user_settings)");
	}
	printf(", renewed %s", format_ago(member_number(device, "renewed"), now_s, when));
	if (*member_text(device, "queue"))
		printf(", a push is %s",
			is(device, "queue", "flying") ? "in flight" : member_text(device, "queue"));
	if (json_is_number(json_object_get(device, "limited_until")))
		printf(" until %s", format_clock(member_number(device, "limited_until"), when));
	if (*member_text(device, "because")) {
		fputs(": ", stdout);
		print_coloured(TABLE_BAD, member_text(device, "because"));
	}
	fputs("\n            key ", stdout);
	print_coloured(TABLE_PLAIN, member_text(device, "key"));
	putchar('\n');
}

static void print_devices(const json_t *answer)
{
	const json_t *devices = json_object_get(answer, "devices");
	size_t count = json_array_size(devices);
	size_t i;
	json_t *device;
	print_coloured(TABLE_BOLD, member_text(answer, "user"));
	if (!json_is_true(json_object_get(answer, "registry")))
		puts(": the registry does not answer, so the phones are not known now");
	else if (!count)
		puts(": no phone is registered: nothing can be pushed to this user until one "
		     "registers");
	else
		printf(": %zu phone%s registered\n", count, count == 1 ? "" : "s");
	json_array_foreach((json_t *)devices, i, device)
		print_device(device, member_number(answer, "now"));
}

static void print_all(
	const struct timeline_request *request, const json_t *answer, char day[FORMAT_SIZE])
{
	char time[FORMAT_SIZE];
	const json_t *entries = json_object_get(answer, "entries");
	print_devices(answer);
	if (!json_array_size(entries))
		printf("Nothing happened with phones of this user in the last %s.\n",
			request->since ? request->since
				       : format_duration(member_number(answer, "keep"), time));
	if (json_is_true(json_object_get(answer, "registry")) &&
		!json_array_size(json_object_get(answer, "devices"))) {
		fputs("`mailpushctl doctor --user ", stdout);
		print_coloured(TABLE_PLAIN, member_text(answer, "user"));
		puts("` looks for the reason.");
	}
	if (json_is_true(json_object_get(answer, "cut")))
		puts("Earlier entries are too many to be shown: see --since.");
	print_entries(entries, day);
	print_left_out((long long)member_number(answer, "left_out"));
	if (member_number(answer, "damaged") > 0)
		puts("A part of the trace is damaged, and entries are missing.");
	if (*member_text(answer, "trouble")) {
		fputs("Entries are lost now: ", stdout);
		print_coloured(TABLE_BAD, member_text(answer, "trouble"));
		putchar('\n');
	}
}

/* No phone, now or before, and nothing that happened. */
static bool is_unknown(const json_t *answer)
{
	return json_is_true(json_object_get(answer, "registry")) &&
		!json_array_size(json_object_get(answer, "devices")) &&
		!json_array_size(json_object_get(answer, "entries"));
}

/* The answer may leave out what was earlier, or is of another mailbox. */
static bool is_unknown_at_all(
	const struct timeline_request *request, const char *user, const json_t *answer)
{
	if (!is_unknown(answer))
		return false;
	if (!request->since && !request->mailbox)
		return true;
	json_t *all = NULL;
	struct err err;
	mem_auto char *path = mem_printf("/trace?user=%s", user);
	bool is_so = !client_try("GET", path, NULL, &all, &err) && is_unknown(all);
	json_decref(all);
	return is_so;
}

static void print_json(const json_t *json, size_t flags)
{
	json_dumpf(json, stdout, JSON_REAL_PRECISION(13) | flags);
	putchar('\n');
}

static void print_answer(const struct timeline_request *request, const json_t *answer,
	bool is_first, char day[FORMAT_SIZE])
{
	const json_t *entries = json_object_get(answer, "entries");
	size_t i;
	json_t *entry;
	if (request->is_json && !request->is_followed)
		print_json(answer, JSON_INDENT(2));
	else if (request->is_json)
		json_array_foreach((json_t *)entries, i, entry) print_json(entry, JSON_COMPACT);
	else if (is_first)
		print_all(request, answer, day);
	else
		print_entries(entries, day);
	fflush(stdout);
}

/* Rightly written, but more than durations can be? */
static bool is_too_long(const char *duration)
{
	size_t digits = strspn(duration, "0123456789");
	mem_auto char *one = mem_printf("1%s", duration + digits);
	int64_t ms;
	return digits && units_parse_duration(one, &ms);
}

static void wait_a_moment(void)
{
	const struct timespec moment = {FOLLOW_MS / 1000, FOLLOW_MS % 1000 * 1000000};
	nanosleep(&moment, NULL);
}

enum client_exit timeline_run(const struct timeline_request *request)
{
	int64_t since_ms = 0;
	if (request->since && !units_parse_duration(request->since, &since_ms)) {
		fprintf(stderr, "mailpushctl: --since '%s' %s\n", request->since,
			is_too_long(request->since)
				? "is too long; leave --since out for all that is kept"
				: "is not a duration; write a number with its unit (s, min, h or "
				  "d), such as 2h");
		return CLIENT_USAGE;
	}
	/* Rounded up: of a second that was not asked for nothing is shown. */
	int64_t from_ms = clock_unix_ms() - since_ms + CLOCK_SECOND_MS - 1;
	int64_t since_s = request->since ? from_ms / CLOCK_SECOND_MS : 0;
	mem_auto char *user = client_escape(request->user);
	mem_auto char *mailbox = client_escape(request->mailbox ? request->mailbox : "");
	mem_auto char *base = mem_printf("/trace?user=%s&mailbox=%s&since=%" PRId64, user, mailbox,
		since_s > 0 ? since_s : 0);
	mem_auto char *path = mem_dup(base);
	char day[FORMAT_SIZE] = "";
	for (bool is_first = true;; is_first = false) {
		json_t *answer = NULL;
		enum client_exit result = client_ask("GET", path, NULL, &answer);
		if (result)
			return result;
		bool is_unknown_user = is_first && is_unknown_at_all(request, user, answer);
		if (is_unknown_user)
			result = unknown_user_explain(request->user);
		if (!is_unknown_user || request->is_json || request->is_followed)
			print_answer(request, answer, is_first, day);
		free(path);
		path = mem_printf("%s&after=%.0f&forgotten_after=%.0f", base,
			member_number(answer, "end"), member_number(answer, "forgotten_end"));
		json_decref(answer);
		if (!request->is_followed)
			return result;
		wait_a_moment();
	}
}

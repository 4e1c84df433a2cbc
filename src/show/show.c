#include "show/show.h"

#include "base/mem.h"
#include "console/format.h"
#include "console/member.h"
#include "console/print.h"
#include "console/table.h"
#include "show/show_device.h"
#include "show/show_status.h"
#include "show/show_time.h"

#include <stdio.h>
#include <string.h>

void show_json(const json_t *json, bool is_line)
{
	json_dumpf(
		json, stdout, JSON_REAL_PRECISION(13) | (is_line ? JSON_COMPACT : JSON_INDENT(2)));
	putchar('\n');
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
		mem_auto char *mailboxes = mem_printf("%lld", member_count(push, "mailboxes"));
		mem_auto char *attempts = mem_printf("%lld", member_count(push, "attempts"));
		table_add(table, member_text(push, "user"), member_text(push, "token"),
			member_text(push, "state"), member_is_true(push, "urgent") ? "yes" : "no",
			mailboxes, show_time_ago(push, "oldest", oldest),
			show_time_ago(push, "due", due), attempts);
	}
	table_print_and_free(table);
}

/* The first of a line of events. */
static void print_column(const char *text)
{
	char printable[PRINT_MAX];
	size_t columns = format_printable(text, printable, sizeof(printable));
	printf("%s%*s ", printable, columns < 20 ? (int)(20 - columns) : 0, "");
}

static void show_mail_event(const json_t *event)
{
	print_column(member_text(event, "event"));
	print_text(*member_text(event, "owner") ? member_text(event, "owner") : "-");
	putchar(' ');
	print_text(*member_text(event, "folder") ? member_text(event, "folder") : "INBOX");
	fputs(" -> ", stdout);
	print_text(member_text(event, "action"));
	fputs(" (", stdout);
	print_text(member_text(event, "source"));
	fputs(", ", stdout);
	print_text(member_text(event, "transport"));
	puts(")");
}

static void show_sent_push(const json_t *event)
{
	bool is_fine = member_count(event, "status") == 200;
	print_column("push");
	print_text(member_text(event, "user"));
	putchar(' ');
	print_text(member_text(event, "token"));
	printf(", mailboxes %lld: ", member_count(event, "mailboxes"));
	fputs(table_begin(is_fine ? TABLE_GOOD : TABLE_ODD), stdout);
	if (member_count(event, "status"))
		printf("%lld", member_count(event, "status"));
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

static void show_flushed(const json_t *answer)
{
	long long flushed = (long long)member_count(answer, "flushed");
	printf("%lld push%s due now\n", flushed, flushed == 1 ? " is" : "es are");
	size_t i;
	const json_t *obstacle;
	json_array_foreach(json_object_get(answer, "cannot_go"), i, obstacle)
	{
		const char *topic = member_text(obstacle, "topic");
		printf("%lld cannot go", (long long)member_count(obstacle, "count"));
		if (*topic) {
			fputs(" on topic ", stdout);
			print_text(topic);
		}
		if (json_object_get(obstacle, "credential")) {
			fputs(", as credential ", stdout);
			print_text(member_text(obstacle, "credential"));
			fputs(" is ", stdout);
			show_status_hold(obstacle);
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
		show_mail_event(event);
	else if (!strcmp(kind, "push"))
		show_sent_push(event);
	else
		printf("%lld lines were missed\n", member_count(event, "lines"));
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
		long long at = member_count(setting, "line");
		mem_auto char *from = at ? mem_printf("%s:%lld", member_text(setting, "file"), at)
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
		bool is_taken = member_count(device, "status") == 200;
		mem_auto char *key =
			mem_printf("%.*s ", SHOW_DEVICE_KEY, member_text(device, "key"));
		print_text(key);
		fputs(table_begin(is_taken ? TABLE_GOOD : TABLE_BAD), stdout);
		if (!strcmp(state, "answered") && member_count(device, "status"))
			printf("%lld", member_count(device, "status"));
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
		puts(!strcmp(member_text(device, "then"), "forget")
				? "; its registration is forgotten"
				: "");
		if (*member_text(device, "note")) {
			printf("%*s", SHOW_DEVICE_KEY + 1, "");
			print_coloured(TABLE_BAD, member_text(device, "note"));
			putchar('\n');
		}
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
				print_coloured(TABLE_BAD, "fail ");
			else if (!strcmp(level, "ok"))
				print_coloured(TABLE_GOOD, "ok   ");
			else
				print_coloured(TABLE_ODD, "warn ");
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
		device) if (member_count(device, "status") != 200) return false;
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

static void show_result(const json_t *part)
{
	const char *error = json_string_value(json_object_get(part, "error"));
	print_coloured(error ? TABLE_BAD : TABLE_GOOD, error ? error : "fine");
	putchar('\n');
}

void show_alarm_test(const json_t *answer)
{
	const json_t *mail = json_object_get(answer, "mail");
	const json_t *command = json_object_get(answer, "command");
	if (json_is_object(mail)) {
		print_head("Mail");
		print_text(member_text(mail, "to"));
		fputs(" through ", stdout);
		print_text(member_text(mail, "server"));
		printf(" port %d: ", (int)member_number(mail, "port"));
		show_result(mail);
	}
	if (json_is_object(command)) {
		print_head("Command");
		print_text(member_text(command, "path"));
		fputs(": ", stdout);
		show_result(command);
	}
}

bool show_is_alarm_test_fine(const json_t *answer)
{
	const json_t *mail = json_object_get(answer, "mail");
	const json_t *command = json_object_get(answer, "command");
	return !json_is_string(json_object_get(mail, "error")) &&
		!json_is_string(json_object_get(command, "error"));
}

void show_removed(const json_t *answer)
{
	(void)answer;
	puts("removed; the phone registers again when Mail connects, unless push is off there");
}

void show_changed(const json_t *answer)
{
	const json_t *dropped = json_object_get(answer, "dropped");
	long long count = json_integer_value(dropped);
	if (dropped)
		printf("%lld push%s dropped\n", count, count == 1 ? "" : "es");
	else
		show_flushed(answer);
}

void show_pruned(const json_t *answer)
{
	printf("registrations removed: %lld, phones nudged: %lld\n",
		(long long)json_integer_value(json_object_get(answer, "removed")),
		(long long)json_integer_value(json_object_get(answer, "nudged")));
	long long kept = json_integer_value(json_object_get(answer, "kept_back"));
	if (kept)
		printf("%lld more have expired and stay for now: a day removes only a share of "
		       "all\n",
			kept);
}

void show_log_level(const json_t *answer)
{
	char level[FORMAT_SIZE];
	const char *text = json_string_value(json_object_get(answer, "log_level"));
	format_printable(text ? text : "unknown", level, sizeof(level));
	printf("log level is %s until the next start or reload\n", level);
}

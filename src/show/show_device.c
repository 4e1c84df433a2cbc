#include "show/show_device.h"

#include "base/mem.h"
#include "console/format.h"
#include "console/member.h"
#include "console/print.h"
#include "console/table.h"
#include "show/show_time.h"

#include <stdio.h>
#include <string.h>

static char *last_push(const json_t *device)
{
	const json_t *push = json_object_get(device, "last_push");
	char when[FORMAT_SIZE];
	if (json_is_null(push) && *member_text(device, "stopped_reason"))
		return mem_printf("none; stopped: %s", member_text(device, "stopped_reason"));
	if (json_is_null(push))
		return mem_dup("none");
	long long status = member_count(push, "status");
	const char *reason = member_text(push, "reason");
	mem_auto char *answer = status ? mem_printf("%lld%s%s", status, *reason ? " " : "", reason)
				       : mem_dup("no answer");
	if (!json_is_number(json_object_get(push, "time")))
		return mem_steal(answer);
	show_time_ago(push, "time", when);
	/* The push is retried, and the time is that of the one before. */
	if (status != 200 && *member_text(device, "queue"))
		return mem_printf("%s, before that %s", answer, when);
	return mem_printf("%s: %s", when, answer);
}

/* What waits for the phone, in words. */
static char *waiting_push(const json_t *device)
{
	char until[FORMAT_SIZE];
	const char *state = member_text(device, "queue");
	if (!json_is_number(json_object_get(device, "limited_until")))
		return mem_dup(state);
	return mem_printf(
		"%s until %s", state, format_clock(member_number(device, "limited_until"), until));
}

/* Of a table: the last push, and the next one if the user's limit holds it. */
static char *pushes_of(const json_t *device)
{
	mem_auto char *last = last_push(device);
	mem_auto char *next = waiting_push(device);
	bool is_limited = json_is_number(json_object_get(device, "limited_until"));
	return is_limited ? mem_printf("%s; %s", last, next) : mem_steal(last);
}

/* Of a table: push = no belongs to the user, whatever the state of the phone. */
static char *state_of(const json_t *device)
{
	return mem_printf("%s%s", member_text(device, "state"),
		json_is_false(json_object_get(device, "push")) ? ", push = no" : "");
}

/* Without --full. */
static bool is_masked(const json_t *device)
{
	const char *token = member_text(device, "token");
	size_t size = strlen(token);
	return size < 3 || !strcmp(token + size - 3, "...");
}

void show_device_list(const json_t *devices, bool has_head)
{
	static const char *const heads[] = {
		"KEY", "USER", "STATE", "BOXES", "RENEWED", "LAST PUSH", "TOKEN"};
	bool is_full = !is_masked(json_array_get(devices, 0));
	struct table *table = table_new(has_head ? heads : NULL, is_full ? 7 : 6, 0);
	size_t i;
	json_t *device;
	json_array_foreach((json_t *)devices, i, device)
	{
		char renewed[FORMAT_SIZE];
		mem_auto char *push = pushes_of(device);
		mem_auto char *device_state = state_of(device);
		mem_auto char *mailboxes =
			mem_printf("%zu", json_array_size(json_object_get(device, "mailboxes")));
		mem_auto char *key =
			mem_printf("%.*s", is_full ? SHOW_DEVICE_KEY_WHOLE : SHOW_DEVICE_KEY,
				member_text(device, "key"));
		table_add(table, key, member_text(device, "user"), device_state, mailboxes,
			show_time_ago(device, "renewed", renewed), push,
			member_text(device, "token"));
	}
	table_print_and_free(table);
}

void show_device_forgotten(const json_t *forgotten, bool has_head)
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
			member_is_true(trace, "registered_again") ? " (it has registered again)"
								  : "");
		table_add(table, member_text(trace, "user"), member_text(trace, "token"),
			show_time_ago(trace, "forgotten", gone),
			show_time_ago(trace, "renewed", renewed), line);
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
		print_line(texts[i].name, member_text(device, texts[i].key));
	if (*member_text(device, "stopped_reason"))
		print_line("Stopped", member_text(device, "stopped_reason"));
	print_line("Registered", show_time_ago(device, "created", when));
	print_line("Renewed", show_time_ago(device, "renewed", when));
	if (json_is_number(json_object_get(device, "suspended")))
		print_line("Suspended since", show_time_ago(device, "suspended", when));
	print_line("Last event", show_time_ago(device, "last_event", when));
	print_line("Last push", push);
	print_line("", member_text(json_object_get(device, "last_push"), "meaning"));
	if (json_is_false(json_object_get(device, "push")))
		print_line("Push", "off for this user in mailpush.conf (user_settings)");
	mem_auto char *waiting = waiting_push(device);
	print_line("Queue", *waiting ? waiting : "nothing waits");
	if (json_is_number(json_object_get(device, "limited_until")))
		print_line("",
			"pushes_per_minute of this user in mailpush.conf (user_settings) is "
			"reached");
	print_head("Mailboxes");
	printf("%zu%s\n", json_array_size(json_object_get(device, "mailboxes")),
		member_is_true(device, "confirmed") ? "" : " (not confirmed by the server)");
	json_array_foreach(json_object_get(device, "mailboxes"), i, name)
	{
		fputs("  ", stdout);
		const char *text = json_string_value(name);
		print_text(text ? text : "");
		putchar('\n');
	}
}

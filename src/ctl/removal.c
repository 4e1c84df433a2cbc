#include "ctl/removal.h"

#include "base/clock.h"
#include "base/mem.h"
#include "console/format.h"
#include "console/print.h"
#include "console/unknown_user.h"
#include "ctl/pages.h"
#include "driver/registry_row.h"

#include <jansson.h>
#include <stdio.h>
#include <string.h>

#define BATCH 1000 /* mailpushd takes no more keys in a request */

struct finding {
	const struct removal_request *request;
	json_t *keys;
};

static bool is_it(const json_t *device, const char *key, const char *wanted)
{
	const char *text = json_string_value(json_object_get(device, key));
	return !wanted || (text && !strcmp(text, wanted));
}

static void find(void *ctx, const json_t *rows, bool is_first)
{
	struct finding *finding = ctx;
	size_t i;
	json_t *device;
	(void)is_first;
	json_array_foreach((json_t *)rows, i, device)
	{
		if (is_it(device, "topic", finding->request->topic) &&
			is_it(device, "state", finding->request->state))
			json_array_append(finding->keys, json_object_get(device, "key"));
	}
}

static enum client_exit find_devices(const struct removal_request *request, json_t *keys)
{
	struct finding finding = {.request = request, .keys = keys};
	mem_auto char *user = client_escape(request->user ? request->user : "");
	mem_auto char *path = mem_printf("/devices%s%s", request->user ? "?user=" : "", user);
	return pages_walk(path, "devices", 0, find, &finding);
}

static void count_rows(void *ctx, const json_t *rows, bool is_first)
{
	size_t *count = ctx;
	(void)is_first;
	*count += json_array_size(rows);
}

static bool is_state(const char *text)
{
	for (int i = 0; i < REGISTRY_STATES; i++)
		if (!strcmp(text, registry_state_names[i]))
			return true;
	return false;
}

static enum client_exit explain_states(const char *text)
{
	char printable[PRINT_MAX];
	format_printable(text, printable, sizeof(printable));
	fprintf(stderr, "mailpushctl: --state '%s' is none; the states are", printable);
	for (int i = 0; i < REGISTRY_STATES; i++)
		fprintf(stderr, "%s %s",
			!i				  ? ""
				: i + 1 < REGISTRY_STATES ? ","
							  : " and",
			registry_state_names[i]);
	fputc('\n', stderr);
	return CLIENT_USAGE;
}

static enum client_exit not_meant(void)
{
	fputs("mailpushctl: nothing was removed; give --yes to do so\n", stderr);
	return CLIENT_USAGE;
}

static void print_removed(const struct removal_request *request, long long removed)
{
	if (request->is_json)
		printf("{\"removed\":%lld}\n", removed);
	else
		printf("removed: %lld\n", removed);
}

static enum client_exit remove_keys(const json_t *keys, double before_s, long long *ret)
{
	size_t count = json_array_size(keys);
	for (size_t at = 0; at < count; at += BATCH) {
		json_t *batch = json_array();
		for (size_t i = at; i < count && i < at + BATCH; i++)
			json_array_append(batch, json_array_get(keys, i));
		json_t *answer = NULL;
		enum client_exit result = client_ask("POST", "/devices/remove",
			json_pack("{so,sf}", "keys", batch, "renewed_before", before_s), &answer);
		if (result)
			return result;
		*ret += json_integer_value(json_object_get(answer, "removed"));
		json_decref(answer);
	}
	return CLIENT_FINE;
}

enum client_exit removal_devices(const struct removal_request *request)
{
	if (!request->user && !request->topic && !request->state) {
		fputs("mailpushctl: name a registration by its key, or give --user, --topic or "
		      "--state\n",
			stderr);
		return CLIENT_USAGE;
	}
	if (request->state && !is_state(request->state))
		return explain_states(request->state);
	/* Phones that register during the count stay. */
	double before_s = (double)clock_unix_ms() / 1000;
	json_t *keys = json_array();
	long long removed = 0;
	enum client_exit result = find_devices(request, keys);
	if (!result && !request->is_json)
		printf("registrations: %zu\n", json_array_size(keys));
	if (!result && !request->is_meant)
		result = not_meant();
	else if (!result)
		result = remove_keys(keys, before_s, &removed);
	if (!result)
		print_removed(request, removed);
	json_decref(keys);
	return result;
}

/* Also when the registry forgot the user long ago. */
static bool is_in_trace(const char *escaped_user)
{
	json_t *answer = NULL;
	struct err err;
	mem_auto char *path = mem_printf("/trace?user=%s", escaped_user);
	bool is_there = !client_try("GET", path, NULL, &answer, &err) &&
		json_array_size(json_object_get(answer, "entries"));
	json_decref(answer);
	return is_there;
}

enum client_exit removal_user(const struct removal_request *request)
{
	size_t devices = 0;
	size_t forgotten = 0;
	mem_auto char *user = client_escape(request->user);
	mem_auto char *devices_path = mem_printf("/devices?user=%s", user);
	mem_auto char *forgotten_path = mem_printf("/forgotten?user=%s", user);
	enum client_exit result = pages_walk(devices_path, "devices", 0, count_rows, &devices);
	if (!result)
		result = pages_walk(forgotten_path, "forgotten", 0, count_rows, &forgotten);
	if (!result && !request->is_json)
		printf("registrations: %zu, forgotten registrations: %zu; the pushes and the trace "
		       "of "
		       "this user go with them\n",
			devices, forgotten);
	if (result)
		return result;
	if (!request->is_meant) {
		if (!devices && !forgotten && !is_in_trace(user))
			unknown_user_explain(request->user);
		return not_meant();
	}
	json_t *answer = NULL;
	result = client_ask(
		"POST", "/user/remove", json_pack("{ss}", "user", request->user), &answer);
	if (result)
		return result;
	long long removed = json_integer_value(json_object_get(answer, "removed")) +
		json_integer_value(json_object_get(answer, "dropped"));
	bool is_known = removed || json_integer_value(json_object_get(answer, "erased"));
	print_removed(request, removed);
	json_decref(answer);
	return is_known ? CLIENT_FINE : unknown_user_explain(request->user);
}

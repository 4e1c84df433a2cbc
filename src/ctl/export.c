#include "ctl/export.h"

#include "base/mem.h"
#include "console/unknown_user.h"
#include "ctl/pages.h"

#include <jansson.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#define LINE_FLAGS (JSON_COMPACT | JSON_REAL_PRECISION(13))

static void print_lines(void *ctx, const json_t *rows, bool is_first)
{
	size_t *count = ctx;
	size_t i;
	json_t *row;
	(void)is_first;
	json_array_foreach((json_t *)rows, i, row)
	{
		json_dumpf(row, stdout, LINE_FLAGS);
		putchar('\n');
	}
	*count += json_array_size(rows);
	if (isatty(STDERR_FILENO) && !isatty(STDOUT_FILENO))
		fprintf(stderr, "\r%zu written", *count);
}

enum client_exit export_run(const char *user)
{
	size_t count = 0;
	mem_auto char *escaped = client_escape(user ? user : "");
	mem_auto char *path = mem_printf("/export%s%s", user ? "?user=" : "", escaped);
	enum client_exit result = pages_walk(path, "registrations", 0, print_lines, &count);
	if (isatty(STDERR_FILENO) && !isatty(STDOUT_FILENO))
		fputs("\n", stderr);
	return result;
}

struct gathering {
	json_t *into;
	const char *user; /* NULL: all rows are of the user */
};

static void gather(void *ctx, const json_t *rows, bool is_first)
{
	const struct gathering *gathering = ctx;
	size_t i;
	json_t *row;
	(void)is_first;
	json_array_foreach((json_t *)rows, i, row)
	{
		const char *user = json_string_value(json_object_get(row, "user"));
		if (!gathering->user || (user && !strcmp(user, gathering->user)))
			json_array_append(gathering->into, row);
	}
}

static bool is_whole(const json_t *answer)
{
	bool is_cut = json_is_true(json_object_get(answer, "cut"));
	bool is_damaged = json_integer_value(json_object_get(answer, "damaged")) > 0;
	if (is_cut)
		fputs("mailpushctl: the oldest entries of the trace are too many to be exported, "
		      "and are missing\n",
			stderr);
	if (is_damaged)
		fputs("mailpushctl: a part of the trace is damaged, and entries are missing\n",
			stderr);
	return !is_cut && !is_damaged;
}

/* Nothing if there is no trace. */
static enum client_exit gather_trace(const char *escaped_user, json_t *into, bool *ret_is_whole)
{
	json_t *answer = NULL;
	enum client_exit result = client_ask("GET", "/status", NULL, &answer);
	bool is_on = !result && !json_is_null(json_object_get(answer, "trace"));
	json_decref(answer);
	if (!is_on)
		return result;
	mem_auto char *path = mem_printf("/trace?full=1&user=%s", escaped_user);
	answer = NULL;
	result = client_ask("GET", path, NULL, &answer);
	json_array_extend(into, json_object_get(answer, "entries"));
	*ret_is_whole = is_whole(answer);
	json_decref(answer);
	return result;
}

static bool is_nothing_known(const json_t *all)
{
	const char *name;
	json_t *list;
	size_t count = 0;
	json_object_foreach((json_t *)all, name, list) count += json_array_size(list);
	return !count;
}

enum client_exit export_user(const char *user)
{
	static const struct {
		const char *path;
		const char *key;
		bool is_of_all; /* the daemon cannot be asked for one user's */
	} lists[] = {{"/devices", "devices", false}, {"/forgotten", "forgotten", false},
		{"/queue", "pushes", true}};
	mem_auto char *escaped = client_escape(user);
	json_t *all = json_pack("{ss}", "user", user);
	bool is_all = true;
	enum client_exit result = CLIENT_FINE;
	for (size_t i = 0; i < sizeof(lists) / sizeof(lists[0]) && !result; i++) {
		struct gathering gathering = {
			.into = json_array(), .user = lists[i].is_of_all ? user : NULL};
		mem_auto char *path = mem_printf("%s?full=1%s%s", lists[i].path,
			lists[i].is_of_all ? "" : "&user=", lists[i].is_of_all ? "" : escaped);
		json_object_set_new(all, lists[i].key, gathering.into);
		result = pages_walk(path, lists[i].key, 0, gather, &gathering);
	}
	if (!result) {
		json_t *entries = json_array();
		json_object_set_new(all, "trace", entries);
		result = gather_trace(escaped, entries, &is_all);
	}
	if (!result) {
		json_dumpf(all, stdout, JSON_INDENT(2) | JSON_REAL_PRECISION(13));
		putchar('\n');
		if (is_nothing_known(all))
			result = unknown_user_explain(user);
		else if (!is_all)
			result = CLIENT_FAILED;
	}
	json_decref(all);
	return result;
}

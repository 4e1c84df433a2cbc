#include "ctl/keys.h"

#include "base/mem.h"
#include "console/format.h"
#include "console/member.h"
#include "console/print.h"
#include "ctl/pages.h"
#include "show/show_device.h"

#include <stdbool.h>
#include <stdio.h>
#include <string.h>

#define COMPLETE_ROWS 5000 /* registrations that are looked through for a shell */
#define COMPLETE_MAX 200   /* that are offered */
#define HEX "0123456789abcdef"

struct search {
	const char *prefix;
	size_t found;
	char keys[2][SHOW_DEVICE_KEY_WHOLE + 1];
};

static void on_page(void *ctx, const json_t *rows, bool is_first)
{
	struct search *search = ctx;
	size_t i;
	json_t *row;
	(void)is_first;
	json_array_foreach((json_t *)rows, i, row)
	{
		const char *key = member_text(row, "key");
		if (strncmp(key, search->prefix, strlen(search->prefix)) != 0)
			continue;
		if (search->found < 2)
			snprintf(search->keys[search->found], sizeof(search->keys[0]), "%s", key);
		search->found++;
	}
}

enum client_exit keys_find(const char *prefix, char **ret)
{
	size_t size = strlen(prefix);
	if (size > SHOW_DEVICE_KEY_WHOLE || size < KEYS_PREFIX_MIN || prefix[strspn(prefix, HEX)]) {
		char printable[PRINT_MAX];
		format_printable(prefix, printable, sizeof(printable));
		fprintf(stderr,
			"mailpushctl: '%s' is neither a key nor the beginning of one: of its %d "
			"hex digits give at least %d, as `mailpushctl devices` shows them\n",
			printable, SHOW_DEVICE_KEY_WHOLE, KEYS_PREFIX_MIN);
		return CLIENT_FAILED;
	}
	if (size == SHOW_DEVICE_KEY_WHOLE) {
		*ret = mem_dup(prefix);
		return CLIENT_FINE;
	}
	struct search search = {.prefix = prefix};
	enum client_exit result = pages_walk("/devices", "devices", 0, on_page, &search);
	if (result)
		return result;
	if (search.found == 1) {
		*ret = mem_dup(search.keys[0]);
		return CLIENT_FINE;
	}
	if (!search.found)
		fprintf(stderr,
			"mailpushctl: no registration has a key that begins with %s; `mailpushctl "
			"devices` lists them\n",
			prefix);
	else
		fprintf(stderr,
			"mailpushctl: %zu registrations have a key that begins with %s, such as %s "
			"and %s; give more of it\n",
			search.found, prefix, search.keys[0], search.keys[1]);
	return CLIENT_FAILED;
}

struct completion {
	const char *member;
	const char *prefix;
	char *last; /* rows come in the order of their users */
	size_t printed;
};

static void on_completion(void *ctx, const json_t *rows, bool is_first)
{
	struct completion *completion = ctx;
	size_t i;
	json_t *row;
	(void)is_first;
	json_array_foreach((json_t *)rows, i, row)
	{
		const char *text = member_text(row, completion->member);
		bool is_plain = *text;
		for (const char *c = text; *c; c++)
			is_plain = is_plain && *c > ' ' && *c < 0x7f && !strchr("'\"\\$`", *c);
		if (!is_plain || strncmp(text, completion->prefix, strlen(completion->prefix)) ||
			(completion->last && !strcmp(completion->last, text)) ||
			completion->printed == COMPLETE_MAX)
			continue;
		puts(text);
		completion->printed++;
		free(completion->last);
		completion->last = mem_dup(text);
	}
}

enum client_exit keys_complete(const char *what, const char *prefix)
{
	struct completion completion = {
		.member = !strcmp(what, "users") ? "user" : "key", .prefix = prefix};
	enum client_exit result =
		pages_walk("/devices", "devices", COMPLETE_ROWS, on_completion, &completion);
	free(completion.last);
	return result;
}

#include "ctl/pages.h"

#include "base/mem.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define PAGE 1000

/* Where the next page begins: behind a number, or behind a user and key. */
static char *place_of(const json_t *next)
{
	if (json_is_integer(next))
		return mem_printf("&after=%lld", (long long)json_integer_value(next));
	const char *user = json_string_value(json_object_get(next, "user"));
	const char *key = json_string_value(json_object_get(next, "key"));
	mem_auto char *escaped_user = client_escape(user ? user : "");
	mem_auto char *escaped_key = client_escape(key ? key : "");
	return mem_printf("&after_user=%s&after_key=%s", escaped_user, escaped_key);
}

enum client_exit pages_walk(
	const char *path, const char *key, long limit, pages_fn *on_page, void *ctx)
{
	long left = limit;
	mem_auto char *place = mem_dup("");
	for (bool is_first = true;; is_first = false) {
		mem_auto char *url = mem_printf("%s%slimit=%ld%s", path,
			strchr(path, '?') ? "&" : "?", left && left < PAGE ? left : PAGE, place);
		json_t *answer = NULL;
		enum client_exit result = client_ask("GET", url, NULL, &answer);
		if (result)
			return result;
		const json_t *rows = json_object_get(answer, key);
		on_page(ctx, rows, is_first);
		const json_t *next = json_object_get(answer, "next");
		left -= left ? (long)json_array_size(rows) : 0;
		bool is_end = !next || json_is_null(next) || (limit && left <= 0);
		mem_auto char *next_place = is_end ? NULL : place_of(next);
		json_decref(answer);
		if (is_end)
			return CLIENT_FINE;
		if (!strcmp(next_place, place)) {
			fputs("mailpushctl: the list ended too early; try again\n", stderr);
			return CLIENT_FAILED;
		}
		free(place);
		place = mem_steal(next_place);
	}
}

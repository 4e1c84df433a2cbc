#include "ctl/lists.h"

#include "base/mem.h"
#include "console/format.h"
#include "ctl/pages.h"
#include "show/show.h"
#include "show/show_device.h"

#include <stdio.h>
#include <string.h>

typedef void show_rows_fn(const json_t *rows, bool has_head);

struct listing {
	const struct lists_request *request;
	show_rows_fn *show;
	size_t count;
};

static void print_or_show(void *ctx, const json_t *rows, bool is_first)
{
	struct listing *listing = ctx;
	size_t i;
	json_t *row;
	listing->count += json_array_size(rows);
	if (listing->request->is_json)
		json_array_foreach((json_t *)rows, i, row) show_json(row, true);
	else if (json_array_size(rows))
		listing->show(rows, is_first);
}

static enum client_exit list(const struct lists_request *request, const char *path, const char *key,
	show_rows_fn *show, size_t *ret_count)
{
	struct listing listing = {.request = request, .show = show};
	mem_auto char *full = mem_printf("%s%s%s", path,
		!request->is_full	    ? ""
			: strchr(path, '?') ? "&"
					    : "?",
		request->is_full ? "full=1" : "");
	enum client_exit result = pages_walk(full, key, request->limit, print_or_show, &listing);
	*ret_count = listing.count;
	return result;
}

/* The last line of a list for people: how long it is, and of whom. */
static void print_count(
	const struct lists_request *request, size_t count, const char *what, const char *plural)
{
	char user[FORMAT_SIZE * 5];
	if (request->is_json)
		return;
	format_printable(request->user ? request->user : "", user, sizeof(user));
	printf("%s%zu %s%s%s%s%s\n", count ? "\n" : "", count, what, count == 1 ? "" : plural,
		request->user ? " of " : "", user,
		request->limit && count == (size_t)request->limit ? ", and perhaps more" : "");
}

enum client_exit lists_devices(const struct lists_request *request)
{
	bool are_forgotten = request->are_forgotten;
	const char *name = are_forgotten ? "forgotten" : "devices";
	mem_auto char *user = client_escape(request->user ? request->user : "");
	mem_auto char *path = mem_printf("/%s%s%s", name, request->user ? "?user=" : "", user);
	size_t count;
	enum client_exit result = list(request, path, name,
		are_forgotten ? show_device_forgotten : show_device_list, &count);
	if (!result)
		print_count(request, count,
			are_forgotten ? "forgotten registration" : "registration", "s");
	return result;
}

enum client_exit lists_queue(const struct lists_request *request)
{
	size_t count;
	enum client_exit result = list(request, "/queue", "pushes", show_queue, &count);
	if (!result)
		print_count(request, count, "pending push", "es");
	return result;
}

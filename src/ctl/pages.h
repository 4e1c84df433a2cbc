/*
 * pages - reads a list from the daemon, page by page.
 */
#ifndef MAILPUSH_CTL_PAGES_H
#define MAILPUSH_CTL_PAGES_H

#include "console/client.h"

#include <jansson.h>
#include <stdbool.h>

typedef void pages_fn(void *ctx, const json_t *rows, bool is_first);

/*
 * `path`: of the request, perhaps with a query; `key`: the list's name in the answer; `limit`: of
 * rows, 0 for all.  Prints failures.
 */
enum client_exit pages_walk(
	const char *path, const char *key, long limit, pages_fn *on_page, void *ctx);

#endif

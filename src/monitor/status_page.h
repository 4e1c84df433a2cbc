/*
 * status_page - the page that shows a browser how the daemon is, and the JSON that it lives on.
 *
 * The page (page/, built into the program) is the same for all and holds no data: it asks for the
 * JSON every few seconds.  That has no tokens, and no names of people unless status_page_names.
 *
 * Loop thread only.
 */
#ifndef MAILPUSH_MONITOR_STATUS_PAGE_H
#define MAILPUSH_MONITOR_STATUS_PAGE_H

#include "base/http.h"
#include "monitor/db_totals.h"
#include "monitor/services.h"

#include <jansson.h>

void status_page_show(
	const struct services *services, struct http_request *request, const char *tail);
json_t *status_page_data(const struct services *services, const struct db_totals_values *totals);

/* What was counted is put down in the history; to be called every METRICS_SAMPLE_MS. */
void status_page_sample(const struct services *services);

#endif

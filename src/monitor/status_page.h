/*
 * status_page - the pages for a browser, and the JSON that the status page shows.
 *
 * The status page (page/, built into the program) holds no data: it fetches the JSON every few
 * seconds. The JSON has no tokens, and no names of people unless status_page_names is set.
 *
 * Loop thread only.
 */
#ifndef MAILPUSH_MONITOR_STATUS_PAGE_H
#define MAILPUSH_MONITOR_STATUS_PAGE_H

#include "loop/http.h"
#include "monitor/db_totals.h"
#include "monitor/services.h"

#include <jansson.h>

void status_page_show(
	const struct services *services, struct http_request *request, const char *tail);
/* The page of phones and timelines, which fetches /devices and /trace. */
void status_page_show_phones(
	const struct services *services, struct http_request *request, const char *tail);
json_t *status_page_data(const struct services *services, const struct db_totals_values *totals);

/* Records the counters in the history.  Call it every METRICS_SAMPLE_MS. */
void status_page_sample(const struct services *services);

#endif

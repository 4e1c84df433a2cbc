/*
 * statuspage - the page that shows a browser how the daemon is, and the JSON that it lives on.
 *
 * The page (page/, built into the program) is the same for all and holds no data: it asks for the
 * JSON every few seconds.  That has no tokens, and no names of people unless status_page_names.
 *
 * Loop thread only.
 */
#ifndef MAILPUSH_DAEMON_STATUSPAGE_H
#define MAILPUSH_DAEMON_STATUSPAGE_H

#include "base/http.h"
#include "daemon/core.h"
#include "daemon/tally.h"

#include <jansson.h>

void statuspage_show(struct core *core, struct http_request *request, const char *tail);
json_t *statuspage_data(struct core *core, const struct tally_totals *totals);

/* What was counted is put down in the history; to be called every METRICS_SAMPLE_MS. */
void statuspage_sample(struct core *core);

#endif

/*
 * timeline - what happened with a user's phones, as the trace and the registry know it.
 *
 * Loop thread only.
 */
#ifndef MAILPUSH_ADMIN_TIMELINE_H
#define MAILPUSH_ADMIN_TIMELINE_H

#include "loop/http.h"
#include "monitor/services.h"

#define TIMELINE_ENTRIES_MAX 2000 /* in one answer without full=1: the newest */

/*
 * GET /trace?user=U[&since=SECONDS][&mailbox=M][&after=N&forgotten_after=N][&full=1]; after and
 * forgotten_after are `end` and `forgotten_end` of an earlier answer.
 */
void timeline_show(const struct services *services, struct http_request *request, const char *tail);

#endif

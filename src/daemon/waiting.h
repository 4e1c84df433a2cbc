/*
 * waiting - the queue, for people: list, flush (tell now), drop.
 *
 * Handlers of the control socket.  What waits is read page by page from the queue's file, so that a
 * million pushes hold up nobody; what is done about each is the schedule's business.  Loop thread
 * only.
 */
#ifndef MAILPUSH_DAEMON_WAITING_H
#define MAILPUSH_DAEMON_WAITING_H

#include "base/http.h"
#include "daemon/core.h"

void waiting_list(struct core *core, struct http_request *request, const char *tail);
void waiting_flush(struct core *core, struct http_request *request, const char *tail);
void waiting_drop(struct core *core, struct http_request *request, const char *tail);

#endif

/*
 * queue_commands - the queue, for people: list, flush (tell now), drop.
 *
 * Handlers of the control socket.  What waits is read page by page from the queue's file, so that a
 * million pushes hold up nobody; what is done about each is the schedule's business.  Loop thread
 * only.
 */
#ifndef MAILPUSH_ADMIN_QUEUE_COMMANDS_H
#define MAILPUSH_ADMIN_QUEUE_COMMANDS_H

#include "base/http.h"
#include "monitor/services.h"

void queue_commands_list(
	const struct services *services, struct http_request *request, const char *tail);
void queue_commands_flush(
	const struct services *services, struct http_request *request, const char *tail);
void queue_commands_drop(
	const struct services *services, struct http_request *request, const char *tail);

#endif

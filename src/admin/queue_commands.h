/*
 * queue_commands - the queue, for people: list, flush (push now), drop.
 *
 * Handlers of the control socket.  They read pending pushes page by page from the queue's file, so
 * that a million of them delay nothing else.  The schedule decides about each.  Loop thread only.
 */
#ifndef MAILPUSH_ADMIN_QUEUE_COMMANDS_H
#define MAILPUSH_ADMIN_QUEUE_COMMANDS_H

#include "loop/http.h"
#include "monitor/services.h"

void queue_commands_list(
	const struct services *services, struct http_request *request, const char *tail);
void queue_commands_flush(
	const struct services *services, struct http_request *request, const char *tail);
void queue_commands_drop(
	const struct services *services, struct http_request *request, const char *tail);

#endif

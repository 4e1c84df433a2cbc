/*
 * control - the unix socket through which a test controls the service.
 *
 * One command a line in (command.h), one answer a line out, in order.  Lines have at most
 * CONTROL_LINE_MAX bytes, and it serves at most CONTROL_CLIENTS_MAX clients.  Loop thread.
 */
#ifndef MAILPUSH_SIM_CONTROL_H
#define MAILPUSH_SIM_CONTROL_H

#include "base/err.h"
#include "sim/server.h"

#define CONTROL_LINE_MAX (64 * 1024)
#define CONTROL_CLIENTS_MAX 32

struct control;

/* Listens at path and replaces an old socket there.  ret is the caller's. */
int control_start(struct server *server, const char *path, struct control **ret, struct err *err);

/* Closes and unlinks; the loop must still run until its handles are closed.  NULL is fine. */
void control_stop(struct control *control);

#endif

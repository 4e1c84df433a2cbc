/*
 * control - the control socket, and the TCP listener for monitors.
 *
 * HTTP and JSON; docs/operations.md is the reference.  On the control socket everything can be
 * asked and done, by root, the daemon's own user and control_users; http_listen offers the metrics,
 * the two health checks and the status page alone, with no tokens and, but for the page if
 * status_page_names, no names, to whoever reaches it; on a loopback address only if that is how it
 * was asked for (host_header.h).  What needs a database is asked of its thread (db_query.h), the
 * request waits suspended meanwhile.
 *
 * Loop thread only.
 */
#ifndef MAILPUSH_ADMIN_CONTROL_H
#define MAILPUSH_ADMIN_CONTROL_H

#include "base/http.h"
#include "intake/peer.h"
#include "monitor/services.h"

#define CONTROL_CONNECTIONS_MAX 64
#define CONTROL_BODY_MAX (2 * 1024 * 1024) /* an import of one registration at its bounds */
#define CONTROL_TCP_BODY_MAX (64 * 1024)
#define CONTROL_REQUEST_MS 10000

struct control;

/* Sets db_totals.  `services` outlives the loop, as a thread of libuv may still read it. */
int control_new(struct services *services, struct control **ret, struct err *err);
/* Of the control socket; NULL: there is none. */
const struct peer_file *control_file(const struct control *control);
/* Makes the control socket anew, after its file was removed. */
int control_rebind(struct control *control, struct err *err);
/* Closes the sockets; whoever waits for an answer is told that we stop. */
void control_stop(struct control *control);
/* After the registry and the queue have given back their jobs. */
void control_free(struct control *control);

#endif

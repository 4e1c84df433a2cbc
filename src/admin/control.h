/*
 * control - the control socket, and the TCP listener for monitors.
 *
 * HTTP and JSON; docs/operations.md is the reference.  The control socket offers everything, to
 * root, the daemon's own user and control_users.  http_listen offers only the metrics, the two
 * health checks and the status page, to everybody who can reach it.  They hold no tokens, and no
 * names of people except on the page with status_page_names, and what page_login.h lets in: lists
 * of phones and timelines, with tokens masked.  A request to a loopback address must
 * have that address or localhost in its Host header (host_header.h).  A request that needs a
 * database becomes a job for its thread (db_query.h) and is paused until the job is back.
 *
 * Loop thread only.
 */
#ifndef MAILPUSH_ADMIN_CONTROL_H
#define MAILPUSH_ADMIN_CONTROL_H

#include "intake/peer.h"
#include "loop/http.h"
#include "monitor/services.h"

#define CONTROL_CONNECTIONS_MAX 64
#define CONTROL_BODY_MAX (2 * 1024 * 1024) /* an import of one registration at its bounds */
#define CONTROL_TCP_BODY_MAX (64 * 1024)
#define CONTROL_REQUEST_MS 10000

struct control;

/* Sets db_totals.  `services` must outlive the loop, as a thread of libuv may still read it. */
int control_new(struct services *services, struct control **ret, struct err *err);
/* The control socket's file; NULL: there is none. */
const struct peer_file *control_file(const struct control *control);
/* Creates the control socket again, after its file was removed. */
int control_rebind(struct control *control, struct err *err);
/*
 * The configuration changed: listens at http_listen instead of `before`.  If that fails, it goes on
 * there, or nowhere if that fails too; `err` says which.
 */
int control_configure(
	struct control *control, const struct sockaddr_storage *before, struct err *err);
/* Closes the sockets; open requests are answered that the daemon is stopping. */
void control_stop(struct control *control);
/* After the registry and the queue have given back their jobs. */
void control_free(struct control *control);

#endif

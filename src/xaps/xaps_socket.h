/*
 * xaps_socket - the older door of xapsd: a unix socket, one line a connection (xaps_line.h).
 *
 *   REGISTER  `OK TOPIC`
 *   NOTIFY    `OK `, also if no phone gets a push
 *
 * Else `ERROR text`.  The peer's uid decides who may ask, as a peer who may ask can register a
 * phone for any mailbox: dovecot_users, root and the daemon's own; others are answered and closed
 * at once, so that they take no place.  A line has XAPS_SOCKET_LINE_MAX bytes and
 * XAPS_SOCKET_REQUEST_MS at most; of too many connections the one that has been sending its line
 * for longest is closed.
 *
 * Loop thread only.
 */
#ifndef MAILPUSH_XAPS_XAPS_SOCKET_H
#define MAILPUSH_XAPS_XAPS_SOCKET_H

#include "base/err.h"
#include "config/config.h"
#include "intake/peer.h"
#include "stats/metrics.h"
#include "xaps/xaps_call.h"

#define XAPS_SOCKET_MODE 0666
#define XAPS_SOCKET_CONNECTIONS_MAX 256
#define XAPS_SOCKET_LINE_MAX (64 * 1024)
#define XAPS_SOCKET_REQUEST_MS 10000

/* All of it outlives this. */
struct xaps_socket_needs {
	uv_loop_t *loop;
	const struct config *config;
	struct metrics *metrics;
	struct xaps_calls *calls;
};

struct xaps_socket;

/* Listens at xaps_socket. */
int xaps_socket_new(
	const struct xaps_socket_needs *needs, struct xaps_socket **ret, struct err *err);
/* The socket's file, as created. */
const struct peer_file *xaps_socket_file(const struct xaps_socket *socket);
/* Creates the socket again, after its file was removed.  After a failure the old one stays. */
int xaps_socket_rebind(struct xaps_socket *socket, struct err *err);
/* Removes the file; those who are connected still get their answers. */
void xaps_socket_stop(struct xaps_socket *socket);
/* Before the calls are freed.  NULL is fine. */
void xaps_socket_free(struct xaps_socket *socket);

#endif

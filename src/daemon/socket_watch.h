/*
 * socket_watch - are the sockets still where Cyrus, and mailpushctl, look for them?
 *
 * If somebody removes or replaces the file of a socket, no event comes any more, and nothing else
 * shows that.  So it looks at the files every few seconds, on libuv's pool, and creates a socket
 * again whose file is gone.  If that fails, it raises an alarm.
 *
 * Loop thread only.
 */
#ifndef MAILPUSH_DAEMON_SOCKET_WATCH_H
#define MAILPUSH_DAEMON_SOCKET_WATCH_H

#include "admin/control.h"
#include "config/config.h"
#include "intake/datagram.h"
#include "intake/stream.h"
#include "xaps/xaps_socket.h"

struct socket_watch;

/* `datagram`, `stream` NULL: there is none. */
struct socket_watch *socket_watch_new(uv_loop_t *loop, const struct config *config,
	struct datagram *datagram, struct stream *stream, struct stream *dovecot_stream,
	struct xaps_socket *xaps_socket, struct control *control);
/* Before the sockets are closed.  The loop frees it. */
void socket_watch_free(struct socket_watch *watch);

#endif

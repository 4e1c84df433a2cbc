/*
 * listener - the listening socket of the stream: creates it and accepts connections.
 *
 * Loop thread only; the descriptors are the caller's.
 */
#ifndef MAILPUSH_INTAKE_LISTENER_H
#define MAILPUSH_INTAKE_LISTENER_H

#include "base/err.h"
#include "intake/peer.h"

#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

#define LISTENER_BACKLOG 1024 /* the kernel keeps one more */

/* How many connections one socket may hold: `most`, or what the limit of descriptors leaves. */
size_t listener_connections_max(size_t most);
/* Binds and listens; see peer_bind.  Returns the descriptor; *ret_file is the socket's file. */
int listener_make(
	const char *path, mode_t mode, gid_t gid, struct peer_file *ret_file, struct err *err);
/* The next connection, non-blocking and close-on-exec, or a negative errno. */
int listener_accept(int listener);
/* Does a connection wait to be accepted? */
bool listener_has_connection(int listener);

#endif

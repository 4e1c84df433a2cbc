/*
 * server - the listener, what all connections share, and the turns of the loop.
 *
 * A connection that reads sends its answers itself, 16 KB of requests at a time, so that client and
 * server work side by side.  Other events that give a connection something to send mark it.  At the
 * end of a turn, before the loop waits again, the server answers due pushes, sends for all marked
 * connections, and flushes the record.
 *
 * The commands that concern connections at once are here; all others are in behaviour.h.  Loop
 * thread.
 */
#ifndef MAILPUSH_SIM_SERVER_H
#define MAILPUSH_SIM_SERVER_H

#include "base/err.h"
#include "sim/server_state.h"

#include <openssl/ssl.h>
#include <sys/socket.h>
#include <uv.h>

struct server_settings {
	const char *dir; /* borrowed as long as the server lives */
	bool has_client_auth;
	enum record_mode record_mode;
	int record_fd;
};

/* Takes over tls, also on failure.  Port 0 in the address is any. */
int server_start(struct server *server, uv_loop_t *loop, SSL_CTX *tls,
	const struct server_settings *settings, const struct sockaddr *address,
	socklen_t address_size, struct err *err);

/* Closes everything; the loop must still run until its handles are closed, then server_fini(). */
void server_stop(struct server *server);
void server_fini(struct server *server);

/* Is "127.0.0.1:4711" or "[::1]:4711". */
void server_address_text(const struct server *server, char *text, size_t size);

/* Refuse connections, or listen again on the same port.  Those that are open stay. */
int server_set_refusing(struct server *server, bool is_refusing, struct err *err);

/* Resets every open connection. */
void server_reset(struct server *server);

/* GOAWAY on every open connection as behaviour.goaway_last and goaway_reason say. */
void server_goaway(struct server *server);

/* Frames to acknowledge on every open connection, as behaviour.flood_ says. */
void server_flood(struct server *server);

/* Sends the SETTINGS of behaviour to every open connection. */
void server_announce_settings(struct server *server);

/* Call after a change of behaviour: waiting pushes may have become due. */
void server_wake(struct server *server);

#endif

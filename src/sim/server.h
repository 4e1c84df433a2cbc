/*
 * server - the listener, what all connections share, and the turns of the loop.
 *
 * A connection that reads sends its answers itself, 16 KB of requests at a time, so that client
 * and server work side by side.  Whatever else gives a connection something to send marks it.  At
 * the end of a turn, before the loop waits again, the server answers pushes whose time has come,
 * sends for all that are marked, and flushes the record.
 *
 * Control's requests that concern connections at once are here; all others are behaviour.h's.
 * Loop thread.
 */
#ifndef MAILPUSH_SIM_SERVER_H
#define MAILPUSH_SIM_SERVER_H

#include "base/err.h"
#include "sim/behaviour.h"
#include "sim/connection.h"
#include "sim/record.h"
#include "sim/stats.h"
#include "sim/stream.h"

#include <openssl/ssl.h>
#include <sys/socket.h>
#include <uv.h>

#define SERVER_CONNECTIONS_MAX 1024

struct server {
	uv_loop_t *loop;
	SSL_CTX *tls;
	bool has_client_auth;
	enum record_mode record_mode;
	struct record *record;
	struct behaviour behaviour;
	struct stats stats;
	struct stream_pool pool;
	struct stream_queue waiting; /* in the order in which they arrived */
	struct connection_list connections;
	struct connection_queue marked; /* those with something to send */
	struct connection_queue unread; /* those that have not read all that is there */
	unsigned last_connection;

	struct sockaddr_storage address; /* with the port that was given to us */
	socklen_t address_size;
	int fd; /* -1: connections are refused */
	uv_poll_t *listener;
	uv_prepare_t end_of_turn;
	uv_idle_t again;
	uv_timer_t delay;
};

struct server_settings {
	bool has_client_auth;
	enum record_mode record_mode;
	int record_fd;
};

/* Takes tls over, also on failure.  Port 0 in the address is any. */
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

/* Sends the SETTINGS that stand in behaviour to every open connection. */
void server_announce_settings(struct server *server);

/* After any change of behaviour: what waits may have become due. */
void server_wake(struct server *server);

#endif

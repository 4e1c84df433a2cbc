/*
 * server_state - what all connections of the simulator share.
 *
 * server.c makes it, connection.c works with it.  Loop thread.
 */
#ifndef MAILPUSH_SIM_SERVER_STATE_H
#define MAILPUSH_SIM_SERVER_STATE_H

#include "sim/behaviour.h"
#include "sim/record.h"
#include "sim/stats.h"
#include "sim/stream.h"

#include <openssl/ssl.h>
#include <stdbool.h>
#include <sys/queue.h>
#include <sys/socket.h>
#include <uv.h>

#define SERVER_CONNECTIONS_MAX 1024

struct connection;

LIST_HEAD(connection_list, connection);
TAILQ_HEAD(connection_queue, connection);

struct server {
	uv_loop_t *loop;
	SSL_CTX *tls;
	const char *dir; /* where the keys of provider tokens are */
	bool has_client_auth;
	enum record_mode record_mode;
	struct record *record;
	struct behaviour behaviour;
	struct stats stats;
	struct stream_pool pool;
	struct stream_queue waiting; /* in the order in which they arrived */
	struct connection_list connections;
	struct connection_queue marked; /* those with something to send */
	struct connection_queue unread; /* those with unread bytes */
	unsigned last_connection;

	struct sockaddr_storage address; /* with the port that was given to us */
	socklen_t address_size;
	int fd; /* -1: connections are refused */
	uv_poll_t *listener;
	uv_prepare_t end_of_turn;
	uv_idle_t again;
	uv_timer_t delay;
};

#endif

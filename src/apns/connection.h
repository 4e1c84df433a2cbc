/*
 * connection - one connection to Apple's service: dialled, TLS, HTTP/2, until it is closed.
 *
 * Private to the stage.  It reads bytes as they come, keeps what they mean and calls `changed`.  At
 * the end of the loop's turn its owner (credential_connections.c) takes the finished pushes, gives
 * new ones and writes all at once with connection_flush.  So no callback of the stage's user ever
 * runs inside it.
 *
 * It moves new -> dialling (-> tunnel, with a proxy) -> handshake -> ready -> draining -> closed,
 * and from anywhere but new to closed.  One function, `enter`, changes the state and does what
 * begins with it.  A connection enforces the time to connect, each push's deadline (and so a bound
 * on draining), and PINGs after silence; a PING that is not answered closes it.  A closed one keeps
 * its finished pushes until they are taken.
 *
 * It reads at most 1 MB a turn, and holds at most 64 KB and a frame that wait to be written.  Loop
 * thread.
 */
#ifndef MAILPUSH_APNS_CONNECTION_H
#define MAILPUSH_APNS_CONNECTION_H

#include "apns/dialer.h"
#include "apns/sender_types.h"
#include "apns/tls.h"

#include <stdbool.h>
#include <stddef.h>

struct connection;

enum connection_end {
	CONNECTION_OPEN,    /* not closed */
	CONNECTION_LEFT,    /* by us, or after a GOAWAY or a close of the peer */
	CONNECTION_LOST,    /* it worked, then broke */
	CONNECTION_FAILED,  /* it never worked */
	CONNECTION_REFUSED, /* the server refused our credential */
};

struct connection_settings {
	const struct sender_settings *sender; /* borrowed */
	const char *authority;		      /* borrowed */
	struct tls *tls;		      /* borrowed */
	unsigned id;			      /* for the log */
	unsigned rotation;		      /* the address to begin with */
	dialer_in_use_fn *in_use;
	void (*changed)(void *ctx); /* it has work at the end of this turn */
	void *ctx;		    /* of both callbacks */
};

struct connection *connection_new(uv_loop_t *loop, const struct connection_settings *settings);
/* For a closed one without finished pushes.  The loop frees it when its handles are closed. */
void connection_free(struct connection *connection);

bool connection_is_ready(const struct connection *connection);
/* Not ready yet, and not closed. */
bool connection_is_starting(const struct connection *connection);
/* The peer took our certificate and speaks HTTP/2. */
bool connection_works(const struct connection *connection);
bool connection_is_closed(const struct connection *connection);
/* Why it is closed; `*ret_why` is borrowed. */
enum connection_end connection_end(const struct connection *connection, const char **ret_why);
/* NULL before there is one. */
const struct sockaddr_storage *connection_address(const struct connection *connection);

size_t connection_room(const struct connection *connection);
size_t connection_limit(const struct connection *connection);
size_t connection_in_flight(const struct connection *connection);
void connection_push(struct connection *connection, struct sender_push *push);
struct sender_push *connection_take_finished(struct connection *connection);

/* The work at the end of a turn: reads on, writes, drains, closes. */
void connection_flush(struct connection *connection);
/* No new pushes; closes when those in flight are answered. */
void connection_drain(struct connection *connection, const char *why);
void connection_close(struct connection *connection, const char *why);

#endif

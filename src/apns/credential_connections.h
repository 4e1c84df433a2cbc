/*
 * credential_connections - the connections of one credential: when to make one, and the hold.
 *
 * Private to the stage; sender.c has one for each credential and calls
 * credential_connections_answer, credential_connections_offer_room and credential_connections_flush
 * at the end of a loop turn in which something changed.  It connects only after
 * credential_connections_room found no room, so an idle daemon does not connect to Apple.
 *
 * A credential is open; held, when Apple refuses it; probing, while one push is out to find out
 * whether Apple still does; or retired, when another replaced it.  Loop thread.
 */
#ifndef MAILPUSH_APNS_CREDENTIAL_CONNECTIONS_H
#define MAILPUSH_APNS_CREDENTIAL_CONNECTIONS_H

#include "apns/connection.h"
#include "apns/sender_types.h"
#include "credential/provider.h"

#include <openssl/ssl.h>
#include <stdbool.h>
#include <stddef.h>

/* Shared by all credentials of a sender; borrowed. */
struct credential_connections_settings {
	uv_loop_t *loop;
	const struct sender_settings *sender;
	const char *authority;
	X509_STORE *trust;
	const struct sender_callbacks *callbacks;
	void *callbacks_ctx;
	void (*changed)(void *ctx); /* asks for the functions at the end of a turn */
	void *ctx;
	unsigned *next_connection_id;
	struct provider_list *providers;
};

struct credential_connections;

/* Takes the credential over.  Never fails: `state` reports a fault of the credential. */
struct credential_connections *credential_connections_new(
	const struct credential_connections_settings *settings, struct credential *credential);
/* Only without connections.  The loop frees it when its handles are closed. */
void credential_connections_free(struct credential_connections *conns);

const struct credential *credential_connections_credential(
	const struct credential_connections *conns);

size_t credential_connections_room(struct credential_connections *conns);
/* True: `push` is taken.  False when credential_connections_room is 0 now. */
bool credential_connections_push(struct credential_connections *conns, struct sender_push *push);
void credential_connections_hold(struct credential_connections *conns, const char *why);
/* One on hold is not probed later. */
void credential_connections_probe_now(struct credential_connections *conns);
/*
 * On an administrator's request: during a trouble, makes the next attempt at once, but not within
 * hurry_least_ms of the last.
 */
void credential_connections_hurry(struct credential_connections *conns);

/*
 * The end of a turn, in this order for all credentials: answers out, room offered, all written.
 * Each step calls the sender's user, who may call any function above.
 */
void credential_connections_answer(struct credential_connections *conns);
void credential_connections_offer_room(struct credential_connections *conns);
void credential_connections_flush(struct credential_connections *conns);

/* Takes no more pushes and reports no state; its connections finish the pushes in flight. */
void credential_connections_retire(struct credential_connections *conns, const char *why);
/* Reports to `state` the end of its trouble, if it has one. */
void credential_connections_end_trouble(struct credential_connections *conns);
/* Closes at once; pushes in flight are lost. */
void credential_connections_close(struct credential_connections *conns, const char *why);
bool credential_connections_is_empty(
	const struct credential_connections *conns); /* no connections */

size_t credential_connections_in_flight(const struct credential_connections *conns);
unsigned credential_connections_connections(const struct credential_connections *conns);
void credential_connections_describe(const struct credential_connections *conns,
	void (*each)(void *ctx, const struct sender_way *way), void *ctx);
uint64_t credential_connections_answered(const struct credential_connections *conns);

#endif

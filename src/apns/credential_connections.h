/*
 * credential_connections - the way to Apple with one credential: its connections, when to make one,
 * and the hold.
 *
 * Private to the stage; sender.c has one for each credential and calls
 * credential_connections_answer, credential_connections_offer_room and credential_connections_flush
 * at the end of a loop turn in which something changed.  It connects only when somebody asked for
 * room and there was none, so an idle daemon does not knock at Apple's door.
 *
 * A credential is open; held, when Apple refuses it; probing, while one push is out to see whether
 * Apple still does; or retired, when another has taken its place.  Loop thread.
 */
#ifndef MAILPUSH_APNS_CREDENTIAL_CONNECTIONS_H
#define MAILPUSH_APNS_CREDENTIAL_CONNECTIONS_H

#include "apns/connection.h"
#include "apns/sender_types.h"
#include "credential/provider.h"

#include <openssl/ssl.h>
#include <stdbool.h>
#include <stddef.h>

/* What all of a sender's share; borrowed by them. */
struct credential_connections_settings {
	uv_loop_t *loop;
	const struct sender_settings *sender;
	const char *authority;
	X509_STORE *trust;
	const struct sender_callbacks *callbacks;
	void *callbacks_ctx;
	void (*changed)(void *ctx); /* the functions for the end of a turn are wanted */
	void *ctx;
	unsigned *next_connection_id;
	struct provider_list *providers;
};

struct credential_connections;

/* Takes the credential over.  Never fails: what is wrong with it is its trouble. */
struct credential_connections *credential_connections_new(
	const struct credential_connections_settings *settings, struct credential *credential);
/* With no connections left.  The loop frees it when its handles are closed. */
void credential_connections_free(struct credential_connections *conns);

const struct credential *credential_connections_credential(
	const struct credential_connections *conns);

size_t credential_connections_room(struct credential_connections *conns);
/* Is it taken?  Not so when credential_connections_room says 0 now. */
bool credential_connections_push(struct credential_connections *conns, struct sender_push *push);
void credential_connections_hold(struct credential_connections *conns, const char *why);
/* One on hold is not probed later. */
void credential_connections_probe_now(struct credential_connections *conns);
/* Somebody looks on: in a trouble the next attempt is not put off, as far as hurry_least_ms allows.
 */
void credential_connections_hurry(struct credential_connections *conns);

/*
 * The end of a turn, in this order for all of them: answers out, room offered, all written.  Each
 * step tells the sender's user and may so be led back into any function above.
 */
void credential_connections_answer(struct credential_connections *conns);
void credential_connections_offer_room(struct credential_connections *conns);
void credential_connections_flush(struct credential_connections *conns);

/* Takes no pushes any more and tells no state; connections finish what they have. */
void credential_connections_retire(struct credential_connections *conns, const char *why);
/* Its trouble, if there is one, is nobody's any more: says that it is over. */
void credential_connections_end_trouble(struct credential_connections *conns);
/* At once; what is in flight is lost. */
void credential_connections_close(struct credential_connections *conns, const char *why);
bool credential_connections_is_empty(
	const struct credential_connections *conns); /* no connections */

size_t credential_connections_in_flight(const struct credential_connections *conns);
unsigned credential_connections_connections(const struct credential_connections *conns);
void credential_connections_describe(const struct credential_connections *conns,
	void (*each)(void *ctx, const struct sender_way *way), void *ctx);
uint64_t credential_connections_answered(const struct credential_connections *conns);

#endif

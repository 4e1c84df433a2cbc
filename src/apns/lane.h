/*
 * lane - the way to Apple with one credential: its connections, when to make one, and the hold.
 *
 * Private to the stage; sender.c owns the lanes and calls lane_answer, lane_offer_room and
 * lane_flush at the end of a loop turn in which something changed.  A lane connects only when
 * somebody asked for room and there was none, so an idle daemon without pushes does not knock at
 * Apple's door.  Loop thread.
 */
#ifndef MAILPUSH_APNS_LANE_H
#define MAILPUSH_APNS_LANE_H

#include "apns/connection.h"
#include "apns/provider.h"
#include "apns/sender.h"

#include <openssl/ssl.h>
#include <stdbool.h>
#include <stddef.h>

/* What all lanes of a sender share; borrowed by them. */
struct lane_settings {
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

struct lane;

/* Takes the credential over.  Never fails: what is wrong with it stands in the lane's state. */
struct lane *lane_new(const struct lane_settings *settings, struct credential *credential);
/* With no connections left.  The loop frees it when its handles are closed. */
void lane_free(struct lane *lane);

const struct credential *lane_credential(const struct lane *lane);

size_t lane_room(struct lane *lane);
/* Is it taken?  Not so when lane_room says 0 now. */
bool lane_push(struct lane *lane, struct sender_push *push);
void lane_hold(struct lane *lane, const char *why);
/* One on hold is not probed later. */
void lane_probe_now(struct lane *lane);
/* Somebody looks on: in a trouble the next attempt is not put off, as far as hurry_least_ms allows.
 */
void lane_hurry(struct lane *lane);

/*
 * The end of a turn, in this order for all lanes: answers out, room offered, all written.  Each
 * step tells the sender's user and may so be led back into any function above.
 */
void lane_answer(struct lane *lane);
void lane_offer_room(struct lane *lane);
void lane_flush(struct lane *lane);

/* Takes no pushes any more and tells no state; connections finish what they have. */
void lane_retire(struct lane *lane, const char *why);
/* Its trouble, if there is one, is nobody's any more: says that it is over. */
void lane_end_trouble(struct lane *lane);
/* At once; what is in flight is lost. */
void lane_close(struct lane *lane, const char *why);
bool lane_is_empty(const struct lane *lane); /* no connections */

size_t lane_in_flight(const struct lane *lane);
unsigned lane_connections(const struct lane *lane);
void lane_describe(
	const struct lane *lane, void (*each)(void *ctx, const struct sender_way *way), void *ctx);
uint64_t lane_answered(const struct lane *lane);

#endif

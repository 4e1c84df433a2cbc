/*
 * dovecot_door - the door for Dovecot's plugin (docs/dovecot-events.md): for whom counts what a
 * process says?
 *
 * Any local user may come.  The users in dovecot_users, root and the daemon's own may speak for all
 * users, as Dovecot does for virtual users.  Any other peer is refused: a user of the system and a
 * mail user of the same name may be two people.  With dovecot_system_users they are one, and such a
 * peer speaks for the user whose name its uid has, and for nobody else; the event's parser holds it
 * to that.
 *
 * While half of max_waiting waits, such a peer is told to try again, so that the rest is for
 * others.
 *
 * Requests wait here for the name of a uid (user_names.h), nowhere else.  Loop thread only.
 */
#ifndef MAILPUSH_ARRIVAL_DOVECOT_DOOR_H
#define MAILPUSH_ARRIVAL_DOVECOT_DOOR_H

#include "arrival/arrivals.h"

#include <stdbool.h>

struct dovecot_door;

/* All of it outlives the door. */
struct dovecot_door_needs {
	uv_loop_t *loop;
	const struct config *config;
	struct arrivals *arrivals;
	struct metrics *metrics;
	/* The answer to phones of this user; "": there is none.  Valid until it is asked again. */
	const char *(*topic)(void *ctx, const char *user);
	void *ctx;
};

struct dovecot_door *dovecot_door_new(const struct dovecot_door_needs *needs);
/* It was stopped.  The loop must run once more. */
void dovecot_door_free(struct dovecot_door *door);

/* A notification of class DOVECOT; its sender is set. */
void dovecot_door_take(struct dovecot_door *door, const struct notification *notification,
	struct arrival_waiter waiter);
/* Does it still wait for the name of its sender? */
bool dovecot_door_holds(const struct dovecot_door *door, const void *who);
/* Whoever waits for a name gets -EAGAIN, now and from now on. */
void dovecot_door_stop(struct dovecot_door *door);

#endif

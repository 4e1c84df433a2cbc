/*
 * delivery - a push's way out: from the queue to Apple, and what follows from the answer.
 *
 *   queue -> sender -> verdict -> queue (settled, again later) or registry (forget)
 *
 * Takes from the queue as many pushes as the sender has room for, at the end of every loop turn
 * and when the queue says that something falls due.
 *
 * Loop thread only.
 */
#ifndef MAILPUSH_FLOW_DELIVERY_H
#define MAILPUSH_FLOW_DELIVERY_H

#include "flow/core.h"

struct delivery;

struct delivery *delivery_new(struct core *core);
/* Ends the timers; flights must be over. */
void delivery_free(struct delivery *delivery);

/* Something may be due: look at the end of this turn. */
void delivery_wake(struct delivery *delivery);
/* The registration was made again: that its token was for another topic counts no more. */
void delivery_forgive(struct delivery *delivery, const struct registry_key *key);
/* It is gone: nothing that Apple said of its token counts any more. */
void delivery_gone(struct delivery *delivery, const struct registry_key *key);
/* Apple refuses the credential of this topic, by this answer. */
void delivery_hold(struct core *core, const char *topic, const struct apns_answer *answer);
/* No more pushes are taken from the queue. */
void delivery_stop(struct delivery *delivery);

/* The sender's callbacks; ctx is the core. */
extern const struct sender_callbacks delivery_sender_callbacks;

#endif

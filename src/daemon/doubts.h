/*
 * doubts - topics on which Apple calls device tokens bad, and has called none good so far.
 *
 * That may be the wrong host or certificate, so it is an alarm and no phone is forgotten.  The
 * doubt about a topic ends when a push on it is taken, or when the registrations that it began with
 * are gone.  A registration that is made again does not end it: it is pushed to next, which shows.
 *
 * Of a topic DOUBTS_KNOWN_MAX registrations are remembered: any other one is tried again within
 * minutes, and so begins the doubt anew if it has to.  Memory alone: a start knows of none.  Loop
 * thread.
 */
#ifndef MAILPUSH_DAEMON_DOUBTS_H
#define MAILPUSH_DAEMON_DOUBTS_H

#include "registry/target.h"

#include <stdbool.h>

#define DOUBTS_TOPICS_MAX 32 /* further topics are not doubted */
#define DOUBTS_KNOWN_MAX 8

/* The doubt about the topic begins, or ends.  Must not call back. */
typedef void doubts_changed_fn(void *ctx, const char *topic, bool is_doubted);

struct doubts;

struct doubts *doubts_new(doubts_changed_fn *changed, void *ctx);
void doubts_free(struct doubts *doubts);

/* Apple called the token of this registration bad. */
void doubts_refused(struct doubts *doubts, const struct target *target);
/* A push to it was taken. */
void doubts_taken(struct doubts *doubts, const struct target *target);
/* It is gone. */
void doubts_gone(struct doubts *doubts, const struct registry_key *key);

#endif

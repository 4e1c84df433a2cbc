/*
 * bad_tokens - topics on which Apple calls device tokens bad, and has called none good so far.
 *
 * That may be the wrong host or certificate, so it is an alarm and no phone is forgotten.  The
 * doubt about a topic ends when a push on it is taken, or when the registrations that it began with
 * are gone.  A registration that is made again does not end it: it is pushed to next, which shows.
 *
 * Of a topic BAD_TOKENS_KNOWN_MAX registrations are remembered: any other one is tried again within
 * minutes, and so begins the doubt anew if it has to.  Memory alone: a start knows of none.  Loop
 * thread.
 */
#ifndef MAILPUSH_FLOW_BAD_TOKENS_H
#define MAILPUSH_FLOW_BAD_TOKENS_H

#include "registry/push_target.h"

#include <stdbool.h>

#define BAD_TOKENS_TOPICS_MAX 32 /* further topics are not doubted */
#define BAD_TOKENS_KNOWN_MAX 8

/* The doubt about the topic begins, or ends.  Must not call back. */
typedef void bad_tokens_changed_fn(void *ctx, const char *topic, bool is_doubted);

struct bad_tokens;

struct bad_tokens *bad_tokens_new(bad_tokens_changed_fn *changed, void *ctx);
void bad_tokens_free(struct bad_tokens *bad_tokens);

/* Apple called the token of this registration bad. */
void bad_tokens_refused(struct bad_tokens *bad_tokens, const struct push_target *target);
/* A push to it was taken. */
void bad_tokens_taken(struct bad_tokens *bad_tokens, const struct push_target *target);
/* It is gone. */
void bad_tokens_gone(struct bad_tokens *bad_tokens, const struct registry_key *key);

#endif

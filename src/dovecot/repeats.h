/*
 * repeats - news that repeats itself: sent when it begins, and again at the end of each second.
 *
 * A client that changes a thousand messages one by one makes a thousand times the same news of one
 * mailbox, and to a phone it is one.  So it costs Dovecot next to nothing.  What is held back is
 * sent when its second is over, at the latest when the user goes.
 *
 * One for each user; it tells through the function that it was given.
 */
#ifndef MAILPUSH_DOVECOT_REPEATS_H
#define MAILPUSH_DOVECOT_REPEATS_H

#include "dovecot/api.h"

#define REPEATS_MS 1000
#define REPEATS_MAX 16 /* different news that is remembered; more is sent at once */

struct repeats;

typedef void repeats_tell_fn(struct mail_user *user, const char *json, size_t size);

struct repeats *repeats_new(struct mail_user *user, repeats_tell_fn *tell);
/* Tells what is held back. */
void repeats_free(struct repeats **repeats);

/* Was news with this key sent within the last second?  Then it will be again, at its end. */
bool repeats_holds(struct repeats *repeats, const char *key);
/* This was sent just now. */
void repeats_note(struct repeats *repeats, const char *key, const char *json, size_t size);

/* Sends what is held back, so that it does not come after what is sent next. */
void repeats_flush(struct repeats *repeats);

#endif

/*
 * misfits - phones of whose token Apple says that it is not for the topic: too many of them?
 *
 * One is a phone with an old registration.  Many are a certificate or a topic that is another than
 * before: no phone's fault, and worth an alarm.  They are too many when
 *
 *   MISFITS_USERS users in a row are refused, with no push on the topic taken in between, and not
 *   all of their phones have registered again or are gone, or
 *   MISFITS_PHONES phones or more are, and these are more than one in MISFITS_SHARE of those pushed
 *   to within an hour.
 *
 * That begins with one that is refused, and ends when neither holds any more.  Until then those
 * that were refused stay counted, however long ago that was: they are not pushed to, so only their
 * new registration, or their end, shows that something was done about it.
 *
 * Phones are known by the key of their registration, which is as good as random: beyond
 * MISFITS_KNOWN_MAX of a topic only those count whose key begins with enough zero bits, which is a
 * fair sample.  Memory alone: a start knows of none.  Loop thread.
 */
#ifndef MAILPUSH_DAEMON_MISFITS_H
#define MAILPUSH_DAEMON_MISFITS_H

#include "registry/target.h"

#include <stdbool.h>
#include <stdint.h>

#define MISFITS_TOPICS_MAX 32 /* further topics are not counted */
#define MISFITS_USERS 5
#define MISFITS_PHONES 5
#define MISFITS_SHARE 10
#define MISFITS_WINDOW_MS (60 * 60 * 1000)
#define MISFITS_KNOWN_MAX 2048

/* They have become too many on the topic, or are not any more.  Must not call back. */
typedef void misfits_changed_fn(void *ctx, const char *topic, bool are_many);

struct misfits;

struct misfits *misfits_new(misfits_changed_fn *changed, void *ctx);
void misfits_free(struct misfits *misfits);

/* `now_ms` is monotonic. */
void misfits_refused(struct misfits *misfits, const struct target *target, int64_t now_ms);
/* A push to it was taken. */
void misfits_taken(struct misfits *misfits, const struct target *target, int64_t now_ms);
/* It has registered again, or is gone. */
void misfits_forgive(struct misfits *misfits, const struct registry_key *key, int64_t now_ms);

#endif

/*
 * wrong_topic - phones of whose token Apple says that it is not for the topic: too many of them?
 *
 * One is a phone with an old registration.  Many are a certificate or a topic that is another than
 * before: no phone's fault, and worth an alarm.  They are too many when
 *
 *   WRONG_TOPIC_USERS users in a row are refused, with no push on the topic taken in between, and
 * not all of their phones have registered again or are gone, or WRONG_TOPIC_PHONES phones or more
 * are, and these are more than one in WRONG_TOPIC_SHARE of those pushed to within an hour.
 *
 * That begins with one that is refused, and ends when neither holds any more.  Until then those
 * that were refused stay counted, however long ago that was: they are not pushed to, so only their
 * new registration, or their end, shows that something was done about it.
 *
 * Phones are known by the key of their registration, which is as good as random: beyond
 * WRONG_TOPIC_KNOWN_MAX of a topic only those count whose key begins with enough zero bits, which
 * is a fair sample.  Memory alone: a start knows of none.  Loop thread.
 */
#ifndef MAILPUSH_FLOW_WRONG_TOPIC_H
#define MAILPUSH_FLOW_WRONG_TOPIC_H

#include "registry/push_target.h"

#include <stdbool.h>
#include <stdint.h>

#define WRONG_TOPIC_TOPICS_MAX 32 /* further topics are not counted */
#define WRONG_TOPIC_USERS 5
#define WRONG_TOPIC_PHONES 5
#define WRONG_TOPIC_SHARE 10
#define WRONG_TOPIC_WINDOW_MS (60 * 60 * 1000)
#define WRONG_TOPIC_KNOWN_MAX 2048

/* They have become too many on the topic, or are not any more.  Must not call back. */
typedef void wrong_topic_changed_fn(void *ctx, const char *topic, bool are_many);

struct wrong_topic;

struct wrong_topic *wrong_topic_new(wrong_topic_changed_fn *changed, void *ctx);
void wrong_topic_free(struct wrong_topic *wrong_topic);

/* `now_ms` is monotonic. */
void wrong_topic_refused(
	struct wrong_topic *wrong_topic, const struct push_target *target, int64_t now_ms);
/* A push to it was taken. */
void wrong_topic_taken(
	struct wrong_topic *wrong_topic, const struct push_target *target, int64_t now_ms);
/* It has registered again, or is gone. */
void wrong_topic_forgive(
	struct wrong_topic *wrong_topic, const struct registry_key *key, int64_t now_ms);

#endif

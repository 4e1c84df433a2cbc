/*
 * topic_health - troubles of whole topics.
 *
 * TOPIC_NO_CREDENTIAL: pushes on it are due, and no credential is for it.
 *
 * TOPIC_BAD_TOKENS: Apple calls device tokens bad, and has called none good so far.  That may be
 * the wrong host or certificate, so no phone is forgotten.  It ends when a push is taken, or when
 * the registrations that it began with are gone.  One that registers again does not end it: it is
 * pushed to next, which shows.  TOPIC_HEALTH_BAD_MAX registrations are remembered: any other one is
 * tried again within minutes, and so begins it again if it has to.
 *
 * TOPIC_MISMATCH: Apple says of too many phones that their token is not for the topic.  One is a
 * phone with an old registration.  Many are a certificate or a topic that is another than before:
 * no phone's fault.  They are too many when TOPIC_HEALTH_USERS users in a row are refused, with no
 * push on the topic taken in between, and not all of their phones have registered again or are
 * gone, or when TOPIC_HEALTH_PHONES phones or more are, and these are more than one in
 * TOPIC_HEALTH_SHARE of those pushed to within an hour.  That begins with one that is refused, and
 * ends when neither holds any more.  Until then those that were refused stay counted, however long
 * ago that was: they are not pushed to, so only their new registration, or their end, shows that
 * something was done about it.  Phones are known by the key of their registration, which is as good
 * as random: beyond TOPIC_HEALTH_KNOWN_MAX of a topic only those count whose key begins with enough
 * zero bits, which is a fair sample.
 *
 * Memory alone: a start knows of no trouble.  Loop thread.
 */
#ifndef MAILPUSH_STATS_TOPIC_HEALTH_H
#define MAILPUSH_STATS_TOPIC_HEALTH_H

#include "registry/push_target.h"

#include <stdbool.h>
#include <stdint.h>

#define TOPIC_HEALTH_TOPICS_MAX 32 /* further topics have no trouble */
#define TOPIC_HEALTH_BAD_MAX 8
#define TOPIC_HEALTH_USERS 5
#define TOPIC_HEALTH_PHONES 5
#define TOPIC_HEALTH_SHARE 10
#define TOPIC_HEALTH_WINDOW_MS (60 * 60 * 1000)
#define TOPIC_HEALTH_KNOWN_MAX 2048

enum topic_trouble { TOPIC_NO_CREDENTIAL, TOPIC_BAD_TOKENS, TOPIC_MISMATCH, TOPIC_TROUBLES };

/* A trouble begins, or ends.  Must not call back. */
typedef void topic_health_changed_fn(
	void *ctx, const char *topic, enum topic_trouble trouble, bool begins);

struct topic_health;

struct topic_health *topic_health_new(topic_health_changed_fn *changed, void *ctx);
void topic_health_free(struct topic_health *health);

/* A look at all topics with pushes that are due: those without a credential, then its end. */
void topic_health_no_credential(struct topic_health *health, const char *topic);
void topic_health_looked(struct topic_health *health);

/* What Apple said to a push.  `now_ms` is monotonic. */
void topic_health_bad_token(struct topic_health *health, const struct push_target *target);
void topic_health_mismatch(
	struct topic_health *health, const struct push_target *target, int64_t now_ms);
void topic_health_taken(
	struct topic_health *health, const struct push_target *target, int64_t now_ms);

/* The registration was made again; or it is gone. */
void topic_health_renewed(
	struct topic_health *health, const struct registry_key *key, int64_t now_ms);
void topic_health_gone(struct topic_health *health, const struct registry_key *key, int64_t now_ms);

#endif

/*
 * probe - a push to a device that cannot exist, to learn what Apple says to a credential.
 *
 * It goes over the connection that all pushes with that topic use, past the schedule and without a
 * trace in it, in the metrics or among the failures.  The owner of the probes launches them, hands
 * the answers back, and holds a credential that Apple refuses, as after a push to a phone.
 *
 * Loop thread only.
 */
#ifndef MAILPUSH_FLOW_PROBE_H
#define MAILPUSH_FLOW_PROBE_H

#include "apns/sender.h"

struct probe;
struct probes; /* those that wait for room */

/* `wanted`: there is one to launch. */
struct probes *probes_new(void (*wanted)(void *ctx), void *ctx);
/* None is left. */
void probes_free(struct probes *probes);

/* Apple looks at the token only after it has accepted the credential and the topic. */
bool probe_is_accepted(const struct apns_answer *answer);
/* Apple refuses our credential.  If neither holds, the service did not do its work. */
bool probe_is_refused(const struct verdict *verdict);

enum probe_turn {
	PROBE_FIRST, /* somebody waits for the answer */
	PROBE_AFTER_PUSHES,
};

/* `answered` is called once, later; the probe is gone then. */
struct probe *probe_new(struct probes *probes, const char *topic, enum probe_turn turn,
	void (*answered)(
		void *ctx, const struct apns_answer *answer, const struct verdict *verdict),
	void *ctx);
/* `answered` is not called any more. */
void probe_cancel(struct probe *probe);

/* Launches those of this turn for which there is room. */
void probes_launch(struct probes *probes, struct sender *sender, enum probe_turn turn);
void probe_answered(
	struct sender_push *push, const struct apns_answer *answer, const struct verdict *verdict);

#endif

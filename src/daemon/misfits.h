/*
 * misfits - users in a row whose device token Apple finds not to be for the topic.
 *
 * One is a phone with an old registration.  Several users in a row, and no push on the topic taken
 * in between, are a certificate or a topic that is another than before: no phone's fault, and worth
 * an alarm.  Counts only; loop thread.
 */
#ifndef MAILPUSH_DAEMON_MISFITS_H
#define MAILPUSH_DAEMON_MISFITS_H

#include <stdbool.h>

#define MISFITS_TOPICS_MAX 32 /* further topics are not counted */
#define MISFITS_USERS 5	      /* in a row are too many */

struct misfits {
	struct {
		char *topic;
		char *user;	/* the last one */
		unsigned users; /* in a row */
	} topics[MISFITS_TOPICS_MAX];
	unsigned count;
};

void misfits_init(struct misfits *misfits);
void misfits_fini(struct misfits *misfits);
/* Returns whether there are too many by now. */
bool misfits_add(struct misfits *misfits, const char *topic, const char *user);
/* A push on the topic was taken: begins again.  Returns whether there were too many. */
bool misfits_taken(struct misfits *misfits, const char *topic);

#endif

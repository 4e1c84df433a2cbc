/*
 * delivery - gives news to mailpushd; what it does not acknowledge in time is kept on disk.
 *
 * Mail waits meanwhile: so all that is sent one after the other, as one command or one message for
 * many users makes it, waits for DELIVERY_WAIT_MS together.  What the process does in between gives
 * as much time back as it takes, so that a daemon that is only slow may be asked again and again.
 * After a daemon that gave no answer in time, news is kept at once for some seconds.
 *
 * Kept means a file in the daemon's spool folder (intake/spoolfile.h).  Who may not write there,
 * which is each user of a site whose mail processes run as their users, has the setgid program
 * mailpush-dovecot-keep write it; nothing waits for that.  Who may write does, and waits for the
 * disk, however long it takes.
 *
 * Knows nothing of Dovecot.  One thread: it remembers, for the whole process, how long mail waited,
 * when the daemon was silent and when something was said of it.
 */
#ifndef MAILPUSH_DOVECOT_DELIVERY_H
#define MAILPUSH_DOVECOT_DELIVERY_H

#include "base/buf.h"
#include "base/err.h"
#include "notify/daemon_client.h"

#include <stdbool.h>
#include <stddef.h>

#define DELIVERY_WAIT_MS 200
/* A longer request may not fit into the pipe to mailpush-dovecot-keep at once. */
#define DELIVERY_NEWS_MAX (32 * 1024)

struct delivery {
	const char *socket; /* of mailpushd */
	const char *spool;  /* its folder for what is kept */
	const char *keep;   /* the path of mailpush-dovecot-keep */
};

enum delivery_outcome {
	DELIVERY_DONE,	  /* acknowledged or kept, and nothing need be said */
	DELIVERY_KEPT,	  /* kept; the text says why */
	DELIVERY_REFUSED, /* the daemon does not take it from this user: dropped */
	DELIVERY_LOST,
};

/* News of a mailbox.  The text is for the log; what others can cause is said seldom. */
enum delivery_outcome delivery_news(
	const struct delivery *way, const void *json, size_t size, struct err *err);

/* The request that carries it. */
int delivery_write(const void *json, size_t size, struct buf *ret, struct err *err);

/* A question, for which mail waits no longer: answered by the topic, else a negative errno. */
int delivery_ask(const struct delivery *way, const void *json, size_t size,
	char ret_topic[DAEMON_CLIENT_VALUE_SIZE], struct err *err);

/* Did the daemon give no answer within the last seconds? */
bool delivery_is_silent(const struct delivery *way);

#endif

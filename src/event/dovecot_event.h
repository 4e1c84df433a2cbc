/*
 * dovecot_event - the JSON of Dovecot's plugin (docs/dovecot-events.md), understood: the same
 * struct mail_event as Cyrus' events become, or the question for the topic.
 *
 * Everything here comes from outside, from any local user, and is not trusted: sizes are bounded,
 * strings validated.  Names are UTF-8 with `/` between levels, whatever Dovecot's namespaces look
 * like.  Unknown keys are ignored; unknown events become EVENT_OTHER.
 *
 * Pure; any thread.
 */
#ifndef MAILPUSH_EVENT_DOVECOT_EVENT_H
#define MAILPUSH_EVENT_DOVECOT_EVENT_H

#include "base/err.h"
#include "event/bounds.h"
#include "event/event.h"

#include <stddef.h>

#define DOVECOT_EVENT_MAX (64 * 1024)	      /* bytes of JSON */
#define DOVECOT_REGISTRATION_MAX (256 * 1024) /* the same of a registration */
#define DOVECOT_EVENT_SEPARATOR '/'
#define DOVECOT_EVENT_GUID_SIZE 32 /* hex digits */

struct dovecot_sender {
	/* The one user for whom it counts what he says; NULL: who may speak for all. */
	const char *speaker;
	/* The answer to phones; "": there is none.  NULL: no phone waits for an answer, as what
	   was kept comes late, and so none can register. */
	const char *topic;
};

/*
 * *ret: NULL if it asks for the topic, else the event.  Of a registration, mailboxes of others than
 * the speaker do not count, and neither do those whose names are none.
 *
 * Fails with -EINVAL, and -EMSGSIZE beyond a bound; -EPERM: the speaker names another user, or
 * another's mailbox, and the text begins with "not allowed"; -ENOENT: there is no topic.  Texts
 * quote at most a few escaped bytes.
 */
int dovecot_event_parse(const char *json, size_t size, const struct dovecot_sender *sender,
	struct mail_event **ret, struct err *err);

/*
 * Whose phone asks for the topic, or registers, as it came; "" if it does neither, or makes no
 * sense.
 */
void dovecot_event_asker(const char *json, size_t size, char ret[MAILBOX_USER_MAX + 1]);

#endif

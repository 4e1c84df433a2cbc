/*
 * xaps_event - what Dovecot's plugin for xapsd says, in a form of our own, so that it can be parked
 * like any event, and what it means.
 *
 * Everything in it comes from outside and is not trusted; it is as strictly validated as other
 * events.  A registration's mailboxes are names that a phone typed in a Dovecot whose namespaces
 * nobody tells us, so each is read as a folder of the user's own.  News is about INBOX alone.
 *
 * Pure; any thread.
 */
#ifndef MAILPUSH_EVENT_XAPS_EVENT_H
#define MAILPUSH_EVENT_XAPS_EVENT_H

#include "base/err.h"
#include "event/event.h"

#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>

/* A topic of so many characters, or of fewer, ends that plugin of Dovecot 2.3 and its process. */
#define XAPS_EVENT_SHORT_TOPIC 50
#define XAPS_EVENT_SHORT_TEXT                                                               \
	"so short that the xaps plugin for Dovecot 2.3 ends its imap process when a phone " \
	"registers; use the plugin dovecot-mailpush, or another one for xapsd that has no " \
	"such limit"

struct xaps_event_registration {
	const char *user;
	const char *token;
	const char *account_id;
	const char *subtopic;
	json_t *mailboxes; /* an array of names */
	const char *topic; /* in the answer to the phone */
};

/* As JSON on one line; free it.  NULL: a text is not UTF-8. */
char *xaps_event_write_registration(const struct xaps_event_registration *registration);
/* `name` of an event as Dovecot has it: MessageNew, FlagsSet, ... */
char *xaps_event_write_news(const char *user, const char *name);

/* Was it written here? */
bool xaps_event_is(const char *json, size_t size);
/*
 * One that was.  `folds_users`: users have no upper case.  Fails with -EINVAL or -EMSGSIZE like
 * event_parse.
 */
int xaps_event_parse(
	const char *json, size_t size, bool folds_users, struct mail_event **ret, struct err *err);

/* How the mailboxes of a registration are to be read. */
struct mailbox_namespace xaps_event_names(bool folds_users);

#endif

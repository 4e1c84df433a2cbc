/*
 * user_site - the names of Dovecot's users where these are of a site of their own (dovecot_site).
 *
 * alice of Dovecot is then another person than alice of Cyrus, and is known as SITE/alice: in the
 * registry, the queue, the trace and the log, and to whoever gives a command.  An event gets these
 * names when it comes in, so that nothing behind it knows of two sites.  A folder without an owner
 * gets the owner SITE/, which is no user's name.
 *
 * Pure; any thread.
 */
#ifndef MAILPUSH_EVENT_USER_SITE_H
#define MAILPUSH_EVENT_USER_SITE_H

#include "base/err.h"
#include "event/event.h"

#include <stdbool.h>

#define USER_SITE_MAX 64 /* bytes of its name, in lower case and without the separator */
#define USER_SITE_SEPARATOR "/"

/* `site` is "" here and below where there is no such site. */

/* The user's name there; free it. */
char *user_site_name(const char *site, const char *user);
/* Is this the name of a user there? */
bool user_site_has(const char *site, const char *user);
/* Gives all users and owners in the event their names there.  Readers, and mailboxes of a
   registration, whose user's name is beyond MAILBOX_USER_MAX then are left out.  -EMSGSIZE: another
   user's is, and the event is as it was. */
int user_site_enter(const char *site, struct mail_event *event, struct err *err);
/* -EINVAL: an event from elsewhere names a user there. */
int user_site_guard(const char *site, const struct mail_event *event, struct err *err);

#endif

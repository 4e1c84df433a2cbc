/*
 * changes - what Dovecot's notify plugin says of mailboxes and messages, sent to mailpushd.
 *
 * A transaction becomes one event for each kind of change in it, when it is committed: it carries
 * neither messages nor numbers, as a push only says that a mailbox changed.  What happens in a
 * virtual mailbox is told by the mailboxes behind it.
 *
 * We listen to the notify plugin and are no driver of push_notification, because only there copies
 * differ from appends and moves from copies, and a rename comes with both mailboxes.
 */
#ifndef MAILPUSH_DOVECOT_CHANGES_H
#define MAILPUSH_DOVECOT_CHANGES_H

#include "dovecot/api.h"

extern const struct notify_vfuncs changes_listener;

struct session;
/* The user goes: tells what is held back. */
void changes_end(struct session *session);

#endif

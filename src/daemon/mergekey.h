/*
 * mergekey - what makes two pieces of news one: the same action and mailbox, which the ACL lets its
 * owner read or not (of two mailboxes with one name it believes another).
 *
 * Pure; any thread.
 */
#ifndef MAILPUSH_DAEMON_MERGEKEY_H
#define MAILPUSH_DAEMON_MERGEKEY_H

#include "daemon/relay.h"
#include "event/event.h"

#include <stddef.h>

/* How many bytes the key has at most. */
size_t mergekey_room(const struct mail_event *event);
/* Returns how many it has. */
size_t mergekey_write(char *to, enum relay_action action, const struct mail_event *event);

#endif

/*
 * merge_key - the key by which news is merged: action and mailbox, and whether the ACL lets its
 * owner read it (which decides of two mailboxes with one name).
 *
 * Pure; any thread.
 */
#ifndef MAILPUSH_ARRIVAL_MERGE_KEY_H
#define MAILPUSH_ARRIVAL_MERGE_KEY_H

#include "event/event.h"
#include "event/relay.h"

#include <stddef.h>

/* How many bytes the key has at most. */
size_t merge_key_room(const struct mail_event *event);
/* Returns how many it has. */
size_t merge_key_write(char *to, enum relay_action action, const struct mail_event *event);

#endif

/*
 * event_log - what the log says of an event by itself.
 *
 * Loop thread only.
 */
#ifndef MAILPUSH_ARRIVAL_EVENT_LOG_H
#define MAILPUSH_ARRIVAL_EVENT_LOG_H

#include "event/event.h"
#include "event/relay.h"

#include <stdbool.h>

void event_log_came(const struct mail_event *event, enum relay_action action, const char *through);
/* A registration names more mailboxes than are kept. */
void event_log_left_out(const struct event_registration *registration);
/* It was deleted, or else it moved. */
void event_log_mailbox_change(const struct mailbox *old, bool is_delete);

#endif

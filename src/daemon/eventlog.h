/*
 * eventlog - what the log says of an event by itself.
 *
 * Loop thread only.
 */
#ifndef MAILPUSH_DAEMON_EVENTLOG_H
#define MAILPUSH_DAEMON_EVENTLOG_H

#include "daemon/relay.h"
#include "event/event.h"

#include <stdbool.h>

void eventlog_came(const struct mail_event *event, enum relay_action action, const char *through);
/* A registration names more than counts. */
void eventlog_left_out(const struct event_registration *registration);
/* It was deleted, or else it moved. */
void eventlog_mailbox_change(const struct mail_event *event, bool is_delete);

#endif

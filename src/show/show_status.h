/*
 * show_status - the state of the daemon, as text: `mailpushctl status`.
 */
#ifndef MAILPUSH_SHOW_SHOW_STATUS_H
#define MAILPUSH_SHOW_SHOW_STATUS_H

#include <jansson.h>

void show_status(const json_t *status);
/* "on hold since ...", of a credential; it goes after the name and before the reason. */
void show_status_hold(const json_t *hold);

#endif

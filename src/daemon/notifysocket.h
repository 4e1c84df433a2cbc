/*
 * notifysocket - a socket as Cyrus' notifysocket names it: /path, or dlist:/path.
 *
 * Pure.
 */
#ifndef MAILPUSH_DAEMON_NOTIFYSOCKET_H
#define MAILPUSH_DAEMON_NOTIFYSOCKET_H

#include <stdbool.h>

/* The path, which lies in `target`, and whether dlist is spoken there; NULL for "". */
const char *notifysocket_path(const char *target, bool *ret_is_dlist);

#endif

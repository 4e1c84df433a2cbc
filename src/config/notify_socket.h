/*
 * notify_socket - a socket as Cyrus' notifysocket names it: /path, or dlist:/path.
 *
 * Pure.
 */
#ifndef MAILPUSH_CONFIG_NOTIFY_SOCKET_H
#define MAILPUSH_CONFIG_NOTIFY_SOCKET_H

#include <stdbool.h>

/* The path, which lies in `target`, and whether dlist is spoken there; NULL for "". */
const char *notify_socket_path(const char *target, bool *ret_is_dlist);

#endif

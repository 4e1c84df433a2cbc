/*
 * unknown_user - says that nothing is known of a user: the name is probably another.
 */
#ifndef MAILPUSH_CONSOLE_UNKNOWN_USER_H
#define MAILPUSH_CONSOLE_UNKNOWN_USER_H

#include "console/client.h"

/* On standard error; returns CLIENT_FAILED. */
enum client_exit unknown_user_explain(const char *user);

#endif

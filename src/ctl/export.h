/*
 * export - registrations as JSON lines, and all data of a user.
 */
#ifndef MAILPUSH_CTL_EXPORT_H
#define MAILPUSH_CTL_EXPORT_H

#include "console/client.h"

/* `user` NULL: of all users. */
enum client_exit export_run(const char *user);
enum client_exit export_user(const char *user);

#endif

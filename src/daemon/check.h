/*
 * check - `mailpushd -n`: all that can be known to be wrong before the daemon is started.
 *
 * Prints each finding on standard error with what to do about it.  It opens no database and makes
 * no socket, so that it can run beside the daemon.
 */
#ifndef MAILPUSH_DAEMON_CHECK_H
#define MAILPUSH_DAEMON_CHECK_H

#include "config/config.h"

/* The exit status: 0 if the daemon would start and could push. */
int check_run(const char *path, const struct config *config);

#endif

/*
 * check - `mailpushd -n`: finds what is wrong before the daemon starts.
 *
 * It prints each finding with its remedy on standard error.  It opens no database and creates no
 * socket, so it can run beside the daemon.
 */
#ifndef MAILPUSH_DAEMON_CHECK_H
#define MAILPUSH_DAEMON_CHECK_H

#include "config/config.h"

/* The exit status: 0 if the daemon would start and could push. */
int check_run(const char *path, const struct config *config);

#endif

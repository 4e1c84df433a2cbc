/*
 * parts - starts and stops the parts of the daemon by one list.
 *
 * The list in parts.c gives the order and the reasons for it.
 */
#ifndef MAILPUSH_DAEMON_PARTS_H
#define MAILPUSH_DAEMON_PARTS_H

#include "config/config.h"

/*
 * Runs until SIGTERM or SIGINT, or until the queue turns out to be damaged.  `path`, from which
 * `config` was read, stays valid meanwhile.  Starts and stops the log.  Returns the exit status: 0,
 * or 1 if a part could not start, events were lost or the queue is damaged.  If a thread of libuv
 * still waits for something, it ends the process with that status instead.
 */
int parts_run(const char *path, struct config *config);

#endif

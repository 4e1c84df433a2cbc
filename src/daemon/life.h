/*
 * life - the daemon from its start to its end: the parts are started, the loop runs, the parts are
 * stopped and freed.
 */
#ifndef MAILPUSH_DAEMON_LIFE_H
#define MAILPUSH_DAEMON_LIFE_H

#include "config/config.h"

/*
 * Runs until SIGTERM or SIGINT, or until the queue turns out to be damaged.  `path`, from which
 * `config` was read, stays valid meanwhile.  Starts and stops the log.  Returns the exit status: 0,
 * or 1 if a part could not start, events were lost or the queue is damaged.  If a thread of libuv
 * still waits for something, it ends the process with that status instead.
 */
int life_run(const char *path, struct config *config);

#endif

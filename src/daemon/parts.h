/*
 * parts - starts the parts of the daemon from one list, and stops them by the same list.
 *
 * The list in parts.c says in which order, and why.
 */
#ifndef MAILPUSH_DAEMON_PARTS_H
#define MAILPUSH_DAEMON_PARTS_H

#include "config/config.h"

/*
 * Runs until SIGTERM or SIGINT, or until the queue is found damaged.  `path`, where `config` was
 * read, stays valid meanwhile; the log is started and stopped here.  Returns the exit status: 0, or
 * 1 when a part could not be started, events were lost or the queue is damaged.  It does not
 * return, but ends the process with that status, while a thread of libuv still waits for something.
 */
int parts_run(const char *path, struct config *config);

#endif

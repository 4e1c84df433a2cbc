/*
 * backlog - warns if the kernel lets so few datagrams wait that Cyrus would soon wait for the
 * daemon.
 *
 * The default of Linux is 10, and a socket keeps the value from its creation.  Systems without such
 * a limit (dgramlimit.h) get no warning.
 */
#ifndef MAILPUSH_DAEMON_BACKLOG_H
#define MAILPUSH_DAEMON_BACKLOG_H

/* Call it after the datagram socket at `path` was created. */
void backlog_check(const char *path);

#endif

/*
 * backlog - warns when the kernel lets so few datagrams wait that Cyrus would soon wait for us.
 *
 * Linux' own value is 10, and a socket keeps the value that held when it was made.  Where there is
 * no such limit (dgramlimit.h), nothing is said.
 */
#ifndef MAILPUSH_DAEMON_BACKLOG_H
#define MAILPUSH_DAEMON_BACKLOG_H

/* To be called when the datagram socket at `path` has been made. */
void backlog_check(const char *path);

#endif

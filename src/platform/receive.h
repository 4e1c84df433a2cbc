/*
 * receive - takes many datagrams off a socket at once.  Any thread.
 */
#ifndef MAILPUSH_PLATFORM_RECEIVE_H
#define MAILPUSH_PLATFORM_RECEIVE_H

#include <sys/socket.h>

struct receive {
	struct msghdr header; /* as for recvmsg */
	unsigned size;	      /* bytes that came */
};

/* Takes at most `count` of those that wait into the first of `list`; how many, or -errno.  Never
 * waits.
 */
int receive_waiting(int fd, struct receive *list, unsigned count);

#endif

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

/* Of those that wait, at most `count`, into the first of `list`; how many, or -errno.  No waiting.
 */
int receive_waiting(int fd, struct receive *list, unsigned count);

#endif

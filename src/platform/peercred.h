/*
 * peercred - who is at the other end of a local socket, as the kernel vouches for it.
 *
 * Of a connection every system tells the uid.  Of a datagram some do not: peercred_is_sent tells.
 * Any thread.
 */
#ifndef MAILPUSH_PLATFORM_PEERCRED_H
#define MAILPUSH_PLATFORM_PEERCRED_H

#include <stdbool.h>
#include <stddef.h>
#include <sys/socket.h>
#include <sys/types.h>

struct peercred {
	uid_t uid;
	pid_t pid; /* 0: not known */
};

/* The other end of a connected stream socket; -errno. */
int peercred_of_stream(int fd, struct peercred *ret);

/* Do datagrams come with their sender?  If not, the two functions below do nothing. */
bool peercred_is_sent(void);
/* From now on each datagram that this socket receives does; -errno. */
int peercred_request(int fd);
/* False: this datagram came without. */
bool peercred_of_message(struct msghdr *message, struct peercred *ret);

/* Room for control messages: of at least so many bytes, of which recvmsg is to be given... */
#define PEERCRED_CONTROL_MAX 256
/* ...so many: a passed descriptor does not fit, and the kernel closes it, or peercred_of_message
   does. */
size_t peercred_control_size(void);

#endif

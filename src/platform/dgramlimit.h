/*
 * dgramlimit - how many datagrams may wait in a local socket.
 */
#ifndef MAILPUSH_PLATFORM_DGRAMLIMIT_H
#define MAILPUSH_PLATFORM_DGRAMLIMIT_H

/* What a socket that is made now would get; -1: the system counts no datagrams, or does not tell.
 */
long dgramlimit_read(void);

#endif

/*
 * daemon_client - gives a request to the daemon's stream socket and waits for the acknowledgement.
 *
 * One deadline for all of it: to connect, to send and to be answered.
 */
#ifndef MAILPUSH_NOTIFY_DAEMON_CLIENT_H
#define MAILPUSH_NOTIFY_DAEMON_CLIENT_H

#include "base/err.h"

#include <stddef.h>
#include <stdint.h>

/*
 * 0: the daemon has it on disk.  -EPROTO: it answered otherwise, and the text says what.  Any other
 * error: there is no daemon, or it gave no answer in `wait_ms`; it may have the request even so.
 */
int daemon_client_try(
	const char *path, const void *request, size_t size, int64_t wait_ms, struct err *err);

#endif

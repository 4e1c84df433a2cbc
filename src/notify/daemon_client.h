/*
 * daemon_client - gives a request to the daemon's stream socket and waits for the acknowledgement.
 *
 * One deadline covers connecting, sending and the answer.
 */
#ifndef MAILPUSH_NOTIFY_DAEMON_CLIENT_H
#define MAILPUSH_NOTIFY_DAEMON_CLIENT_H

#include "base/err.h"

#include <stddef.h>
#include <stdint.h>

/*
 * 0: the daemon has it on disk.  -EPROTO: another answer, which is in the text.  Other errors: no
 * daemon, or no answer within `wait_ms`; the daemon may have the request even so.
 */
int daemon_client_try(
	const char *path, const void *request, size_t size, int64_t wait_ms, struct err *err);

#endif

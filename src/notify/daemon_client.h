/*
 * daemon_client - gives a request to the daemon's stream socket and waits for the acknowledgement.
 *
 * Whole, for who may wait: one deadline covers connecting, sending and the answer.  Or step by
 * step, for who has a loop.
 */
#ifndef MAILPUSH_NOTIFY_DAEMON_CLIENT_H
#define MAILPUSH_NOTIFY_DAEMON_CLIENT_H

#include "base/err.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define DAEMON_CLIENT_VALUE_SIZE 256
#define DAEMON_CLIENT_AGAIN_MS 5 /* until the next step, where there is nothing to wait for */

/*
 * 0: the daemon has it on disk.  -EPROTO: another answer, which is in the text.  Other errors: no
 * daemon, or no answer within `wait_ms`; the daemon may have the request even so.
 */
int daemon_client_try(
	const char *path, const void *request, size_t size, int64_t wait_ms, struct err *err);

/* A question that is answered by a value: `OK "value"`.  Errors as above. */
int daemon_client_ask(const char *path, const void *request, size_t size, int64_t wait_ms,
	char ret_value[DAEMON_CLIENT_VALUE_SIZE], struct err *err);

struct daemon_client {
	const char *path; /* borrowed, as the request */
	int fd;
	bool is_connected;
	const char *unsent;
	size_t unsent_size;
	char answer[DAEMON_CLIENT_VALUE_SIZE + 1];
	size_t answer_size;
};

/* After 0 it needs daemon_client_end, whatever becomes of it. */
int daemon_client_begin(struct daemon_client *client, const char *path, const void *request,
	size_t size, struct err *err);
void daemon_client_end(struct daemon_client *client);
/* Does what can be done at once.  0: more is to come; 1: answered; else an error as above. */
int daemon_client_step(struct daemon_client *client, struct err *err);
/* What to poll for before the next step; 0: only DAEMON_CLIENT_AGAIN_MS must pass. */
short daemon_client_awaits(const struct daemon_client *client);
/* When it is answered: the value, as daemon_client_ask. */
int daemon_client_value(
	struct daemon_client *client, char ret_value[DAEMON_CLIENT_VALUE_SIZE], struct err *err);

#endif

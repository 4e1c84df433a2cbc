/*
 * test_push - a test push to a user's devices, and a check of each credential.
 *
 * Handlers of the control socket.  A test push goes through the queue like all pushes; the answer
 * waits for Apple's, for TEST_PUSH_WAIT_MS at most.  The check reads the credentials again, as a
 * reload does.  With `online` it also sends a push to a token of zeros through the daemon's own
 * connection of each: if Apple trusts the credential it complains about the token, otherwise about
 * the credential.
 *
 * Loop thread only.
 */
#ifndef MAILPUSH_ADMIN_TEST_PUSH_H
#define MAILPUSH_ADMIN_TEST_PUSH_H

#include "loop/http.h"
#include "monitor/services.h"

#define TEST_PUSH_WAIT_MS 15000

void test_push(const struct services *services, struct http_request *request, const char *tail);
/* In test_credentials.c. */
void test_credentials(
	const struct services *services, struct http_request *request, const char *tail);

#endif

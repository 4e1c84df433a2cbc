/*
 * test_push - does it work?  A test push to a user's devices, and a look at each credential.
 *
 * Handlers of the control socket.  A test push goes the way of all pushes; the answer waits for
 * what Apple says, for TEST_PUSH_WAIT_MS at most.  Credentials are read again as at a reload, and
 * with `online` each sends a push to a token of zeros through the connection that the daemon itself
 * uses: Apple refuses the token of whom it trusts, and the credential of whom it does not.
 *
 * Loop thread only.
 */
#ifndef MAILPUSH_ADMIN_TEST_PUSH_H
#define MAILPUSH_ADMIN_TEST_PUSH_H

#include "base/http.h"
#include "monitor/services.h"

#define TEST_PUSH_WAIT_MS 15000

void test_push(const struct services *services, struct http_request *request, const char *tail);
/* In test_credentials.c. */
void test_credentials(
	const struct services *services, struct http_request *request, const char *tail);

#endif

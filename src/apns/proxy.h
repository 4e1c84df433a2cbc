/*
 * proxy - asks an HTTP proxy for a tunnel to Apple, and reads its answer (RFC 9110 9.3.6).
 *
 * The proxy resolves the name.  Its answer is the head of an HTTP/1 response; interim responses are
 * skipped.  Only its status counts, and bytes behind the head of a 2xx belong to the tunnel.  Pure.
 */
#ifndef MAILPUSH_APNS_PROXY_H
#define MAILPUSH_APNS_PROXY_H

#include "base/buf.h"
#include "base/err.h"

#include <stddef.h>
#include <stdint.h>

#define PROXY_ANSWER_MAX 8192 /* bytes of all heads; more is refused */
#define PROXY_LOGIN_MAX 255   /* bytes of "user:password" */

/* Appends the request for a tunnel to host and port; `login` NULL: without credentials. */
void proxy_write_request(struct buf *out, const char *host, uint16_t port, const char *login);

/*
 * Reads the bytes received so far.  1: the tunnel is open, its bytes begin at *ret_used.  0:
 * incomplete.  -EPROTO: not HTTP, or too long; -EACCES: refused; `err` gives the reason and the
 * remedy.
 */
int proxy_read_answer(const char *bytes, size_t size, size_t *ret_used, struct err *err);

#endif

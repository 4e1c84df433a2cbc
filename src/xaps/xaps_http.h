/*
 * xaps_http - xapsd's HTTP API: POST /register and POST /notify.
 *
 *   /register  200 with the topic as its whole body; 400: not as it is
 *   /notify    200: taken, or not about INBOX; 204: no phone watches INBOX; 404: the user has no
 *              phone; 400: not as it is
 *
 * 500: not now (xaps_call.h); 403: this client may not ask, or it is a browser; 404, 405: another
 * path or method.  Clients keep their connections; of too many the longest idle are closed, and a
 * client opens another.  Nobody is asked who he is, so only this machine and xaps_clients may ask.
 *
 * Loop thread only.
 */
#ifndef MAILPUSH_XAPS_XAPS_HTTP_H
#define MAILPUSH_XAPS_XAPS_HTTP_H

#include "base/err.h"
#include "config/config.h"
#include "stats/metrics.h"
#include "xaps/xaps_call.h"

#define XAPS_HTTP_CONNECTIONS_MAX 1024 /* or a quarter of the descriptors allowed */
#define XAPS_HTTP_BODY_MAX (64 * 1024)
#define XAPS_HTTP_REQUEST_MS 10000
#define XAPS_HTTP_IDLE_MS (24 * INT64_C(3600000))

/* All of it outlives this. */
struct xaps_http_needs {
	uv_loop_t *loop;
	const struct config *config;
	struct metrics *metrics;
	struct xaps_calls *calls;
};

struct xaps_http;

/* Listens at xaps_listen. */
int xaps_http_new(const struct xaps_http_needs *needs, struct xaps_http **ret, struct err *err);
/* Before the calls are freed.  NULL is fine. */
void xaps_http_free(struct xaps_http *http);

#endif

/*
 * http - an HTTP server on one listening socket, in our loop.
 *
 * libmicrohttpd does the protocol, without a thread of its own (mhdwatch.h).  A request is answered
 * at once or later; meanwhile it is suspended.  A connection has one request, or with idle_ms one
 * after the other.  Everything is bounded: connections (at the limit, those whose client hung up
 * while it waited for its answer are ended; if there are none, one that is idle is closed, the
 * longest idle first, else the one that has been sending its request for longest), headers
 * (HTTP_HEADERS_MAX), bodies, the time to send a request and to take its answer, and the unsent
 * part of a stream.  A request whose path or argument holds an escaped NUL is answered 400.
 *
 * The caller owns a request given to `came` until http_answer; a stream lasts until the peer or
 * http_free ends it.  http_defer sets a callback for such an end.  Loop thread only.
 */
#ifndef MAILPUSH_LOOP_HTTP_H
#define MAILPUSH_LOOP_HTTP_H

#include "base/buf.h"
#include "base/err.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <uv.h>

#define HTTP_HEADERS_MAX (16 * 1024)
#define HTTP_ADDED_MAX 2	     /* headers of one answer beyond the usual ones */
#define HTTP_STREAM_MAX (256 * 1024) /* bytes of a stream that wait for a slow reader */

struct http;
struct http_request;

struct http_settings {
	int listener; /* bound; handed over on success */
	unsigned connections_max;
	size_t body_max;
	int64_t request_ms; /* to send a request; again to take the answer */
	int64_t idle_ms;    /* to begin the next request; 0: there is no next one */
	/* May the peer of `fd` ask?  Otherwise its requests are answered 403.  NULL: all may. */
	bool (*is_allowed)(void *ctx, int fd);
	void (*came)(void *ctx, struct http_request *request);
	void *ctx;
};

int http_new(
	uv_loop_t *loop, const struct http_settings *settings, struct http **ret, struct err *err);
/* Listens at this descriptor from now on; it is bound and handed over.  Connections stay. */
int http_listen_anew(struct http *http, int listener, struct err *err);
/* Calls `gone` of open requests and answers them 503.  NULL is fine. */
void http_free(struct http *http);

/* Of the request; all borrowed until it is answered.  HEAD is GET here. */
const char *http_method(const struct http_request *request);
const char *http_path(const struct http_request *request);
/* Decoded; NULL: not given. */
const char *http_query(const struct http_request *request, const char *name);
/* NULL: absent. */
const char *http_header(const struct http_request *request, const char *name);
const char *http_body(const struct http_request *request, size_t *ret_size);

/* `gone` is called, once, if the request ends before its answer: it is not the caller's then. */
void http_defer(struct http_request *request, void (*gone)(void *ctx), void *ctx);

/* A header of the answer to come; both are literals. */
void http_add_header(struct http_request *request, const char *name, const char *value);

/* `type` is a literal; the body is taken out of `body`, which stays the caller's. */
void http_answer(struct http_request *request, unsigned status, const char *type, struct buf *body);

/* An endless answer: 200, then the bytes of http_write. */
void http_stream(struct http_request *request, const char *type);
/* False: HTTP_STREAM_MAX would be exceeded; nothing was taken. */
bool http_write(struct http_request *request, const void *bytes, size_t size);

#endif

/*
 * response - the answer to a push in frames of HTTP/2, with the additions that a test requests.
 *
 * Plain, it is a HEADERS frame and, with a reason, a DATA frame.  A sender must cope with
 * everything else that the protocol allows: an interim response before it, trailers behind it,
 * padding, more fields than one frame holds, a very long body.
 */
#ifndef MAILPUSH_SIM_RESPONSE_H
#define MAILPUSH_SIM_RESPONSE_H

#include "sim/stream.h"

#include <nghttp2/nghttp2.h>
#include <stdbool.h>
#include <stddef.h>

#define RESPONSE_FIELDS_MAX 60000 /* bytes; clients may take more for an attack */
#define RESPONSE_BODY_MAX (16 * 1024 * 1024)
#define RESPONSE_PAD_MAX 255

struct response_adornment {
	bool has_interim;    /* a 103 first */
	bool has_trailers;   /* with another status, which does not count */
	size_t pad_bytes;    /* of each frame */
	size_t fields_bytes; /* of further fields: from 16 KB on CONTINUATION frames */
	size_t body_bytes;   /* the body is filled up to so many, with spaces */
};

/* Submits it.  The stream, whose body this writes, lives until it is closed. */
void response_submit(nghttp2_session *session, struct stream *stream, const struct verdict *verdict,
	const struct response_adornment *adornment);

#endif

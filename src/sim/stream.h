/*
 * stream - one push on its way through the simulator: the part that has arrived, and its answer.
 *
 * Streams come out of a pool, because a thousand at a time come and go for each connection; they
 * only hold references into nghttp2's buffers of the header.  Payloads beyond STREAM_PAYLOAD_MAX
 * are counted but not kept, as the service refuses them anyway.
 *
 * Owned by the connection that it arrived on.  Loop thread.
 */
#ifndef MAILPUSH_SIM_STREAM_H
#define MAILPUSH_SIM_STREAM_H

#include "base/random.h"
#include "sim/service.h"

#include <nghttp2/nghttp2.h>
#include <sys/queue.h>

#define STREAM_PAYLOAD_MAX SERVICE_PAYLOAD_MAX_VOIP
#define STREAM_FIELDS_MAX 32 /* fields kept; further ones are not recorded */

struct connection;

enum stream_state {
	STREAM_ARRIVING, /* header or payload are not complete */
	STREAM_WAITING,	 /* complete, held back or delayed; in the server's list */
	STREAM_ENDED	 /* answered or given up, and recorded */
};

struct stream_field {
	nghttp2_rcbuf *name;
	nghttp2_rcbuf *value;
};

struct stream {
	struct connection *connection;
	int32_t id;
	enum stream_state state;
	bool is_complete;   /* arrived whole, whatever its fate */
	bool is_trial;	    /* of the credential; known when it is complete */
	int64_t arrived_ms; /* monotonic, of the loop */
	int64_t arrived_unix_ms;
	int64_t answered_unix_ms;	/* 0: not answered */
	int64_t provider_issued_unix_s; /* of the provider token that let it in; 0: there was none
					 */
	struct request request;		/* borrows from the fields */
	size_t fields;
	struct stream_field field[STREAM_FIELDS_MAX];
	char apns_id[37]; /* of the answer */
	char body[SERVICE_REASON_SIZE + 64];
	size_t body_written; /* of `body`; what is sent beyond is filler */
	size_t body_size;
	size_t body_sent;
	bool has_trailers;
	LIST_ENTRY(stream) of_connection;
	TAILQ_ENTRY(stream) of_waiting;
	uint8_t payload[STREAM_PAYLOAD_MAX];
};

LIST_HEAD(stream_list, stream);
TAILQ_HEAD(stream_queue, stream);

struct stream_pool {
	struct stream_list idle;
	struct random random; /* for apns-ids */
};

void stream_pool_init(struct stream_pool *pool);
void stream_pool_fini(struct stream_pool *pool);

/* An empty stream in the state STREAM_ARRIVING, in no list. */
struct stream *stream_get(struct stream_pool *pool);
/* It must be in no list any more. */
void stream_put(struct stream_pool *pool, struct stream *stream);

/* Keeps the parts of the field that the checks need and, with keep_all, those for the record too.
 */
void stream_add_field(
	struct stream *stream, nghttp2_rcbuf *name, nghttp2_rcbuf *value, bool keep_all);
void stream_add_payload(struct stream *stream, const uint8_t *bytes, size_t size);

/* Sets apns_id to the request's, or to a new one when it has none of the right length. */
void stream_choose_id(struct stream *stream, struct stream_pool *pool);

#endif

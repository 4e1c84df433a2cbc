#include "sim/stream.h"

#include "base/mem.h"

#include <assert.h>
#include <string.h>

#define FIELD_OVERHEAD 32

void stream_pool_init(struct stream_pool *pool)
{
	*pool = (struct stream_pool){0};
	LIST_INIT(&pool->idle);
	uint8_t seed[RANDOM_SEED_SIZE];
	random_seed(seed);
	random_init(&pool->random, seed);
}

void stream_pool_fini(struct stream_pool *pool)
{
	struct stream *stream;
	while ((stream = LIST_FIRST(&pool->idle))) {
		LIST_REMOVE(stream, of_connection);
		free(stream);
	}
}

struct stream *stream_get(struct stream_pool *pool)
{
	struct stream *stream = LIST_FIRST(&pool->idle);
	if (stream)
		LIST_REMOVE(stream, of_connection);
	else
		stream = mem_alloc(sizeof(*stream));
	/* Not cleared: the fields and the payload are large, and only the counted part is read. */
	stream->connection = NULL;
	stream->id = 0;
	stream->state = STREAM_ARRIVING;
	stream->is_complete = false;
	stream->is_trial = false;
	stream->arrived_ms = 0;
	stream->arrived_unix_ms = 0;
	stream->answered_unix_ms = 0;
	stream->provider_issued_unix_s = 0;
	stream->request = (struct request){0};
	stream->fields = 0;
	stream->apns_id[0] = '\0';
	stream->body_size = 0;
	stream->body_sent = 0;
	stream->body_written = 0;
	stream->has_trailers = false;
	return stream;
}

void stream_put(struct stream_pool *pool, struct stream *stream)
{
	assert(stream->state != STREAM_WAITING);
	for (size_t i = 0; i < stream->fields; i++) {
		nghttp2_rcbuf_decref(stream->field[i].name);
		nghttp2_rcbuf_decref(stream->field[i].value);
	}
	stream->fields = 0;
	LIST_INSERT_HEAD(&pool->idle, stream, of_connection);
}

static bool is_recorded(nghttp2_vec name)
{
	return (name.len > 5 && !memcmp(name.base, "apns-", 5)) ||
		(name.len == 12 && !memcmp(name.base, "content-type", 12));
}

void stream_add_field(
	struct stream *stream, nghttp2_rcbuf *name, nghttp2_rcbuf *value, bool keep_all)
{
	nghttp2_vec n = nghttp2_rcbuf_get_buf(name);
	nghttp2_vec v = nghttp2_rcbuf_get_buf(value);
	struct request *request = &stream->request;
	request->header_list_size += n.len + v.len + FIELD_OVERHEAD;

	enum service_header header = service_header_of((const char *)n.base, n.len);
	if (header == SERVICE_HEADERS && !(keep_all && is_recorded(n)))
		return;
	if (header != SERVICE_HEADERS && request->header[header].bytes) {
		request->has_duplicate = true;
		return;
	}
	if (stream->fields == STREAM_FIELDS_MAX)
		return;
	nghttp2_rcbuf_incref(name);
	nghttp2_rcbuf_incref(value);
	stream->field[stream->fields++] = (struct stream_field){name, value};
	if (header != SERVICE_HEADERS)
		request->header[header] = (struct text){(const char *)v.base, v.len};
}

void stream_add_payload(struct stream *stream, const uint8_t *bytes, size_t size)
{
	size_t used = stream->request.payload_size;
	if (used < STREAM_PAYLOAD_MAX) {
		size_t room = STREAM_PAYLOAD_MAX - used;
		memcpy(stream->payload + used, bytes, size < room ? size : room);
	}
	stream->request.payload_size += size;
}

void stream_choose_id(struct stream *stream, struct stream_pool *pool)
{
	static const char hex[] = "0123456789ABCDEF";
	struct text given = stream->request.header[SERVICE_ID];
	if (given.bytes && given.size == 36) {
		memcpy(stream->apns_id, given.bytes, 36);
		stream->apns_id[36] = '\0';
		return;
	}

	uint8_t id[16];
	random_uuid(&pool->random, id);
	char *at = stream->apns_id;
	for (size_t i = 0; i < sizeof(id); i++) {
		if (i == 4 || i == 6 || i == 8 || i == 10)
			*at++ = '-';
		*at++ = hex[id[i] >> 4];
		*at++ = hex[id[i] & 0xf];
	}
	*at = '\0';
}

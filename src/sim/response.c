#include "sim/response.h"

#include <assert.h>
#include <stdio.h>
#include <string.h>

#define FIELD_BYTES 4000 /* of one further field */

static ssize_t on_body(nghttp2_session *session, int32_t stream_id, uint8_t *bytes, size_t room,
	uint32_t *flags, nghttp2_data_source *source, void *user_data)
{
	(void)user_data;
	struct stream *stream = source->ptr;
	size_t n = stream->body_size - stream->body_sent;
	if (n > room)
		n = room;
	size_t written = stream->body_sent < stream->body_written
		? stream->body_written - stream->body_sent
		: 0;
	if (written > n)
		written = n;
	if (written)
		memcpy(bytes, stream->body + stream->body_sent, written);
	memset(bytes + written, ' ', n - written);
	stream->body_sent += n;
	if (stream->body_sent < stream->body_size)
		return (ssize_t)n;
	*flags |= NGHTTP2_DATA_FLAG_EOF;
	if (stream->has_trailers) {
		const nghttp2_nv trailer = {(uint8_t *)(uintptr_t) ":status",
			(uint8_t *)(uintptr_t) "202", 7, 3, NGHTTP2_NV_FLAG_NONE};
		*flags |= NGHTTP2_DATA_FLAG_NO_END_STREAM;
		nghttp2_submit_trailer(session, stream_id, &trailer, 1);
	}
	return (ssize_t)n;
}

static void write_body(struct stream *stream, const struct verdict *verdict)
{
	int n = 0;
	if (verdict->reason[0] && verdict->timestamp_ms)
		n = snprintf(stream->body, sizeof(stream->body),
			"{\"reason\":\"%s\",\"timestamp\":%lld}", verdict->reason,
			(long long)verdict->timestamp_ms);
	else if (verdict->reason[0])
		n = snprintf(
			stream->body, sizeof(stream->body), "{\"reason\":\"%s\"}", verdict->reason);
	assert(n >= 0 && (size_t)n < sizeof(stream->body));
	stream->body_written = stream->body_size = (size_t)n;
}

static nghttp2_nv field(const char *name, const char *value, size_t size)
{
	return (nghttp2_nv){(uint8_t *)(uintptr_t)name, (uint8_t *)(uintptr_t)value, strlen(name),
		size, NGHTTP2_NV_FLAG_NO_COPY_NAME};
}

static void submit_interim(nghttp2_session *session, int32_t stream_id)
{
	const nghttp2_nv status = field(":status", "103", 3);
	nghttp2_submit_headers(session, NGHTTP2_FLAG_NONE, stream_id, NULL, &status, 1, NULL);
}

void response_submit(nghttp2_session *session, struct stream *stream, const struct verdict *verdict,
	const struct response_adornment *adornment)
{
	static char filler[FIELD_BYTES];
	nghttp2_nv fields[3 + RESPONSE_FIELDS_MAX / FIELD_BYTES + 1];
	char status[12] = "200";
	size_t n = 0;
	if (verdict->status != 200)
		snprintf(status, sizeof(status), "%d", verdict->status);
	fields[n++] = field(":status", status, strlen(status));
	fields[n++] = field("apns-id", stream->apns_id, strlen(stream->apns_id));
	if (verdict->retry_after[0])
		fields[n++] =
			field("retry-after", verdict->retry_after, strlen(verdict->retry_after));
	memset(filler, 'z', sizeof(filler));
	for (size_t left = adornment->fields_bytes; left > 0;) {
		size_t size = left < FIELD_BYTES ? left : FIELD_BYTES;
		fields[n++] = field("x-filler", filler, size);
		left -= size;
	}

	write_body(stream, verdict);
	if (stream->body_size < adornment->body_bytes)
		stream->body_size = adornment->body_bytes;
	stream->has_trailers = adornment->has_trailers;
	bool has_body = stream->body_size > 0 || stream->has_trailers;
	nghttp2_data_provider body = {.source.ptr = stream, .read_callback = on_body};
	if (adornment->has_interim)
		submit_interim(session, stream->id);
	nghttp2_submit_response(session, stream->id, fields, n, has_body ? &body : NULL);
}

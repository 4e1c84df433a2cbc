#include "sim/record.h"

#include "base/buf.h"
#include "base/mem.h"

#include <errno.h>
#include <poll.h>
#include <string.h>
#include <unistd.h>

#define FLUSH_SIZE (64 * 1024)

struct record {
	enum record_mode mode;
	int fd; /* -1: the reader has gone */
	struct buf lines;
	uint64_t count; /* of lines, written or not */
};

struct record *record_new(enum record_mode mode, int fd)
{
	struct record *record = mem_alloc_zero(1, sizeof(*record));
	record->mode = mode;
	record->fd = fd;
	buf_init(&record->lines);
	return record;
}

void record_free(struct record *record)
{
	if (!record)
		return;
	buf_fini(&record->lines);
	free(record);
}

static int on_json(const char *bytes, size_t size, void *arg)
{
	buf_append(arg, bytes, size);
	return 0;
}

static void add_line(struct record *record, const json_t *object)
{
	json_dump_callback(object, on_json, &record->lines, JSON_COMPACT);
	buf_append(&record->lines, "\n", 1);
	record->count++;
	if (record->lines.used >= FLUSH_SIZE)
		record_flush(record);
}

/* Header fields are bytes; those that are not UTF-8 are recorded in hex. */
static json_t *text_or_hex(const uint8_t *bytes, size_t size, bool *ret_is_text)
{
	json_t *text = json_stringn((const char *)bytes, size);
	*ret_is_text = text;
	if (text)
		return text;
	buf_auto struct buf hex;
	buf_init(&hex);
	for (size_t i = 0; i < size; i++)
		buf_printf(&hex, "%02x", bytes[i]);
	return json_stringn((const char *)hex.data, hex.used);
}

static json_t *headers(const struct stream *stream)
{
	json_t *object = json_object();
	for (size_t i = 0; i < stream->fields; i++) {
		bool is_text;
		nghttp2_vec name = nghttp2_rcbuf_get_buf(stream->field[i].name);
		nghttp2_vec value = nghttp2_rcbuf_get_buf(stream->field[i].value);
		if (!name.len || name.base[0] == ':')
			continue;
		json_object_set_new(object, (const char *)name.base,
			text_or_hex(value.base, value.len, &is_text));
	}
	return object;
}

static void set_payload(json_t *object, const struct stream *stream)
{
	size_t size = stream->request.payload_size;
	json_object_set_new(object, "payload_size", json_integer((json_int_t)size));
	if (size > STREAM_PAYLOAD_MAX)
		size = STREAM_PAYLOAD_MAX;
	json_t *payload = json_loadb(
		(const char *)stream->payload, size, JSON_DECODE_ANY | JSON_ALLOW_NUL, NULL);
	if (payload) {
		json_object_set_new(object, "payload", payload);
		return;
	}
	bool is_text;
	json_t *text = text_or_hex(stream->payload, size, &is_text);
	json_object_set_new(object, is_text ? "payload_text" : "payload_hex", text);
}

static json_t *integer_or_null(int64_t number)
{
	return number ? json_integer((json_int_t)number) : json_null();
}

static json_t *text_or_null(const char *text)
{
	return text && text[0] ? json_string(text) : json_null();
}

void record_push(struct record *record, unsigned connection, const struct stream *stream,
	const struct verdict *verdict, const char *reason)
{
	if (record->mode != RECORD_FULL)
		return;
	const struct request *request = &stream->request;
	struct text token = service_token(request);
	struct text path = request->header[SERVICE_PATH];
	bool is_text;
	json_t *object = json_object();
	json_object_set_new(object, "time_ms", integer_or_null(stream->arrived_unix_ms));
	json_object_set_new(object, "answered_ms", integer_or_null(stream->answered_unix_ms));
	json_object_set_new(object, "connection", json_integer(connection));
	json_object_set_new(object, "stream", json_integer(stream->id));
	json_object_set_new(object, "path",
		path.bytes ? text_or_hex((const uint8_t *)path.bytes, path.size, &is_text)
			   : json_null());
	json_object_set_new(object, "token",
		token.bytes ? text_or_hex((const uint8_t *)token.bytes, token.size, &is_text)
			    : json_null());
	json_object_set_new(object, "headers", headers(stream));
	set_payload(object, stream);
	json_object_set_new(
		object, "provider_iat", integer_or_null(stream->provider_issued_unix_s));
	json_object_set_new(object, "complete", json_boolean(stream->is_complete));
	json_object_set_new(
		object, "status", verdict ? json_integer(verdict->status) : json_null());
	json_object_set_new(object, "reason", text_or_null(verdict ? verdict->reason : reason));
	json_object_set_new(object, "apns_id", text_or_null(stream->apns_id));
	add_line(record, object);
	json_decref(object);
}

void record_counts(struct record *record, const struct stats *stats)
{
	if (record->mode != RECORD_COUNTS)
		return;
	json_t *object = stats_json(stats);
	add_line(record, object);
	json_decref(object);
}

void record_flush(struct record *record)
{
	size_t written = 0;
	while (record->fd >= 0 && written < record->lines.used) {
		ssize_t n = write(
			record->fd, record->lines.data + written, record->lines.used - written);
		if (n >= 0) {
			written += (size_t)n;
		} else if (errno == EAGAIN) {
			struct pollfd wait = {.fd = record->fd, .events = POLLOUT};
			poll(&wait, 1, -1);
		} else if (errno != EINTR) {
			record->fd = -1;
		}
	}
	buf_clear(&record->lines);
}

uint64_t record_lines(const struct record *record)
{
	return record->count;
}

#include "monitor/response.h"

#include "base/mem.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

static int on_dump(const char *bytes, size_t size, void *ctx)
{
	buf_append(ctx, bytes, size);
	return 0;
}

void response_json(struct http_request *request, unsigned status, json_t *json)
{
	buf_auto struct buf body;
	buf_init(&body);
	if (!json || json_dump_callback(json, on_dump, &body, RESPONSE_FLAGS))
		abort(); /* out of memory */
	json_decref(json);
	buf_append(&body, "\n", 1);
	http_answer(request, status, "application/json", &body);
}

void response_error(struct http_request *request, unsigned status, const char *format, ...)
{
	char text[1024];
	va_list args;
	va_start(args, format);
	vsnprintf(text, sizeof(text), format, args);
	va_end(args);
	response_json(request, status, json_pack("{so}", "error", response_text(text)));
}

void response_undone(struct http_request *request, int status, const char *refusal)
{
	if (status == -ECANCELED)
		response_error(request, 503, "mailpushd is stopping");
	else if (refusal)
		response_error(request, 409, "%s", refusal);
	else
		response_error(
			request, 503, "the database fails: %s; see the alarms", strerror(-status));
}

json_t *response_text(const char *text)
{
	json_t *json = json_string(text);
	if (json)
		return json;
	mem_auto char *ascii = mem_dup(text);
	for (char *c = ascii; *c; c++)
		if (*c & 0x80)
			*c = '?';
	return json_string(ascii);
}

json_t *response_secret(const char *text, bool full)
{
	if (full || strlen(text) <= RESPONSE_MASKED)
		return response_text(text);
	char masked[RESPONSE_MASKED + sizeof("...")];
	snprintf(masked, sizeof(masked), "%.*s...", RESPONSE_MASKED, text);
	return response_text(masked);
}

json_t *response_key(const struct registry_key *key)
{
	char text[2 * REGISTRY_KEY_SIZE + 1];
	for (size_t i = 0; i < REGISTRY_KEY_SIZE; i++)
		snprintf(text + 2 * i, 3, "%02x", key->bytes[i]);
	return json_string(text);
}

json_t *response_time(int64_t unix_ms)
{
	bool is_never = !unix_ms || unix_ms == INT64_MIN || unix_ms == INT64_MAX;
	return is_never ? json_null() : json_real((double)unix_ms / 1000);
}

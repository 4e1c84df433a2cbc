#include "dovecot/json_text.h"

#include "base/utf8.h"

#include <string.h>

static void append_string(struct buf *json, const char *text)
{
	size_t left = strlen(text);
	buf_append(json, "\"", 1);
	while (left) {
		uint32_t code_point;
		size_t n = utf8_read(text, left, &code_point);
		if (!n) {
			n = 1;
			buf_append_text(json, "\xef\xbf\xbd");
		} else if (code_point < ' ') {
			buf_printf(json, "\\u%04x", (unsigned)code_point);
		} else {
			if (code_point == '"' || code_point == '\\')
				buf_append(json, "\\", 1);
			buf_append(json, text, n);
		}
		text += n;
		left -= n;
	}
	buf_append(json, "\"", 1);
}

static void append_key(struct buf *json, const char *key)
{
	if (json->used && json->data[json->used - 1] != '{')
		buf_append(json, ",", 1);
	append_string(json, key);
	buf_append(json, ":", 1);
}

void json_text_begin(struct buf *json, const char *event, const char *user)
{
	buf_append(json, "{", 1);
	json_text_add(json, "source", "dovecot");
	json_text_add(json, "event", event);
	json_text_add(json, "user", user);
}

void json_text_add(struct buf *json, const char *key, const char *value)
{
	if (!value)
		return;
	append_key(json, key);
	append_string(json, value);
}

void json_text_add_number(struct buf *json, const char *key, unsigned number)
{
	append_key(json, key);
	buf_printf(json, "%u", number);
}

void json_text_add_strings(
	struct buf *json, const char *key, const char *const *values, size_t count)
{
	append_key(json, key);
	for (size_t i = 0; i < count; i++) {
		buf_append(json, i ? "," : "[", 1);
		append_string(json, values[i]);
	}
	buf_append_text(json, count ? "]" : "[]");
}

void json_text_open_list(struct buf *json, const char *key)
{
	append_key(json, key);
	buf_append(json, "[", 1);
}

void json_text_open_object(struct buf *json)
{
	buf_append_text(json, json->data[json->used - 1] == '[' ? "{" : ",{");
}

void json_text_close_object(struct buf *json)
{
	buf_append(json, "}", 1);
}

void json_text_close_list(struct buf *json)
{
	buf_append(json, "]", 1);
}

void json_text_end(struct buf *json)
{
	buf_append(json, "}", 1);
}

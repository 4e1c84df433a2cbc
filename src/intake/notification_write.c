#include "intake/notification_write.h"

#include <ctype.h>
#include <errno.h>
#include <string.h>
#include <strings.h>

#define QUOTED_MAX 1024 /* Cyrus writes longer ones as literals too */

static bool is_atom(const struct notification_field *field)
{
	if (!field->size || (field->size == 3 && !strncasecmp(field->bytes, "NIL", 3)))
		return false;
	for (size_t i = 0; i < field->size; i++) {
		unsigned char c = (unsigned char)field->bytes[i];
		if (c >= 0x7f || (!isalnum(c) && !(c && strchr("+-./:@_", c))))
			return false;
	}
	return true;
}

static bool is_quotable(const struct notification_field *field)
{
	if (field->size > QUOTED_MAX)
		return false;
	for (size_t i = 0; i < field->size; i++) {
		unsigned char c = (unsigned char)field->bytes[i];
		if (c < ' ' || c >= 0x7f || c == '"' || c == '\\')
			return false;
	}
	return true;
}

static void add_literal(const struct notification_field *field, struct buf *ret)
{
	buf_printf(ret, "{%zu+}\r\n", field->size);
	buf_append(ret, field->bytes, field->size);
}

static void add_string(const struct notification_field *field, struct buf *ret)
{
	if (is_atom(field)) {
		buf_append(ret, field->bytes, field->size);
	} else if (is_quotable(field)) {
		buf_append_text(ret, "\"");
		buf_append(ret, field->bytes, field->size);
		buf_append_text(ret, "\"");
	} else {
		add_literal(field, ret);
	}
}

static void add_string_or_nil(const struct notification_field *field, bool is_nil, struct buf *ret)
{
	if (is_nil)
		buf_append_text(ret, "NIL");
	else
		add_string(field, ret);
}

void notification_write_to_dlist(const struct notification *notification, struct buf *ret)
{
	const struct {
		const char *key;
		const struct notification_field *field;
	} before_options[] = {
		{"PRIORITY", &notification->priority},
		{"USER", &notification->user},
		{"MAILBOX", &notification->mailbox},
	};
	buf_append_text(ret, "NOTIFY %(METHOD ");
	add_string_or_nil(&notification->method, !notification->method.size, ret);
	buf_append_text(ret, " CLASS ");
	add_string(&notification->class, ret);
	for (size_t i = 0; i < sizeof(before_options) / sizeof(before_options[0]); i++) {
		buf_printf(ret, " %s ", before_options[i].key);
		add_string_or_nil(before_options[i].field, !before_options[i].field->size, ret);
	}
	buf_append_text(ret, " OPTIONS (");
	for (unsigned i = 0; i < notification->option_count; i++) {
		const struct notification_field *option = &notification->options[i];
		if (i)
			buf_append_text(ret, " ");
		add_string_or_nil(option, !option->bytes, ret);
	}
	buf_append_text(ret, ") MESSAGE ");
	add_literal(&notification->message, ret);
	buf_append_text(ret, " FILEPATH ");
	add_string_or_nil(&notification->filepath, !notification->filepath.bytes, ret);
	buf_append_text(ret, ")\r\n");
}

static bool add_field(const struct notification_field *field, struct buf *ret)
{
	if (field->size && memchr(field->bytes, '\0', field->size))
		return false;
	if (field->size)
		buf_append(ret, field->bytes, field->size);
	buf_append(ret, "", 1);
	return true;
}

static bool add_fields(const struct notification *notification, struct buf *ret)
{
	if (!add_field(&notification->method, ret) || !add_field(&notification->class, ret) ||
		!add_field(&notification->priority, ret) || !add_field(&notification->user, ret) ||
		!add_field(&notification->mailbox, ret))
		return false;
	buf_printf(ret, "%u", notification->option_count);
	buf_append(ret, "", 1);
	for (unsigned i = 0; i < notification->option_count; i++) {
		if (!add_field(&notification->options[i], ret))
			return false;
	}
	return add_field(&notification->message, ret) &&
		(!notification->filepath.bytes || add_field(&notification->filepath, ret));
}

int notification_write_to_datagram(
	const struct notification *notification, struct buf *ret, struct err *err)
{
	size_t before = ret->used;
	if (!add_fields(notification, ret)) {
		ret->used = before;
		return err_set(
			err, -EBADMSG, "a field contains a NUL, which no datagram can carry");
	}
	size_t size = ret->used - before;
	if (size <= NOTIFICATION_WRITE_DATAGRAM_MAX)
		return 0;
	ret->used = before;
	return err_set(err, -EMSGSIZE, "%zu bytes are more than the %d that a datagram may have",
		size, NOTIFICATION_WRITE_DATAGRAM_MAX);
}

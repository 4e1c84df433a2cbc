#include "notify/request.h"

#include "intake/dlist.h"

#include <errno.h>
#include <inttypes.h>
#include <string.h>

static const char **place_of(struct request_fields *fields, const char *option)
{
	if (option[0] != '-' || !option[1] || option[2])
		return NULL;
	switch (option[1]) {
	case 'c':
		return &fields->class;
	case 'p':
		return &fields->priority;
	case 'u':
		return &fields->user;
	case 'm':
		return &fields->mailbox;
	case 'f':
		return &fields->filepath;
	default:
		return NULL;
	}
}

int request_read_arguments(
	int count, char *const *words, struct request_fields *ret, struct err *err)
{
	struct request_fields fields = {.priority = "", .user = "", .mailbox = ""};
	for (int i = 0; i < count; i += 2) {
		const char **place = place_of(&fields, words[i]);
		if (!place)
			return err_set(err, -EINVAL, "unexpected argument '%.64s'", words[i]);
		if (i + 1 < count)
			*place = words[i + 1];
		else if (place != &fields.filepath)
			return err_set(err, -EINVAL, "%s has no value", words[i]);
	}
	if (!fields.class)
		return err_set(err, -EINVAL, "no class: -c is missing");
	*ret = fields;
	return 0;
}

static void append_literal(struct buf *buf, const void *bytes, size_t size)
{
	buf_printf(buf, "{%zu+}\r\n", size);
	buf_append(buf, bytes, size);
}

static void append_field(struct buf *buf, const char *key, const char *value)
{
	buf_append_text(buf, key);
	append_literal(buf, value, strlen(value));
}

int request_write(const struct request_fields *fields, const void *message, size_t message_size,
	int64_t received_ms, struct buf *ret, struct err *err)
{
	size_t before = ret->used;
	append_field(ret, "NOTIFY %(METHOD external CLASS ", fields->class);
	append_field(ret, " PRIORITY ", fields->priority);
	append_field(ret, " USER ", fields->user);
	append_field(ret, " MAILBOX ", fields->mailbox);
	buf_printf(ret, " OPTIONS () RECEIVED %" PRId64 " MESSAGE ", received_ms);
	append_literal(ret, message, message_size);
	if (fields->filepath)
		append_field(ret, " FILEPATH ", fields->filepath);
	else
		buf_append_text(ret, " FILEPATH NIL");
	buf_append_text(ret, ")\r\n");
	size_t size = ret->used - before;
	if (size > DLIST_REQUEST_MAX)
		return err_set(err, -EMSGSIZE,
			"the notification makes a request of %zu bytes; mailpushd takes %d at most",
			size, DLIST_REQUEST_MAX);
	return 0;
}

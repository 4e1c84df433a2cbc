/*
 * A datagram.  Its fields must lie in it in order, each ended by the NUL that split it off, and
 * together be all of it.
 */
#include "intake/datagram.h"

#include "fuzz.h"

#include <assert.h>
#include <errno.h>
#include <string.h>

static const char *check_field(const char *at, const struct notification_field *field)
{
	assert(field->bytes == at);
	assert(!memchr(field->bytes, '\0', field->size));
	assert(field->bytes[field->size] == '\0');
	return at + field->size + 1;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	const char *bytes = (const char *)data;
	struct notification n;
	struct err err;
	int r = datagram_parse(bytes, size, &n, &err);
	if (r < 0) {
		assert(r == -EBADMSG);
		assert(*err.text && strlen(err.text) < sizeof(err.text));
		return 0;
	}
	assert(n.raw.bytes == bytes && n.raw.size == size && !n.is_dlist);
	assert(n.option_count <= NOTIFICATION_OPTIONS_MAX);
	const char *at = check_field(bytes, &n.method);
	at = check_field(at, &n.class);
	at = check_field(at, &n.priority);
	at = check_field(at, &n.user);
	at = check_field(at, &n.mailbox);
	at += strlen(at) + 1;
	for (unsigned i = 0; i < n.option_count; i++)
		at = check_field(at, &n.options[i]);
	at = check_field(at, &n.message);
	if (n.filepath.bytes)
		at = check_field(at, &n.filepath);
	assert(at == bytes + size);
	return 0;
}

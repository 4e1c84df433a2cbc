/*
 * A datagram.  Its fields must lie in it in order, each ended by the NUL that split it off, and
 * together be all of it.  Written as a dlist request and back, it must be what it was.
 */
#include "intake/datagram.h"
#include "intake/dlist.h"
#include "intake/notification_write.h"

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

static void check_conversion(const struct notification *n)
{
	buf_auto struct buf request = {0};
	buf_auto struct buf again = {0};
	struct dlist_scan scan = {0};
	struct notification converted;
	size_t size;
	struct err err;
	notification_write_to_dlist(n, &request);
	int r = dlist_parse(
		&scan, (const char *)request.data, request.used, &converted, &size, &err);
	assert(r == 1 && size == request.used && !scan.unescaped);
	r = notification_write_to_datagram(&converted, &again, &err);
	if (r < 0) {
		assert(r == -EMSGSIZE && again.used == 0);
		return;
	}
	/* "07" options are written "7". */
	const char *count = n->mailbox.bytes + n->mailbox.size + 1;
	size_t zeros = *count == '0' && count[1] ? 1 : 0;
	size_t before = (size_t)(count - n->raw.bytes);
	assert(again.used == n->raw.size - zeros);
	assert(memcmp(again.data, n->raw.bytes, before) == 0);
	assert(memcmp(again.data + before, count + zeros, again.used - before) == 0);
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
	check_conversion(&n);
	return 0;
}

/*
 * A dlist request.  Its fields must lie in it, and however it is split into two or into single
 * bytes, the result must be the same.  Written as a datagram, it must be one.
 */
#include "intake/datagram.h"
#include "intake/dlist.h"
#include "intake/notification_write.h"

#include "fuzz.h"

#include "base/mem.h"

#include <assert.h>
#include <errno.h>
#include <string.h>

struct outcome {
	int result;
	char *bytes; /* what the fields borrow from, beside the scan */
	const struct dlist_scan *scan;
	struct notification notification;
	size_t request_size;
};

static void ask(struct outcome *o, struct dlist_scan *scan, const uint8_t *data, size_t size)
{
	struct err err;
	/* Anew and exactly as large, so that a sanitizer sees one byte more. */
	free(o->bytes);
	o->bytes = mem_alloc(size);
	memcpy(o->bytes, data, size);
	o->scan = scan;
	o->result = dlist_parse(scan, o->bytes, size, &o->notification, &o->request_size, &err);
	assert(memcmp(o->bytes, data, size) == 0);
	if (o->result < 0) {
		assert(o->result == -EBADMSG || o->result == -EMSGSIZE);
		assert(*err.text && strlen(err.text) < sizeof(err.text));
	}
}

static void check_field(const struct outcome *o, const struct notification_field *field)
{
	if (!field->bytes) {
		assert(field->size == 0);
		return;
	}
	bool is_in_place = field->bytes > o->bytes && field->bytes < o->bytes + o->request_size;
	const char *from = is_in_place ? o->bytes : o->scan->unescaped;
	assert(from && field->bytes >= from);
	assert(field->bytes + field->size < from + o->request_size);
}

static void check_same_field(
	const struct notification_field *one, const struct notification_field *other)
{
	assert(!one->bytes == !other->bytes);
	assert(one->size == other->size);
	assert(!one->size || memcmp(one->bytes, other->bytes, one->size) == 0);
}

static void check_same(const struct outcome *one, const struct outcome *other)
{
	assert(one->result == other->result);
	if (one->result != 1)
		return;
	const struct notification *n = &one->notification;
	const struct notification *m = &other->notification;
	assert(one->request_size == other->request_size);
	check_same_field(&n->method, &m->method);
	check_same_field(&n->class, &m->class);
	check_same_field(&n->priority, &m->priority);
	check_same_field(&n->user, &m->user);
	check_same_field(&n->mailbox, &m->mailbox);
	check_same_field(&n->message, &m->message);
	check_same_field(&n->filepath, &m->filepath);
	assert(n->received_ms == m->received_ms);
	assert(n->option_count == m->option_count);
	for (unsigned i = 0; i < n->option_count; i++)
		check_same_field(&n->options[i], &m->options[i]);
}

static void check_split(
	const struct outcome *whole, const uint8_t *data, size_t size, size_t first, size_t step)
{
	struct outcome split = {0};
	struct dlist_scan scan = {0};
	for (size_t have = first; have < size && split.result == 0; have += step)
		ask(&split, &scan, data, have);
	if (split.result == 0)
		ask(&split, &scan, data, size);
	check_same(whole, &split);
	free(split.bytes);
	dlist_scan_fini(&scan);
}

static void check_conversion(const struct notification *n)
{
	buf_auto struct buf datagram = {0};
	struct notification converted;
	struct err err;
	int r = notification_write_to_datagram(n, &datagram, &err);
	if (r < 0) {
		assert((r == -EBADMSG || r == -EMSGSIZE) && datagram.used == 0);
		return;
	}
	assert(datagram_parse((const char *)datagram.data, datagram.used, &converted, &err) == 0);
	assert(converted.option_count == n->option_count);
	check_same_field(&converted.class, &n->class);
	check_same_field(&converted.message, &n->message);
	check_same_field(&converted.filepath, &n->filepath);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	if (size < 2)
		return 0;
	struct outcome whole = {0};
	struct dlist_scan scan = {0};
	ask(&whole, &scan, data, size);
	if (whole.result == 1) {
		const struct notification *n = &whole.notification;
		assert(whole.request_size <= size);
		assert(n->raw.bytes == whole.bytes && n->raw.size == whole.request_size);
		assert(n->class.bytes && n->message.bytes);
		check_field(&whole, &n->method);
		check_field(&whole, &n->class);
		check_field(&whole, &n->priority);
		check_field(&whole, &n->user);
		check_field(&whole, &n->mailbox);
		check_field(&whole, &n->message);
		check_field(&whole, &n->filepath);
		assert(n->option_count <= NOTIFICATION_OPTIONS_MAX);
		assert(n->received_ms >= 0 && n->received_ms < INT64_C(1000000000000000));
		for (unsigned i = 0; i < n->option_count; i++)
			check_field(&whole, &n->options[i]);
		check_conversion(n);
	}
	check_split(&whole, data, size, 1, size < 2000 ? 1 : 997);
	check_split(&whole, data, size, data[size / 2] % size + 1, size);
	free(whole.bytes);
	dlist_scan_fini(&scan);
	return 0;
}

#include "queue/phones.h"

#include "base/mem.h"

#include <assert.h>
#include <endian.h>
#include <string.h>

void phones_init(struct phones *phones)
{
	*phones = (struct phones){0};
}

void phones_fini(struct phones *phones)
{
	free(phones->gathered);
	free(phones->rows);
	free(phones->sorted);
}

static struct phone *append(struct phones *phones, const struct registry_key *key)
{
	if (phones->gathered_count == phones->gathered_capacity) {
		phones->gathered_capacity =
			phones->gathered_capacity ? phones->gathered_capacity * 2 : 64;
		phones->gathered = mem_realloc_array(
			phones->gathered, phones->gathered_capacity, sizeof(*phones->gathered));
	}
	struct phone *phone = &phones->gathered[phones->gathered_count++];
	*phone = (struct phone){.key = *key};
	return phone;
}

void phones_put(
	struct phones *phones, const struct registry_key *key, const struct queue_phone *last)
{
	append(phones, key)->last = *last;
}

static uint64_t prefix_of(const struct registry_key *key)
{
	uint64_t prefix;
	memcpy(&prefix, key->bytes, sizeof(prefix));
	return be64toh(prefix);
}

static void remove_sorted(struct phones *phones, const struct registry_key *key)
{
	uint64_t prefix = prefix_of(key);
	size_t low = phones->written;
	for (size_t high = phones->sorted_count; low < high;) {
		size_t middle = low + (high - low) / 2;
		if (phones->sorted[middle].prefix < prefix)
			low = middle + 1;
		else
			high = middle;
	}
	for (; low < phones->sorted_count && phones->sorted[low].prefix == prefix; low++) {
		struct phone *phone = &phones->rows[phones->sorted[low].at];
		if (!memcmp(&phone->key, key, sizeof(*key)))
			phone->is_removed = true;
	}
}

void phones_remove(struct phones *phones, const struct registry_key *key)
{
	append(phones, key)->is_removed = true;
	remove_sorted(phones, key);
}

size_t phones_gathered(const struct phones *phones)
{
	return phones->gathered_count;
}

size_t phones_to_write(const struct phones *phones)
{
	return phones->sorted_count - phones->written;
}

static int compare_places(const void *a, const void *b, void *ctx)
{
	const struct phones_place *x = a;
	const struct phones_place *y = b;
	const struct phone *rows = ctx;
	if (x->prefix != y->prefix)
		return x->prefix < y->prefix ? -1 : 1;
	int order = memcmp(&rows[x->at].key, &rows[y->at].key, sizeof(rows->key));
	if (order)
		return order;
	return x->at < y->at ? -1 : x->at > y->at;
}

static void merge(struct phone *earlier, const struct phone *later)
{
	struct phone before = *earlier;
	*earlier = *later;
	if (before.is_removed || later->is_removed)
		return;
	if (!later->last.last_push_ms)
		earlier->last.last_push_ms = before.last.last_push_ms;
	if (!later->last.last_event_ms)
		earlier->last.last_event_ms = before.last.last_event_ms;
}

void phones_sort(struct phones *phones)
{
	assert(!phones_to_write(phones));
	size_t count = phones->gathered_count;
	free(phones->rows);
	phones->rows = mem_steal(phones->gathered);
	phones->gathered_count = 0;
	phones->gathered_capacity = 0;
	phones->sorted = mem_realloc_array(phones->sorted, count, sizeof(*phones->sorted));
	for (size_t i = 0; i < count; i++)
		phones->sorted[i] =
			(struct phones_place){prefix_of(&phones->rows[i].key), (uint32_t)i};
	qsort_r(phones->sorted, count, sizeof(*phones->sorted), compare_places, phones->rows);

	phones->written = 0;
	phones->sorted_count = 0;
	for (size_t i = 0; i < count; i++) {
		struct phones_place place = phones->sorted[i];
		struct phones_place *last =
			phones->sorted_count ? &phones->sorted[phones->sorted_count - 1] : NULL;
		if (last && last->prefix == place.prefix &&
			!memcmp(&phones->rows[last->at].key, &phones->rows[place.at].key,
				sizeof(phones->rows->key)))
			merge(&phones->rows[last->at], &phones->rows[place.at]);
		else
			phones->sorted[phones->sorted_count++] = place;
	}
}

static int compare_keys(const void *a, const void *b)
{
	return memcmp(a, b, sizeof(struct registry_key));
}

static void lay_over(const struct phone *phone, const struct registry_key *keys, size_t count,
	struct queue_phone *rows)
{
	const struct registry_key *key =
		bsearch(&phone->key, keys, count, sizeof(*keys), compare_keys);
	if (!key)
		return;
	struct phone row = {.last = rows[key - keys]};
	merge(&row, phone);
	rows[key - keys] = phone->is_removed ? (struct queue_phone){0} : row.last;
}

void phones_lay_over(const struct phones *phones, const struct registry_key *keys, size_t count,
	struct queue_phone *rows)
{
	for (size_t i = 0; i < phones_to_write(phones); i++)
		lay_over(phones_peek(phones, i), keys, count, rows);
	for (size_t i = 0; i < phones->gathered_count; i++)
		lay_over(&phones->gathered[i], keys, count, rows);
}

const struct phone *phones_peek(const struct phones *phones, size_t index)
{
	assert(index < phones_to_write(phones));
	return &phones->rows[phones->sorted[phones->written + index].at];
}

void phones_wrote(struct phones *phones, size_t n)
{
	assert(n <= phones_to_write(phones));
	phones->written += n;
	if (phones_to_write(phones))
		return;
	free(mem_steal(phones->rows));
	free(mem_steal(phones->sorted));
	phones->sorted_count = 0;
	phones->written = 0;
}

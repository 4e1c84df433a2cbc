#include "trace/trace_search.h"

#include "base/mem.h"
#include "trace/trace_entry.h"

#include <stdlib.h>
#include <string.h>

#define KEYS_MAX 4096

struct search {
	struct trace_question *question;
	int64_t since_ms;
	struct registry_key *keys; /* those given, and those found with the user's name */
	size_t key_count;
};

static void begin(struct search *search, struct trace_question *question, int64_t since_ms)
{
	*search = (struct search){.question = question, .since_ms = since_ms};
	search->keys = mem_realloc_array(NULL, KEYS_MAX, sizeof(*search->keys));
	for (size_t i = 0; i < question->key_count && i < KEYS_MAX; i++)
		search->keys[search->key_count++] = question->keys[i];
}

static bool has_key(const struct search *search, const struct registry_key *key)
{
	for (size_t i = 0; i < search->key_count; i++)
		if (!memcmp(&search->keys[i], key, sizeof(*key)))
			return true;
	return false;
}

/* Entries without a user are about a registration that other entries, or the registry, know. */
static bool is_wanted(struct search *search, const struct trace_entry *entry)
{
	bool is_his = !strcmp(entry->user, search->question->user);
	if (is_his && trace_entry_has_key(entry) && search->key_count < KEYS_MAX &&
		!has_key(search, &entry->key))
		search->keys[search->key_count++] = entry->key;
	return is_his ||
		(!*entry->user && trace_entry_has_key(entry) && has_key(search, &entry->key));
}

/* So that the oldest go first, and copying them costs little in all. */
static void cut(struct trace_question *question)
{
	const struct buf *found = &question->found;
	struct trace_entry entry;
	size_t size = 0;
	for (size_t n = 1; n && size < TRACE_FOUND_MAX / 2; size += n)
		n = trace_entry_read(found->data + size, found->used - size, &entry);
	buf_consume(&question->found, size);
	question->is_cut = true;
}

static size_t on_find(void *ctx, uint8_t *bytes, size_t size, size_t from)
{
	struct search *search = ctx;
	struct trace_question *question = search->question;
	struct trace_entry entry;
	for (size_t at = 0, n; (n = trace_entry_read(bytes + at, size - at, &entry)); at += n) {
		bool is_gap = entry.kind == TRACE_GAP;
		if (at < from || entry.at_ms < search->since_ms ||
			(!is_gap && !is_wanted(search, &entry)))
			continue;
		buf_append(&question->found, bytes + at, n);
		if (question->found.used > TRACE_FOUND_MAX)
			cut(question);
	}
	return size;
}

static size_t on_erase(void *ctx, uint8_t *bytes, size_t size, size_t from)
{
	struct search *search = ctx;
	struct trace_entry entry;
	size_t stays = 0;
	(void)from;
	for (size_t at = 0, n; (n = trace_entry_read(bytes + at, size - at, &entry)); at += n) {
		if (is_wanted(search, &entry) || !strcmp(entry.owner, search->question->user)) {
			search->question->erased++;
			continue;
		}
		memmove(bytes + stays, bytes + at, n);
		stays += n;
	}
	return stays;
}

int trace_search_find(
	struct trace_ring *ring, int64_t since_ms, struct trace_question *question, struct err *err)
{
	struct search search;
	begin(&search, question, since_ms);
	int failed = trace_ring_visit(ring, since_ms, question->after, on_find, &search,
		&question->end, &question->damaged, err);
	free(search.keys);
	return failed;
}

int trace_search_erase(struct trace_ring *ring, struct trace_question *question, struct err *err)
{
	struct search search;
	begin(&search, question, 0);
	int failed = trace_ring_visit(
		ring, INT64_MIN, 0, on_erase, &search, &question->end, &question->damaged, err);
	free(search.keys);
	return failed;
}

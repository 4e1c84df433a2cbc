#include "schedule/topic_heaps.h"

#include "base/mem.h"

#include <string.h>

void topic_heaps_init(struct topic_heaps *heaps)
{
	*heaps = (struct topic_heaps){0};
}

void topic_heaps_fini(struct topic_heaps *heaps)
{
	for (size_t i = 0; i < heaps->count; i++) {
		heap_fini(&heaps->all[i]->now);
		heap_fini(&heaps->all[i]->later);
		free(heaps->all[i]->topic);
		free(heaps->all[i]);
	}
	free(heaps->all);
	topic_heaps_init(heaps);
}

static struct topic_heap *find(const struct topic_heaps *heaps, const char *topic)
{
	for (size_t i = 0; i < heaps->count; i++) {
		if (!strcmp(heaps->all[i]->topic, topic))
			return heaps->all[i];
	}
	return NULL;
}

struct topic_heap *topic_heaps_get(struct topic_heaps *heaps, const char *topic)
{
	struct topic_heap *heap = find(heaps, topic);
	if (heap)
		return heap;
	heap = mem_alloc_zero(1, sizeof(*heap));
	heap->topic = mem_dup(topic);
	heap_init(&heap->now);
	heap_init(&heap->later);
	heaps->all = mem_realloc_array(heaps->all, heaps->count + 1, sizeof(struct topic_heap *));
	heaps->all[heaps->count++] = heap;
	return heap;
}

static bool is_due(const struct heap_node *node, int64_t now_ms)
{
	return node && node->due_ms <= now_ms;
}

struct heap_node *topic_heaps_due(
	const struct topic_heaps *heaps, const char *topic, int64_t now_ms)
{
	const struct topic_heap *heap = find(heaps, topic);
	if (!heap)
		return NULL;
	struct heap_node *now = heap_first(&heap->now);
	struct heap_node *later = heap_first(&heap->later);
	if (!is_due(later, now_ms))
		return is_due(now, now_ms) ? now : NULL;
	bool is_urgent = is_due(now, now_ms) && heap->urgent_turns < TOPIC_HEAPS_URGENT_TURNS;
	return is_urgent ? now : later;
}

void topic_heaps_took_turn(struct topic_heaps *heaps, const char *topic, bool is_urgent)
{
	struct topic_heap *heap = topic_heaps_get(heaps, topic);
	if (!is_urgent)
		heap->urgent_turns = 0;
	else if (heap->urgent_turns < TOPIC_HEAPS_URGENT_TURNS)
		heap->urgent_turns++;
}

unsigned topic_heaps_turns(const struct topic_heaps *heaps, const char *topic)
{
	const struct topic_heap *heap = find(heaps, topic);
	return heap ? heap->urgent_turns : 0;
}

void topic_heaps_set_turns(struct topic_heaps *heaps, const char *topic, unsigned turns)
{
	topic_heaps_get(heaps, topic)->urgent_turns = turns;
}

size_t topic_heaps_count(const struct topic_heaps *heaps, const char *topic)
{
	const struct topic_heap *heap = find(heaps, topic);
	return heap ? heap->now.count + heap->later.count : 0;
}

void topic_heaps_begin_at(struct topic_heaps *heaps, uint64_t number)
{
	heaps->first = (size_t)number;
}

void topic_heaps_begin_turn(struct topic_heaps *heaps)
{
	heaps->first++;
}

const char *topic_heaps_next_topic(
	const struct topic_heaps *heaps, size_t *position, int64_t now_ms)
{
	while (*position < heaps->count) {
		size_t at = (heaps->first + (*position)++) % heaps->count;
		const struct topic_heap *heap = heaps->all[at];
		if (is_due(heap_first(&heap->now), now_ms) ||
			is_due(heap_first(&heap->later), now_ms))
			return heap->topic;
	}
	return NULL;
}

int64_t topic_heaps_wake_ms(const struct topic_heaps *heaps, int64_t now_ms, bool *ret_has_due)
{
	int64_t wake_ms = INT64_MAX;
	bool has_due = false;
	for (size_t i = 0; i < heaps->count; i++) {
		const struct heap *both[] = {&heaps->all[i]->now, &heaps->all[i]->later};
		for (int j = 0; j < 2; j++) {
			const struct heap_node *first = heap_first(both[j]);
			if (is_due(first, now_ms))
				has_due = true;
			else if (first && first->due_ms < wake_ms)
				wake_ms = first->due_ms;
		}
	}
	*ret_has_due = has_due;
	return wake_ms;
}

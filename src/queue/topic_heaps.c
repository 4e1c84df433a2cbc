#include "queue/topic_heaps.h"

#include "base/mem.h"

#include <string.h>

void topic_heaps_init(struct topic_heaps *lanes)
{
	*lanes = (struct topic_heaps){0};
}

void topic_heaps_fini(struct topic_heaps *lanes)
{
	for (size_t i = 0; i < lanes->count; i++) {
		heap_fini(&lanes->all[i]->now);
		heap_fini(&lanes->all[i]->later);
		free(lanes->all[i]->topic);
		free(lanes->all[i]);
	}
	free(lanes->all);
	topic_heaps_init(lanes);
}

static struct credential_connections *find(const struct topic_heaps *lanes, const char *topic)
{
	for (size_t i = 0; i < lanes->count; i++) {
		if (!strcmp(lanes->all[i]->topic, topic))
			return lanes->all[i];
	}
	return NULL;
}

struct credential_connections *topic_heaps_get(struct topic_heaps *lanes, const char *topic)
{
	struct credential_connections *lane = find(lanes, topic);
	if (lane)
		return lane;
	lane = mem_alloc_zero(1, sizeof(*lane));
	lane->topic = mem_dup(topic);
	heap_init(&lane->now);
	heap_init(&lane->later);
	lanes->all = mem_realloc_array(
		lanes->all, lanes->count + 1, sizeof(struct credential_connections *));
	lanes->all[lanes->count++] = lane;
	return lane;
}

static bool is_due(const struct heap_node *node, int64_t now_ms)
{
	return node && node->due_ms <= now_ms;
}

struct heap_node *topic_heaps_due(
	const struct topic_heaps *lanes, const char *topic, int64_t now_ms)
{
	const struct credential_connections *lane = find(lanes, topic);
	if (!lane)
		return NULL;
	struct heap_node *now = heap_first(&lane->now);
	struct heap_node *later = heap_first(&lane->later);
	if (!is_due(later, now_ms))
		return is_due(now, now_ms) ? now : NULL;
	bool is_urgent = is_due(now, now_ms) && lane->urgent_turns < TOPIC_HEAPS_URGENT_TURNS;
	return is_urgent ? now : later;
}

void topic_heaps_took_turn(struct topic_heaps *lanes, const char *topic, bool is_urgent)
{
	struct credential_connections *lane = topic_heaps_get(lanes, topic);
	if (!is_urgent)
		lane->urgent_turns = 0;
	else if (lane->urgent_turns < TOPIC_HEAPS_URGENT_TURNS)
		lane->urgent_turns++;
}

unsigned topic_heaps_turns(const struct topic_heaps *lanes, const char *topic)
{
	const struct credential_connections *lane = find(lanes, topic);
	return lane ? lane->urgent_turns : 0;
}

void topic_heaps_set_turns(struct topic_heaps *lanes, const char *topic, unsigned turns)
{
	topic_heaps_get(lanes, topic)->urgent_turns = turns;
}

size_t topic_heaps_count(const struct topic_heaps *lanes, const char *topic)
{
	const struct credential_connections *lane = find(lanes, topic);
	return lane ? lane->now.count + lane->later.count : 0;
}

void topic_heaps_begin_turn(struct topic_heaps *lanes)
{
	lanes->first++;
}

const char *topic_heaps_next_topic(
	const struct topic_heaps *lanes, size_t *position, int64_t now_ms)
{
	while (*position < lanes->count) {
		size_t at = (lanes->first + (*position)++) % lanes->count;
		const struct credential_connections *lane = lanes->all[at];
		if (is_due(heap_first(&lane->now), now_ms) ||
			is_due(heap_first(&lane->later), now_ms))
			return lane->topic;
	}
	return NULL;
}

int64_t topic_heaps_wake_ms(const struct topic_heaps *lanes, int64_t now_ms, bool *ret_has_due)
{
	int64_t wake_ms = INT64_MAX;
	bool has_due = false;
	for (size_t i = 0; i < lanes->count; i++) {
		const struct heap *heaps[] = {&lanes->all[i]->now, &lanes->all[i]->later};
		for (int j = 0; j < 2; j++) {
			const struct heap_node *first = heap_first(heaps[j]);
			if (is_due(first, now_ms))
				has_due = true;
			else if (first && first->due_ms < wake_ms)
				wake_ms = first->due_ms;
		}
	}
	*ret_has_due = has_due;
	return wake_ms;
}

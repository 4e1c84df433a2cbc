#include "schedule/heap.h"

#include "base/mem.h"

#include <assert.h>

void heap_init(struct heap *heap)
{
	*heap = (struct heap){0};
}

void heap_fini(struct heap *heap)
{
	free(heap->slots);
	*heap = (struct heap){0};
}

/* Each has four children: half as deep as with two, and those of one lie side by side. */
#define CHILDREN 4

static void put(struct heap *heap, size_t at, struct heap_slot slot)
{
	heap->slots[at] = slot;
	slot.node->position = at + 1;
}

static void sift_up(struct heap *heap, size_t at, struct heap_slot slot)
{
	while (at > 0 && heap->slots[(at - 1) / CHILDREN].due_ms > slot.due_ms) {
		put(heap, at, heap->slots[(at - 1) / CHILDREN]);
		at = (at - 1) / CHILDREN;
	}
	put(heap, at, slot);
}

static size_t earliest_child(const struct heap *heap, size_t first)
{
	size_t end = first + CHILDREN < heap->count ? first + CHILDREN : heap->count;
	size_t earliest = first;
	for (size_t i = first + 1; i < end; i++)
		if (heap->slots[i].due_ms < heap->slots[earliest].due_ms)
			earliest = i;
	return earliest;
}

static void sift_down(struct heap *heap, size_t at, struct heap_slot slot)
{
	for (size_t first; (first = at * CHILDREN + 1) < heap->count;) {
		size_t child = earliest_child(heap, first);
		if (heap->slots[child].due_ms >= slot.due_ms)
			break;
		put(heap, at, heap->slots[child]);
		at = child;
	}
	put(heap, at, slot);
}

static void settle(struct heap *heap, size_t at, struct heap_slot slot)
{
	if (at > 0 && heap->slots[(at - 1) / CHILDREN].due_ms > slot.due_ms)
		sift_up(heap, at, slot);
	else
		sift_down(heap, at, slot);
}

void heap_add(struct heap *heap, struct heap_node *node, int64_t due_ms)
{
	assert(!heap_has(node));
	if (heap->count == heap->capacity) {
		heap->capacity = heap->capacity ? heap->capacity * 2 : 64;
		heap->slots = mem_realloc_array(heap->slots, heap->capacity, sizeof(*heap->slots));
	}
	node->due_ms = due_ms;
	size_t at = heap->count++;
	sift_up(heap, at, (struct heap_slot){due_ms, node});
}

static size_t place_of(const struct heap *heap, const struct heap_node *node)
{
	assert(heap_has(node) && heap->slots[node->position - 1].node == node);
	return node->position - 1;
}

void heap_move(struct heap *heap, struct heap_node *node, int64_t due_ms)
{
	node->due_ms = due_ms;
	settle(heap, place_of(heap, node), (struct heap_slot){due_ms, node});
}

void heap_remove(struct heap *heap, struct heap_node *node)
{
	size_t at = place_of(heap, node);
	struct heap_slot last = heap->slots[--heap->count];
	if (last.node != node)
		settle(heap, at, last);
	node->position = 0;
}

struct heap_node *heap_first(const struct heap *heap)
{
	return heap->count ? heap->slots[0].node : NULL;
}

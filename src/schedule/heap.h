/*
 * heap - a heap of things by due time, any of which can be moved or taken out.
 *
 * A thing embeds a struct heap_node; the heap never owns it.  Ties come out in no order.  One
 * owner, one thread.
 */
#ifndef MAILPUSH_SCHEDULE_HEAP_H
#define MAILPUSH_SCHEDULE_HEAP_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct heap_node {
	int64_t due_ms;
	size_t position; /* 1 and up while in a heap, 0 outside */
};

/* The due time is beside the pointer: sorting reads no node. */
struct heap_slot {
	int64_t due_ms;
	struct heap_node *node;
};

struct heap {
	struct heap_slot *slots;
	size_t count;
	size_t capacity;
};

void heap_init(struct heap *heap);
void heap_fini(struct heap *heap);

static inline bool heap_has(const struct heap_node *node)
{
	return node->position != 0;
}

void heap_add(struct heap *heap, struct heap_node *node, int64_t due_ms);
void heap_move(struct heap *heap, struct heap_node *node, int64_t due_ms);
void heap_remove(struct heap *heap, struct heap_node *node);
/* The earliest, or NULL. */
struct heap_node *heap_first(const struct heap *heap);

#endif

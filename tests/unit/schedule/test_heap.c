#include "schedule/heap.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdlib.h>

#define NODES 2000

static void the_earliest_comes_first(void **state)
{
	(void)state;
	struct heap heap;
	struct heap_node nodes[3] = {0};
	heap_init(&heap);
	assert_null(heap_first(&heap));
	heap_add(&heap, &nodes[0], 30);
	heap_add(&heap, &nodes[1], 10);
	heap_add(&heap, &nodes[2], 20);
	assert_ptr_equal(heap_first(&heap), &nodes[1]);
	heap_move(&heap, &nodes[1], 40);
	assert_ptr_equal(heap_first(&heap), &nodes[2]);
	heap_remove(&heap, &nodes[2]);
	assert_false(heap_has(&nodes[2]));
	assert_ptr_equal(heap_first(&heap), &nodes[0]);
	heap_fini(&heap);
}

/* Adds, moves and removes at random; what comes out must be in order and complete. */
static void any_order_of_changes_keeps_the_heap(void **state)
{
	(void)state;
	static struct heap_node nodes[NODES];
	struct heap heap;
	unsigned seed = 20261122;
	heap_init(&heap);
	for (int round = 0; round < 20000; round++) {
		struct heap_node *node = &nodes[rand_r(&seed) % NODES];
		int64_t due_ms = rand_r(&seed) % 1000;
		if (!heap_has(node))
			heap_add(&heap, node, due_ms);
		else if (rand_r(&seed) % 2)
			heap_move(&heap, node, due_ms);
		else
			heap_remove(&heap, node);
	}
	size_t in_heap = 0;
	for (int i = 0; i < NODES; i++)
		in_heap += heap_has(&nodes[i]);
	assert_int_equal(in_heap, heap.count);
	int64_t last_ms = -1;
	struct heap_node *node;
	while ((node = heap_first(&heap))) {
		assert_true(node->due_ms >= last_ms);
		last_ms = node->due_ms;
		heap_remove(&heap, node);
		in_heap--;
	}
	assert_int_equal(in_heap, 0);
	heap_fini(&heap);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(the_earliest_comes_first),
		cmocka_unit_test(any_order_of_changes_keeps_the_heap),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}

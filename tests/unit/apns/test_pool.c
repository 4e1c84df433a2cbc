#include "apns/pool.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#define BLOCKS 500
#define ROUNDS 20000
#define SIZE_MOST 3000

static void a_block_given_back_is_used_again(void **state)
{
	struct pool *pool = pool_new();
	(void)state;
	void *block = pool_malloc(40, pool);
	pool_release(block, pool);
	assert_ptr_equal(pool_malloc(60, pool), block);
	pool_release(block, pool);
	pool_free(pool);
}

static void calloc_clears_what_was_used_before(void **state)
{
	static const uint8_t zeros[96];
	struct pool *pool = pool_new();
	(void)state;
	void *block = pool_malloc(96, pool);
	memset(block, 0xff, 96);
	pool_release(block, pool);
	block = pool_calloc(3, 32, pool);
	assert_memory_equal(block, zeros, sizeof(zeros));
	pool_release(block, pool);
	pool_free(pool);
}

static void blocks_of_any_size_never_share_memory(void **state)
{
	static uint8_t *blocks[BLOCKS];
	static size_t sizes[BLOCKS];
	struct pool *pool = pool_new();
	unsigned seed = 20261122;
	(void)state;
	for (int round = 0; round < ROUNDS; round++) {
		size_t i = (size_t)rand_r(&seed) % BLOCKS;
		size_t size = (size_t)rand_r(&seed) % SIZE_MOST;
		/* What was written into it is there still, as far as it reaches. */
		for (size_t at = 0; blocks[i] && at < sizes[i]; at++)
			assert_int_equal(blocks[i][at], (uint8_t)i);
		if (rand_r(&seed) % 2) {
			blocks[i] = pool_realloc(blocks[i], size, pool);
			size_t kept = size < sizes[i] ? size : sizes[i];
			for (size_t at = 0; at < kept; at++)
				assert_int_equal(blocks[i][at], (uint8_t)i);
		} else {
			pool_release(blocks[i], pool);
			blocks[i] = pool_malloc(size, pool);
		}
		assert_int_equal((uintptr_t)blocks[i] % _Alignof(max_align_t), 0);
		sizes[i] = size;
		memset(blocks[i], (int)(uint8_t)i, size);
	}
	for (size_t i = 0; i < BLOCKS; i++)
		pool_release(blocks[i], pool);
	pool_free(pool);
}

static void nothing_is_released_as_free_does(void **state)
{
	struct pool *pool = pool_new();
	(void)state;
	pool_release(NULL, pool);
	pool_free(pool);
	pool_free(NULL);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_block_given_back_is_used_again),
		cmocka_unit_test(calloc_clears_what_was_used_before),
		cmocka_unit_test(blocks_of_any_size_never_share_memory),
		cmocka_unit_test(nothing_is_released_as_free_does),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}

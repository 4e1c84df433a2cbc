#include "base/map.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

static const uint8_t seed[16] = {1, 2, 3};

static void equal_bytes_hash_alike_and_others_do_not(void **state)
{
	(void)state;
	const uint8_t other[16] = {4};
	assert_true(map_hash(seed, "mailbox", 7) == map_hash(seed, "mailbox", 7));
	assert_true(map_hash(seed, "mailbox", 7) != map_hash(seed, "mailboy", 7));
	assert_true(map_hash(seed, "mailbox", 7) != map_hash(seed, "mailbox", 6));
	assert_true(map_hash(seed, "mailbox", 7) != map_hash(other, "mailbox", 7));
	assert_true(map_hash(seed, "", 0) != map_hash(seed, "\0", 1));
}

static void what_was_added_is_found_until_removed(void **state)
{
	(void)state;
	struct map *map = map_new(seed);
	assert_null(map_get(map, "a", 1));
	map_add(map, "a", 1, "first");
	map_add(map, "ab", 2, "second");
	assert_string_equal(map_get(map, "a", 1), "first");
	assert_string_equal(map_remove(map, "a", 1), "first");
	assert_null(map_get(map, "a", 1));
	assert_null(map_remove(map, "a", 1));
	assert_string_equal(map_get(map, "ab", 2), "second");
	assert_int_equal(map_count(map), 1);
	map_clear(map);
	assert_int_equal(map_count(map), 0);
	assert_null(map_get(map, "ab", 2));
	map_free(map);
}

#define KEYS 5000

/* Against the plainest model there is: an array of what should be in. */
static void random_changes_agree_with_a_model(void **state)
{
	(void)state;
	static uint32_t keys[KEYS];
	static bool is_in[KEYS];
	struct map *map = map_new(seed);
	unsigned chance = 20261122;
	for (uint32_t i = 0; i < KEYS; i++)
		keys[i] = i;
	for (int round = 0; round < 200000; round++) {
		/* First it grows, then it shrinks. */
		bool add = rand_r(&chance) % 10 < (round < 100000 ? 7 : 2);
		size_t i = (size_t)rand_r(&chance) % KEYS;
		if (add && !is_in[i]) {
			map_add(map, &keys[i], sizeof(keys[i]), &keys[i]);
			is_in[i] = true;
		} else if (!add) {
			void *removed = map_remove(map, &keys[i], sizeof(keys[i]));
			assert_ptr_equal(removed, is_in[i] ? &keys[i] : NULL);
			is_in[i] = false;
		}
	}
	size_t count = 0;
	for (size_t i = 0; i < KEYS; i++) {
		count += is_in[i];
		assert_ptr_equal(
			map_get(map, &keys[i], sizeof(keys[i])), is_in[i] ? &keys[i] : NULL);
	}
	assert_int_equal(map_count(map), count);
	size_t position = 0;
	uint32_t *value;
	while ((value = map_next(map, &position))) {
		assert_true(is_in[*value]);
		count--;
	}
	assert_int_equal(count, 0);
	map_free(map);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(equal_bytes_hash_alike_and_others_do_not),
		cmocka_unit_test(what_was_added_is_found_until_removed),
		cmocka_unit_test(random_changes_agree_with_a_model),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}

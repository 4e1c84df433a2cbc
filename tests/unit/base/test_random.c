#include "base/random.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

static const uint8_t seed[RANDOM_SEED_SIZE] = {1, 2, 3};

static void a_seed_repeats_its_numbers(void **state)
{
	struct random first, second, other;
	bool is_other = false;
	(void)state;
	random_init(&first, seed);
	random_init(&second, seed);
	random_init(&other, (const uint8_t[RANDOM_SEED_SIZE]){1, 2, 4});
	for (unsigned i = 0; i < 100; i++) {
		uint64_t number = random_draw(&first);
		assert_int_equal(random_draw(&second), number);
		is_other = is_other || random_draw(&other) != number;
	}
	assert_true(is_other);
}

static void a_seed_of_zeros_is_as_good_as_any(void **state)
{
	struct random random;
	(void)state;
	random_init(&random, (const uint8_t[RANDOM_SEED_SIZE]){0});
	uint64_t first = random_draw(&random);
	assert_int_not_equal(random_draw(&random), first);
}

static void both_ends_of_a_range_are_in_it(void **state)
{
	struct random random;
	bool is_seen[4] = {false};
	(void)state;
	random_init(&random, seed);
	for (unsigned i = 0; i < 1000; i++) {
		int64_t number = random_upto(&random, 3);
		assert_int_in_range(number, 0, 3);
		is_seen[number] = true;
	}
	assert_true(is_seen[0] && is_seen[1] && is_seen[2] && is_seen[3]);
	assert_int_equal(random_upto(&random, 0), 0);
	assert_int_equal(random_upto(&random, -5), 0);
	assert_true(random_upto(&random, INT64_MAX) >= 0);
}

static void a_uuid_says_its_version(void **state)
{
	struct random random;
	uint8_t id[16];
	(void)state;
	random_init(&random, seed);
	for (unsigned i = 0; i < 100; i++) {
		random_uuid(&random, id);
		assert_int_equal(id[6] >> 4, 4);
		assert_int_equal(id[8] >> 6, 2);
	}
}

static void two_seeds_are_two(void **state)
{
	uint8_t first[RANDOM_SEED_SIZE], second[RANDOM_SEED_SIZE];
	(void)state;
	random_seed(first);
	random_seed(second);
	assert_memory_not_equal(first, second, RANDOM_SEED_SIZE);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_seed_repeats_its_numbers),
		cmocka_unit_test(a_seed_of_zeros_is_as_good_as_any),
		cmocka_unit_test(both_ends_of_a_range_are_in_it),
		cmocka_unit_test(a_uuid_says_its_version),
		cmocka_unit_test(two_seeds_are_two),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}

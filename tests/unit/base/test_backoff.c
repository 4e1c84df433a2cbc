#include "base/backoff.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#define TIMES 1000

static void the_delay_doubles_with_each_failure(void **state)
{
	(void)state;
	assert_int_equal(backoff_ms(100, 5000, 0), 100);
	assert_int_equal(backoff_ms(100, 5000, 1), 200);
	assert_int_equal(backoff_ms(100, 5000, 5), 3200);
}

static void it_is_never_longer_than_the_maximum(void **state)
{
	(void)state;
	assert_int_equal(backoff_ms(100, 5000, 6), 5000);
	assert_int_equal(backoff_ms(100, 5000, UINT32_MAX), 5000);
	assert_int_equal(backoff_ms(100, 100, 3), 100);
	assert_int_equal(backoff_ms(1, INT64_MAX, 200), INT64_MAX);
}

/* The shortest and the longest of many. */
static int64_t longest(unsigned failures, int64_t *ret_shortest)
{
	struct random random;
	int64_t most = 0;
	random_init(&random, (const uint8_t[RANDOM_SEED_SIZE]){1, 2, 3});
	*ret_shortest = INT64_MAX;
	for (unsigned i = 0; i < TIMES; i++) {
		int64_t delay_ms = backoff_random_ms(1000, 60000, failures, &random);
		most = delay_ms > most ? delay_ms : most;
		*ret_shortest = delay_ms < *ret_shortest ? delay_ms : *ret_shortest;
	}
	return most;
}

static void chance_makes_it_shorter_down_to_half_the_minimum(void **state)
{
	int64_t shortest;
	(void)state;
	assert_int_in_range(longest(0, &shortest), 950, 1000);
	assert_int_in_range(shortest, 500, 550);
	assert_int_in_range(longest(3, &shortest), 7600, 8000);
	assert_int_in_range(shortest, 500, 900);
	assert_int_in_range(longest(20, &shortest), 57000, 60000);
	assert_int_in_range(shortest, 500, 3500);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(the_delay_doubles_with_each_failure),
		cmocka_unit_test(it_is_never_longer_than_the_maximum),
		cmocka_unit_test(chance_makes_it_shorter_down_to_half_the_minimum),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}

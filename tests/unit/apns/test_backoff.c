#include "apns/backoff.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#define SEEDS 200

static int64_t largest_of_attempt(unsigned attempt, int64_t *ret_smallest)
{
	int64_t largest = 0;
	*ret_smallest = INT64_MAX;
	for (uint64_t seed = 1; seed <= SEEDS; seed++) {
		struct backoff backoff;
		int64_t delay_ms = 0;
		backoff_init(&backoff, 1000, 60000, seed * UINT64_C(0x9E3779B97F4A7C15));
		for (unsigned i = 0; i <= attempt; i++)
			delay_ms = backoff_next_ms(&backoff);
		if (delay_ms > largest)
			largest = delay_ms;
		if (delay_ms < *ret_smallest)
			*ret_smallest = delay_ms;
	}
	return largest;
}

static void the_bound_doubles_with_each_attempt(void **state)
{
	int64_t smallest;
	(void)state;
	assert_int_in_range(largest_of_attempt(0, &smallest), 900, 1000);
	assert_int_in_range(largest_of_attempt(1, &smallest), 1800, 2000);
	assert_int_in_range(largest_of_attempt(3, &smallest), 7200, 8000);
}

static void it_never_waits_longer_than_the_maximum(void **state)
{
	int64_t smallest;
	(void)state;
	assert_int_in_range(largest_of_attempt(20, &smallest), 54000, 60000);
}

static void jitter_reaches_down_to_half_the_minimum(void **state)
{
	int64_t smallest;
	(void)state;
	largest_of_attempt(20, &smallest);
	assert_int_in_range(smallest, 500, 5000);
}

static void a_reset_begins_again(void **state)
{
	struct backoff backoff;
	(void)state;
	backoff_init(&backoff, 1000, 60000, 4711);
	for (unsigned i = 0; i < 10; i++)
		backoff_next_ms(&backoff);
	backoff_reset(&backoff);
	assert_int_in_range(backoff_next_ms(&backoff), 500, 1000);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(the_bound_doubles_with_each_attempt),
		cmocka_unit_test(it_never_waits_longer_than_the_maximum),
		cmocka_unit_test(jitter_reaches_down_to_half_the_minimum),
		cmocka_unit_test(a_reset_begins_again),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}

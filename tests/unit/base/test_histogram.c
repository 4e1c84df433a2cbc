#include "base/histogram.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

static void what_is_observed_falls_into_its_bucket(void **state)
{
	(void)state;
	struct histogram histogram = {0};
	histogram_observe_us(&histogram, 100);
	histogram_observe_us(&histogram, 101);
	histogram_observe_us(&histogram, INT64_C(1800000001));
	assert_int_equal(histogram.counts[0], 1);
	assert_int_equal(histogram.counts[1], 1);
	assert_int_equal(histogram.counts[HISTOGRAM_BUCKETS], 1);
	assert_int_equal(histogram_count(&histogram), 3);
	assert_true(histogram_sum_s(&histogram) > 1800.0);
}

static void a_clock_that_jumped_back_counts_as_nothing(void **state)
{
	(void)state;
	struct histogram histogram = {0};
	histogram_observe_us(&histogram, -5000000);
	assert_int_equal(histogram.counts[0], 1);
	assert_true(histogram_sum_s(&histogram) == 0);
}

static void bounds_grow(void **state)
{
	(void)state;
	for (int i = 1; i < HISTOGRAM_BUCKETS; i++)
		assert_true(histogram_bounds_us[i] > histogram_bounds_us[i - 1]);
}

static void a_quantile_lies_within_its_bucket(void **state)
{
	(void)state;
	struct histogram histogram = {0};
	assert_true(histogram_quantile_s(&histogram, 0.5) == 0);
	for (int i = 0; i < 90; i++)
		histogram_observe_us(&histogram, 2000);
	for (int i = 0; i < 10; i++)
		histogram_observe_us(&histogram, 400000);
	double half = histogram_quantile_s(&histogram, 0.5);
	double most = histogram_quantile_s(&histogram, 0.99);
	assert_true(half > 0.001 && half <= 0.0025);
	assert_true(most > 0.25 && most <= 0.5);
}

static void beyond_the_last_bound_the_quantile_is_that_bound(void **state)
{
	(void)state;
	struct histogram histogram = {0};
	histogram_observe_us(&histogram, INT64_C(9000000000));
	assert_true(histogram_quantile_s(&histogram, 0.5) == 1800);
}

static void what_it_grew_by_can_be_had_apart(void **state)
{
	(void)state;
	struct histogram histogram = {0};
	struct histogram growth = {0};
	histogram_observe_us(&histogram, 100);
	struct histogram before = histogram;
	histogram_observe_us(&histogram, 2000000);
	histogram_observe_us(&histogram, INT64_C(9000000000));
	histogram_add_growth(&growth, &histogram, &before);
	assert_int_equal(histogram_count(&growth), 2);
	assert_int_equal(growth.counts[0], 0);
	assert_int_equal(growth.counts[HISTOGRAM_BUCKETS], 1);
	assert_true(histogram_sum_s(&growth) == 9002);
	histogram_add_growth(&growth, &histogram, &histogram);
	assert_int_equal(histogram_count(&growth), 2);
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(what_is_observed_falls_into_its_bucket),
		cmocka_unit_test(a_clock_that_jumped_back_counts_as_nothing),
		cmocka_unit_test(bounds_grow),
		cmocka_unit_test(a_quantile_lies_within_its_bucket),
		cmocka_unit_test(what_it_grew_by_can_be_had_apart),
		cmocka_unit_test(beyond_the_last_bound_the_quantile_is_that_bound),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}

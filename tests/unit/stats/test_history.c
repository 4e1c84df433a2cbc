#include "stats/history.h"

#include "base/clock.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#define BEGAN_MS INT64_C(123456789)
#define QUARTER_MS (15 * CLOCK_MINUTE_MS)

static struct history *history;
static struct histogram event_to_push;
static struct histogram answered;
static struct history_totals totals;

static int set_up(void **state)
{
	(void)state;
	memset(&event_to_push, 0, sizeof(event_to_push));
	memset(&answered, 0, sizeof(answered));
	totals = (struct history_totals){.event_to_push = &event_to_push, .answered = &answered};
	history = history_new(BEGAN_MS);
	return 0;
}

static int tear_down(void **state)
{
	(void)state;
	history_free(history);
	return 0;
}

/* So many more events, `at_ms` after the start. */
static void events_at(int64_t at_ms, uint64_t more)
{
	totals.events += more;
	history_sample(history, BEGAN_MS + at_ms, &totals);
}

static uint64_t events_in(enum history_span span, unsigned i)
{
	return history_at(history, span, i)->events;
}

static uint64_t all_events_in(enum history_span span)
{
	uint64_t sum = 0;
	for (unsigned i = 0; i < history_count(history, span); i++)
		sum += events_in(span, i);
	return sum;
}

static void the_last_event_and_push_have_the_time_of_the_sample_that_found_them(void **state)
{
	(void)state;
	assert_int_equal(history_last_event_ms(history), -1);
	assert_int_equal(history_last_taken_ms(history), -1);
	events_at(1000, 1);
	events_at(2000, 0);
	assert_int_equal(history_last_event_ms(history), BEGAN_MS + 1000);
	assert_int_equal(history_last_taken_ms(history), -1);
	totals.taken++;
	totals.failed++;
	events_at(3000, 0);
	totals.failed++;
	events_at(4000, 0);
	assert_int_equal(history_last_event_ms(history), BEGAN_MS + 1000);
	assert_int_equal(history_last_taken_ms(history), BEGAN_MS + 3000);
}

static void it_begins_with_one_empty_bucket(void **state)
{
	(void)state;
	assert_int_equal(history_count(history, HISTORY_HOUR), 1);
	assert_int_equal(history_count(history, HISTORY_DAY), 1);
	assert_int_equal(events_in(HISTORY_HOUR, 0), 0);
	assert_int_equal(history_width_ms(HISTORY_HOUR), CLOCK_MINUTE_MS);
	assert_int_equal(history_width_ms(HISTORY_DAY), QUARTER_MS);
}

static void what_came_before_the_first_sample_counts(void **state)
{
	(void)state;
	events_at(10, 3);
	assert_int_equal(events_in(HISTORY_HOUR, 0), 3);
	assert_int_equal(events_in(HISTORY_DAY, 0), 3);
}

static void a_minute_takes_what_came_in_it(void **state)
{
	(void)state;
	events_at(0, 1);
	events_at(CLOCK_MINUTE_MS - 1, 2);
	events_at(CLOCK_MINUTE_MS, 4);
	assert_int_equal(history_count(history, HISTORY_HOUR), 2);
	assert_int_equal(events_in(HISTORY_HOUR, 0), 3);
	assert_int_equal(events_in(HISTORY_HOUR, 1), 4);
	assert_int_equal(history_count(history, HISTORY_DAY), 1);
	assert_int_equal(events_in(HISTORY_DAY, 0), 7);
}

static void minutes_without_a_sample_are_empty(void **state)
{
	(void)state;
	events_at(0, 1);
	events_at(10 * CLOCK_MINUTE_MS, 1);
	assert_int_equal(history_count(history, HISTORY_HOUR), 11);
	for (unsigned i = 1; i < 10; i++)
		assert_int_equal(events_in(HISTORY_HOUR, i), 0);
	assert_int_equal(events_in(HISTORY_HOUR, 10), 1);
}

static void what_is_older_than_the_span_is_gone(void **state)
{
	(void)state;
	for (int minute = 0; minute < 26 * 60; minute++)
		events_at(minute * CLOCK_MINUTE_MS, 1);
	assert_int_equal(history_count(history, HISTORY_HOUR), HISTORY_MINUTES);
	assert_int_equal(all_events_in(HISTORY_HOUR), 60);
	assert_int_equal(history_count(history, HISTORY_DAY), HISTORY_QUARTERS);
	assert_int_equal(all_events_in(HISTORY_DAY), 24 * 60);
	for (unsigned i = 0; i < HISTORY_QUARTERS; i++)
		assert_int_equal(events_in(HISTORY_DAY, i), 15);
}

static void after_a_gap_longer_than_the_span_nothing_old_is_left(void **state)
{
	(void)state;
	for (int minute = 0; minute < 70; minute++)
		events_at(minute * CLOCK_MINUTE_MS, 1);
	events_at(70 * CLOCK_MINUTE_MS + 5 * CLOCK_HOUR_MS, 2);
	assert_int_equal(history_count(history, HISTORY_HOUR), HISTORY_MINUTES);
	assert_int_equal(all_events_in(HISTORY_HOUR), 2);
	assert_int_equal(events_in(HISTORY_HOUR, HISTORY_MINUTES - 1), 2);
	assert_int_equal(all_events_in(HISTORY_DAY), 72);
	events_at(400 * CLOCK_DAY_MS, 1);
	assert_int_equal(all_events_in(HISTORY_DAY), 1);
	assert_int_equal(history_count(history, HISTORY_DAY), HISTORY_QUARTERS);
}

static void a_gap_as_long_as_the_span_leaves_nothing_either(void **state)
{
	(void)state;
	events_at(0, 5);
	events_at(HISTORY_MINUTES * CLOCK_MINUTE_MS, 1);
	assert_int_equal(all_events_in(HISTORY_HOUR), 1);
	assert_int_equal(all_events_in(HISTORY_DAY), 6);
}

static void a_time_that_goes_back_changes_no_other_bucket(void **state)
{
	(void)state;
	events_at(5 * CLOCK_MINUTE_MS, 1);
	events_at(2 * CLOCK_MINUTE_MS, 4);
	events_at(-CLOCK_HOUR_MS, 8);
	assert_int_equal(history_count(history, HISTORY_HOUR), 6);
	assert_int_equal(events_in(HISTORY_HOUR, 5), 13);
	assert_int_equal(all_events_in(HISTORY_HOUR), 13);
}

static void pushes_and_latencies_are_kept_apart_by_time(void **state)
{
	(void)state;
	totals.taken = 2;
	histogram_observe_us(&event_to_push, 1000);
	histogram_observe_us(&answered, 2000);
	history_sample(history, BEGAN_MS, &totals);
	totals.taken = 3;
	totals.failed = 1;
	histogram_observe_us(&event_to_push, 9000000);
	history_sample(history, BEGAN_MS + CLOCK_MINUTE_MS, &totals);
	const struct history_bucket *first = history_at(history, HISTORY_HOUR, 0);
	const struct history_bucket *second = history_at(history, HISTORY_HOUR, 1);
	assert_int_equal(first->taken, 2);
	assert_int_equal(first->failed, 0);
	assert_int_equal(histogram_count(&first->answered), 1);
	assert_true(histogram_quantile_s(&first->event_to_push, 0.95) <= 0.001);
	assert_int_equal(second->taken, 1);
	assert_int_equal(second->failed, 1);
	assert_int_equal(histogram_count(&second->answered), 0);
	assert_true(histogram_quantile_s(&second->event_to_push, 0.95) > 5);
	assert_int_equal(histogram_count(&history_at(history, HISTORY_DAY, 0)->event_to_push), 2);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
	static const struct CMUnitTest tests[] = {
		TEST(it_begins_with_one_empty_bucket),
		TEST(the_last_event_and_push_have_the_time_of_the_sample_that_found_them),
		TEST(what_came_before_the_first_sample_counts),
		TEST(a_minute_takes_what_came_in_it),
		TEST(minutes_without_a_sample_are_empty),
		TEST(what_is_older_than_the_span_is_gone),
		TEST(after_a_gap_longer_than_the_span_nothing_old_is_left),
		TEST(a_gap_as_long_as_the_span_leaves_nothing_either),
		TEST(a_time_that_goes_back_changes_no_other_bucket),
		TEST(pushes_and_latencies_are_kept_apart_by_time),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}

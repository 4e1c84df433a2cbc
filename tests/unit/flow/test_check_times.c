/* When Apple is asked about a credential: a day goes by in virtual time. */
#include "flow/check_times.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#define NOW 1000000
#define INTERVAL_MS CLOCK_HOUR_MS
#define NEVER (-1)

static struct check_times cadence;
static struct random chance;

static int begin(void **state)
{
	static const uint8_t seed[16] = {1};
	(void)state;
	random_init(&chance, seed);
	check_times_init(&cadence, INTERVAL_MS);
	return 0;
}

static void ask_at(int64_t now_ms)
{
	assert_true(check_times_is_due(&cadence, NEVER, now_ms));
	check_times_asked(&cadence, now_ms);
}

static void answer(enum check_times_outcome outcome, int64_t now_ms)
{
	check_times_answered(&cadence, outcome, &chance, now_ms);
}

/* Goes from due time to due time, each answered at once. */
static unsigned count_asked(int64_t from_ms, int64_t to_ms, enum check_times_outcome outcome)
{
	unsigned asked = 0;
	int64_t last_ms = from_ms - CHECK_TIMES_LEAST_MS;
	while (cadence.due_ms <= to_ms) {
		int64_t now_ms = cadence.due_ms;
		assert_true(now_ms - last_ms >= CHECK_TIMES_LEAST_MS);
		last_ms = now_ms;
		ask_at(now_ms);
		answer(outcome, now_ms);
		asked++;
	}
	return asked;
}

static void nothing_is_planned_before_the_start(void **state)
{
	(void)state;
	assert_false(check_times_is_due(&cadence, NEVER, NOW + CLOCK_DAY_MS));
}

static void a_single_credential_is_asked_about_at_once(void **state)
{
	(void)state;
	check_times_soon(&cadence, 1, &chance, NOW);
	assert_true(check_times_is_due(&cadence, NEVER, NOW));
}

static void many_are_spread(void **state)
{
	bool is_spread = false;
	(void)state;
	for (int i = 0; i < 16; i++) {
		check_times_init(&cadence, INTERVAL_MS);
		check_times_soon(&cadence, 16, &chance, NOW);
		assert_int_in_range(cadence.due_ms, NOW, NOW + 15 * CHECK_TIMES_SPREAD_MS);
		is_spread = is_spread || cadence.due_ms > NOW + CHECK_TIMES_SPREAD_MS;
	}
	assert_true(is_spread);
}

static void it_is_asked_at_least_hourly_and_not_much_more_often(void **state)
{
	(void)state;
	check_times_soon(&cadence, 1, &chance, NOW);
	unsigned asked = count_asked(NOW, NOW + CLOCK_DAY_MS, CHECK_TIMES_ACCEPTED);
	assert_int_in_range(asked, 25, 27);
}

static void the_intervals_differ(void **state)
{
	(void)state;
	check_times_soon(&cadence, 1, &chance, NOW);
	ask_at(NOW);
	answer(CHECK_TIMES_ACCEPTED, NOW);
	int64_t first_ms = cadence.due_ms - NOW;
	ask_at(cadence.due_ms);
	int64_t asked_ms = cadence.asked_ms;
	answer(CHECK_TIMES_ACCEPTED, asked_ms);
	assert_int_not_equal(cadence.due_ms - asked_ms, first_ms);
}

static void without_an_answer_it_is_asked_again_within_a_minute(void **state)
{
	(void)state;
	check_times_soon(&cadence, 1, &chance, NOW);
	ask_at(NOW);
	assert_false(check_times_is_due(&cadence, NEVER, NOW + CLOCK_DAY_MS));
	answer(CHECK_TIMES_NO_ANSWER, NOW);
	assert_false(check_times_is_due(&cadence, NEVER, NOW + CHECK_TIMES_AGAIN_MS / 2));
	assert_true(check_times_is_due(&cadence, NEVER, NOW + CHECK_TIMES_AGAIN_MS));
}

/* Its hold says when. */
static void one_that_is_refused_is_asked_about_again(void **state)
{
	(void)state;
	check_times_soon(&cadence, 1, &chance, NOW);
	ask_at(NOW);
	answer(CHECK_TIMES_REFUSED, NOW + 1);
	assert_int_equal(cadence.due_ms, NOW + CHECK_TIMES_LEAST_MS);
}

static void reloads_in_a_row_ask_once_in_ten_seconds(void **state)
{
	unsigned asked = 0;
	(void)state;
	for (int64_t now_ms = NOW; now_ms < NOW + CLOCK_MINUTE_MS; now_ms += 100) {
		check_times_soon(&cadence, 1, &chance, now_ms);
		if (!check_times_is_due(&cadence, NEVER, now_ms))
			continue;
		check_times_asked(&cadence, now_ms);
		answer(CHECK_TIMES_ACCEPTED, now_ms);
		asked++;
	}
	assert_int_equal(asked, 6);
}

static void a_reload_does_not_ask_twice_at_a_time(void **state)
{
	(void)state;
	check_times_soon(&cadence, 1, &chance, NOW);
	ask_at(NOW);
	check_times_soon(&cadence, 1, &chance, NOW + CLOCK_MINUTE_MS);
	assert_false(check_times_is_due(&cadence, NEVER, NOW + CLOCK_DAY_MS));
}

static void a_reload_during_a_question_asks_again(void **state)
{
	(void)state;
	check_times_soon(&cadence, 1, &chance, NOW);
	ask_at(NOW);
	check_times_soon(&cadence, 1, &chance, NOW + 1);
	answer(CHECK_TIMES_ACCEPTED, NOW + 2);
	assert_int_equal(cadence.due_ms, NOW + CHECK_TIMES_LEAST_MS);
	ask_at(NOW + CHECK_TIMES_LEAST_MS);
	answer(CHECK_TIMES_ACCEPTED, NOW + CHECK_TIMES_LEAST_MS + 1);
	assert_int_in_range(cadence.due_ms, NOW + INTERVAL_MS / 2, NOW + 2 * INTERVAL_MS);
}

static void a_push_that_apple_judged_will_do(void **state)
{
	(void)state;
	check_times_soon(&cadence, 1, &chance, NOW);
	assert_false(check_times_is_due(&cadence, CLOCK_MINUTE_MS, NOW));
	assert_int_equal(cadence.due_ms, NOW - CLOCK_MINUTE_MS + INTERVAL_MS);
	assert_true(check_times_is_due(&cadence, INTERVAL_MS, cadence.due_ms));
}

static void while_pushes_are_judged_it_is_never_asked(void **state)
{
	(void)state;
	check_times_soon(&cadence, 1, &chance, NOW);
	for (int64_t now_ms = NOW; now_ms < NOW + CLOCK_DAY_MS; now_ms += CLOCK_MINUTE_MS)
		assert_false(check_times_is_due(&cadence, 30 * CLOCK_MINUTE_MS, now_ms));
}

static void an_interval_of_nothing_is_never(void **state)
{
	(void)state;
	check_times_init(&cadence, 0);
	check_times_soon(&cadence, 1, &chance, NOW);
	assert_int_equal(count_asked(NOW, NOW + CLOCK_DAY_MS, CHECK_TIMES_ACCEPTED), 0);
}

static void after_a_change_to_never_no_test_is_due(void **state)
{
	(void)state;
	check_times_soon(&cadence, 1, &chance, NOW);
	check_times_set_interval(&cadence, 0);
	assert_false(check_times_is_due(&cadence, NEVER, NOW + CLOCK_DAY_MS));
	check_times_soon(&cadence, 1, &chance, NOW);
	assert_false(check_times_is_due(&cadence, NEVER, NOW + CLOCK_DAY_MS));
}

static void with_never_what_is_put_off_is_not_due_again(void **state)
{
	(void)state;
	check_times_soon(&cadence, 1, &chance, NOW);
	cadence.interval_ms = 0;
	check_times_put_off(&cadence, NOW);
	assert_int_equal(cadence.due_ms, INT64_MAX);
}

static void a_change_of_the_interval_counts_from_the_next_test_on(void **state)
{
	(void)state;
	check_times_soon(&cadence, 1, &chance, NOW);
	check_times_set_interval(&cadence, CLOCK_DAY_MS);
	ask_at(NOW);
	answer(CHECK_TIMES_ACCEPTED, NOW);
	assert_int_in_range(cadence.due_ms, NOW + CLOCK_DAY_MS / 2, NOW + CLOCK_DAY_MS);
}

int main(void)
{
#define T(name) cmocka_unit_test_setup(name, begin)
	const struct CMUnitTest tests[] = {
		T(nothing_is_planned_before_the_start),
		T(a_single_credential_is_asked_about_at_once),
		T(many_are_spread),
		T(it_is_asked_at_least_hourly_and_not_much_more_often),
		T(the_intervals_differ),
		T(without_an_answer_it_is_asked_again_within_a_minute),
		T(one_that_is_refused_is_asked_about_again),
		T(reloads_in_a_row_ask_once_in_ten_seconds),
		T(a_reload_does_not_ask_twice_at_a_time),
		T(a_reload_during_a_question_asks_again),
		T(a_push_that_apple_judged_will_do),
		T(while_pushes_are_judged_it_is_never_asked),
		T(an_interval_of_nothing_is_never),
		T(after_a_change_to_never_no_test_is_due),
		T(with_never_what_is_put_off_is_not_due_again),
		T(a_change_of_the_interval_counts_from_the_next_test_on),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}

#include "trace/trace_share.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

static const uint8_t seed[16] = "a seed of tests";
static struct trace_share *share;

static int set_up(void **state)
{
	(void)state;
	share = trace_share_new(seed);
	return 0;
}

static int tear_down(void **state)
{
	(void)state;
	trace_share_free(share);
	return 0;
}

static bool take(const char *who, enum trace_weight weight, uint32_t sameness, int64_t now_ms,
	uint32_t *ret_left_out)
{
	return trace_share_take(share, who, strlen(who), weight, sameness, now_ms, ret_left_out);
}

/* How many of so many different things in one moment. */
static int taken(const char *who, enum trace_weight weight, int count, int64_t now_ms)
{
	uint32_t left_out;
	int sum = 0;
	for (int i = 0; i < count; i++)
		sum += take(who, weight, 0, now_ms, &left_out);
	return sum;
}

static void a_user_may_leave_so_many_at_once_and_then_one_now_and_then(void **state)
{
	(void)state;
	assert_int_equal(taken("a", TRACE_MAJOR, 1000, 5000), TRACE_SHARE_BURST);
	assert_int_equal(taken("a", TRACE_MAJOR, 10, 5000 + TRACE_SHARE_EVERY_MS - 1), 0);
	assert_int_equal(taken("a", TRACE_MAJOR, 10, 5000 + TRACE_SHARE_EVERY_MS), 1);
	assert_int_equal(taken("a", TRACE_MAJOR, 1000,
				 5000 + INT64_C(2) * TRACE_SHARE_BURST * TRACE_SHARE_EVERY_MS),
		TRACE_SHARE_BURST);
}

static void one_who_floods_takes_nothing_from_another(void **state)
{
	(void)state;
	taken("loud", TRACE_MAJOR, 100000, 0);
	assert_int_equal(taken("quiet", TRACE_MAJOR, 100, 0), 100);
}

static void what_matters_less_leaves_room_for_what_matters_more(void **state)
{
	(void)state;
	assert_int_equal(taken("a", TRACE_MINOR, 1000, 0), TRACE_SHARE_BURST / 2);
	assert_int_equal(taken("a", TRACE_ORDINARY, 1000, 0), TRACE_SHARE_BURST / 4);
	assert_int_equal(taken("a", TRACE_MAJOR, 1000, 0), TRACE_SHARE_BURST / 4);
}

static void the_next_says_how_many_were_left_out(void **state)
{
	(void)state;
	uint32_t left_out = 99;
	assert_true(take("a", TRACE_MAJOR, 0, 0, &left_out));
	assert_int_equal(left_out, 0);
	taken("a", TRACE_MAJOR, TRACE_SHARE_BURST - 1 + 7, 0);
	assert_int_equal(trace_share_left_out(share, "a", 1), 7);
	assert_int_equal(trace_share_left_out(share, "b", 1), 0);
	assert_true(take("a", TRACE_MAJOR, 0, TRACE_SHARE_EVERY_MS, &left_out));
	assert_int_equal(left_out, 7);
	assert_int_equal(trace_share_left_out(share, "a", 1), 0);
}

static void the_same_again_is_left_out_for_a_minute(void **state)
{
	(void)state;
	uint32_t left_out;
	assert_true(take("a", TRACE_MINOR, 1, 0, &left_out));
	assert_true(take("a", TRACE_MINOR, 2, 0, &left_out));
	assert_false(take("a", TRACE_MINOR, 1, 0, &left_out));
	assert_false(take("a", TRACE_MINOR, 2, TRACE_SHARE_REPEAT_MS, &left_out));
	assert_true(take("a", TRACE_MINOR, 2, TRACE_SHARE_REPEAT_MS + 1, &left_out));
	assert_int_equal(left_out, 2);
}

static void the_same_is_written_again_after_an_answer(void **state)
{
	(void)state;
	uint32_t left_out;
	assert_true(take("a", TRACE_MINOR, 1, 0, &left_out));
	assert_true(take("a", TRACE_MAJOR, 0, 0, &left_out));
	assert_true(take("a", TRACE_MINOR, 1, 0, &left_out));
}

static void who_left_something_is_known(void **state)
{
	(void)state;
	assert_false(trace_share_knows(share, "a", 1));
	taken("a", TRACE_MAJOR, 1, 0);
	assert_true(trace_share_knows(share, "a", 1));
	assert_false(trace_share_knows(share, "b", 1));
	trace_share_forget(share, "a", 1);
	assert_false(trace_share_knows(share, "a", 1));
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
	const struct CMUnitTest tests[] = {
		TEST(a_user_may_leave_so_many_at_once_and_then_one_now_and_then),
		TEST(one_who_floods_takes_nothing_from_another),
		TEST(what_matters_less_leaves_room_for_what_matters_more),
		TEST(the_next_says_how_many_were_left_out),
		TEST(the_same_again_is_left_out_for_a_minute),
		TEST(the_same_is_written_again_after_an_answer),
		TEST(who_left_something_is_known),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}

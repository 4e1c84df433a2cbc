/* How many lines of the log are let through. */
#include "base/ration.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#define NOW 1000000

static struct ration ration;

static int begin(void **state)
{
	(void)state;
	ration = (struct ration){0};
	return 0;
}

static unsigned ask(unsigned count, int64_t now_ms)
{
	unsigned allowed = 0;
	for (unsigned i = 0; i < count; i++)
		allowed += ration_allows(&ration, now_ms);
	return allowed;
}

static void so_many_are_let_through_and_the_rest_is_counted(void **state)
{
	(void)state;
	assert_int_equal(ask(RATION_LINES + 70, NOW), RATION_LINES);
	assert_int_equal(ration_kept_back(&ration, NOW + RATION_FOR_MS - 1), 0);
	assert_int_equal(ration_kept_back(&ration, NOW + RATION_FOR_MS), 70);
	assert_int_equal(ration_kept_back(&ration, NOW + RATION_FOR_MS), 0);
}

static void another_while_has_its_own(void **state)
{
	(void)state;
	assert_int_equal(ask(RATION_LINES, NOW), RATION_LINES);
	assert_int_equal(ask(RATION_LINES, NOW + RATION_FOR_MS), RATION_LINES);
}

static void what_was_kept_back_is_told_before_more_is_let_through(void **state)
{
	(void)state;
	ask(RATION_LINES + 1, NOW);
	assert_int_equal(ask(1, NOW + RATION_FOR_MS), 0);
	assert_int_equal(ration_kept_back(&ration, NOW + RATION_FOR_MS), 2);
	assert_int_equal(ask(1, NOW + RATION_FOR_MS), 1);
}

static void it_is_known_when_what_was_kept_back_is_to_be_told(void **state)
{
	(void)state;
	assert_int_equal(ration_wake_ms(&ration), INT64_MAX);
	ask(RATION_LINES, NOW);
	assert_int_equal(ration_wake_ms(&ration), INT64_MAX);
	ask(1, NOW + 1);
	assert_int_equal(ration_wake_ms(&ration), NOW + RATION_FOR_MS);
	assert_int_equal(ration_kept_back(&ration, ration_wake_ms(&ration)), 1);
	assert_int_equal(ration_wake_ms(&ration), INT64_MAX);
}

#define T(name) cmocka_unit_test_setup(name, begin)

int main(void)
{
	const struct CMUnitTest tests[] = {
		T(so_many_are_let_through_and_the_rest_is_counted),
		T(another_while_has_its_own),
		T(what_was_kept_back_is_told_before_more_is_let_through),
		T(it_is_known_when_what_was_kept_back_is_to_be_told),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}

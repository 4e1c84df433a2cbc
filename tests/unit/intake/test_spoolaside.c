#include "intake/spoolaside.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>

#include <cmocka.h>

static const uint8_t seed[16] = {1};

static int begin(void **state)
{
	static struct spoolaside aside;
	spoolaside_init(&aside, seed);
	*state = &aside;
	return 0;
}

static int end(void **state)
{
	spoolaside_fini(*state);
	return 0;
}

static void the_pauses_grow_up_to_the_longest(void **state)
{
	struct spoolaside *aside = *state;
	int64_t now_ms = 1000;
	int64_t pause_ms = SPOOLASIDE_FIRST_MS;
	assert_false(spoolaside_waits(aside, "a", now_ms));
	for (int i = 0; i < 20; i++) {
		spoolaside_failed(aside, "a", now_ms);
		assert_true(spoolaside_waits(aside, "a", now_ms + pause_ms - 1));
		now_ms += pause_ms;
		assert_false(spoolaside_waits(aside, "a", now_ms));
		pause_ms =
			pause_ms * 2 < SPOOLASIDE_LONGEST_MS ? pause_ms * 2 : SPOOLASIDE_LONGEST_MS;
	}
	assert_int_equal(pause_ms, SPOOLASIDE_LONGEST_MS);
	assert_false(spoolaside_waits(aside, "b", 0));
}

static void what_could_be_taken_begins_anew(void **state)
{
	struct spoolaside *aside = *state;
	spoolaside_failed(aside, "a", 0);
	spoolaside_failed(aside, "a", SPOOLASIDE_FIRST_MS);
	spoolaside_forget(aside, "a");
	spoolaside_forget(aside, "a");
	assert_int_equal(spoolaside_count(aside), 0);
	spoolaside_failed(aside, "a", 0);
	assert_false(spoolaside_waits(aside, "a", SPOOLASIDE_FIRST_MS));
}

static void what_a_pass_has_not_seen_is_forgotten(void **state)
{
	struct spoolaside *aside = *state;
	spoolaside_failed(aside, "a", 0);
	spoolaside_failed(aside, "b", 0);
	spoolaside_end_pass(aside);
	assert_int_equal(spoolaside_count(aside), 2);
	assert_true(spoolaside_waits(aside, "a", 1));
	spoolaside_end_pass(aside);
	assert_int_equal(spoolaside_count(aside), 1);
	assert_true(spoolaside_waits(aside, "a", 1));
	assert_false(spoolaside_waits(aside, "b", 1));
	spoolaside_end_pass(aside);
	spoolaside_end_pass(aside);
	assert_int_equal(spoolaside_count(aside), 0);
}

static void no_more_than_so_many_are_remembered(void **state)
{
	struct spoolaside *aside = *state;
	char name[16];
	for (int i = 0; i < SPOOLASIDE_MAX + 10; i++) {
		snprintf(name, sizeof(name), "%d", i);
		spoolaside_failed(aside, name, 0);
	}
	assert_int_equal(spoolaside_count(aside), SPOOLASIDE_MAX);
	assert_true(spoolaside_waits(aside, "0", 0));
	assert_false(spoolaside_waits(aside, name, 0));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(the_pauses_grow_up_to_the_longest, begin, end),
		cmocka_unit_test_setup_teardown(what_could_be_taken_begins_anew, begin, end),
		cmocka_unit_test_setup_teardown(what_a_pass_has_not_seen_is_forgotten, begin, end),
		cmocka_unit_test_setup_teardown(no_more_than_so_many_are_remembered, begin, end),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}

#include "intake/spool_retry.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>

#include <cmocka.h>

static const uint8_t seed[16] = {1};

static int begin(void **state)
{
	static struct spool_retry aside;
	spool_retry_init(&aside, seed);
	*state = &aside;
	return 0;
}

static int end(void **state)
{
	spool_retry_fini(*state);
	return 0;
}

static void the_pauses_grow_up_to_the_longest(void **state)
{
	struct spool_retry *aside = *state;
	int64_t now_ms = 1000;
	int64_t pause_ms = SPOOL_RETRY_FIRST_MS;
	assert_false(spool_retry_waits(aside, "a", now_ms));
	for (int i = 0; i < 20; i++) {
		spool_retry_failed(aside, "a", true, now_ms);
		assert_true(spool_retry_waits(aside, "a", now_ms + pause_ms - 1));
		now_ms += pause_ms;
		assert_false(spool_retry_waits(aside, "a", now_ms));
		pause_ms = pause_ms * 2 < SPOOL_RETRY_LONGEST_MS ? pause_ms * 2
								 : SPOOL_RETRY_LONGEST_MS;
	}
	assert_int_equal(pause_ms, SPOOL_RETRY_LONGEST_MS);
	assert_false(spool_retry_waits(aside, "b", 0));
}

static void what_could_be_taken_begins_again(void **state)
{
	struct spool_retry *aside = *state;
	spool_retry_failed(aside, "a", true, 0);
	spool_retry_failed(aside, "a", true, SPOOL_RETRY_FIRST_MS);
	spool_retry_forget(aside, "a");
	spool_retry_forget(aside, "a");
	assert_int_equal(spool_retry_count(aside), 0);
	spool_retry_failed(aside, "a", true, 0);
	assert_false(spool_retry_waits(aside, "a", SPOOL_RETRY_FIRST_MS));
}

static void only_faults_count_as_faults(void **state)
{
	struct spool_retry *aside = *state;
	spool_retry_failed(aside, "a", true, 0);
	spool_retry_failed(aside, "a", true, 0);
	spool_retry_failed(aside, "b", false, 0);
	assert_int_equal(spool_retry_faults(aside), 1);
	spool_retry_failed(aside, "a", false, 0);
	spool_retry_failed(aside, "b", true, 0);
	assert_int_equal(spool_retry_faults(aside), 1);
	spool_retry_forget(aside, "b");
	assert_int_equal(spool_retry_faults(aside), 0);
	assert_int_equal(spool_retry_count(aside), 1);
}

static void what_a_pass_has_not_seen_is_forgotten(void **state)
{
	struct spool_retry *aside = *state;
	spool_retry_failed(aside, "a", true, 0);
	spool_retry_failed(aside, "b", true, 0);
	spool_retry_end_pass(aside);
	assert_int_equal(spool_retry_count(aside), 2);
	assert_true(spool_retry_waits(aside, "a", 1));
	spool_retry_end_pass(aside);
	assert_int_equal(spool_retry_count(aside), 1);
	assert_true(spool_retry_waits(aside, "a", 1));
	assert_false(spool_retry_waits(aside, "b", 1));
	spool_retry_end_pass(aside);
	spool_retry_end_pass(aside);
	assert_int_equal(spool_retry_count(aside), 0);
}

static void no_more_than_so_many_are_remembered(void **state)
{
	struct spool_retry *aside = *state;
	char name[16];
	for (int i = 0; i < SPOOL_RETRY_MAX + 10; i++) {
		snprintf(name, sizeof(name), "%d", i);
		spool_retry_failed(aside, name, true, 0);
	}
	assert_int_equal(spool_retry_count(aside), SPOOL_RETRY_MAX);
	assert_true(spool_retry_waits(aside, "0", 0));
	assert_false(spool_retry_waits(aside, name, 0));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(the_pauses_grow_up_to_the_longest, begin, end),
		cmocka_unit_test_setup_teardown(what_could_be_taken_begins_again, begin, end),
		cmocka_unit_test_setup_teardown(only_faults_count_as_faults, begin, end),
		cmocka_unit_test_setup_teardown(what_a_pass_has_not_seen_is_forgotten, begin, end),
		cmocka_unit_test_setup_teardown(no_more_than_so_many_are_remembered, begin, end),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}

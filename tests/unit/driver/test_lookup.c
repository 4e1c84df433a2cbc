#include "driver/lookup.h"

#include "base/clock.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <string.h>

#include <cmocka.h>

#define LIMIT_MS 30000

static int64_t in_time(void)
{
	return clock_monotonic_ms() + LIMIT_MS;
}

static void an_address_is_its_own_answer(void **state)
{
	(void)state;
	struct err err;
	struct lookup *lookup = lookup_new("192.0.2.1");
	assert_int_equal(lookup_wait(lookup, in_time(), &err), 0);
	assert_true(lookup_is_answered(lookup));
	assert_int_equal(lookup_count(lookup), 1);
	assert_string_equal(lookup_address(lookup, 0), "192.0.2.1");
	/* Whoever asks again gets the same. */
	assert_int_equal(lookup_wait(lookup, 0, &err), 0);
	lookup_free(lookup);
}

static void a_name_that_cannot_be_one_has_no_address(void **state)
{
	(void)state;
	/* A label has 63 characters at most, so that no resolver is asked. */
	static const char name[] =
		"aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa";
	struct err err;
	struct lookup *lookup = lookup_new(name);
	assert_int_equal(lookup_wait(lookup, in_time(), &err), -ENOENT);
	assert_non_null(strstr(err.text, name));
	lookup_free(lookup);
}

static void one_that_nobody_wants_any_more_ends_by_itself(void **state)
{
	(void)state;
	for (int i = 0; i < 20; i++)
		lookup_free(lookup_new("localhost"));
	lookup_free(NULL);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(an_address_is_its_own_answer),
		cmocka_unit_test(a_name_that_cannot_be_one_has_no_address),
		cmocka_unit_test(one_that_nobody_wants_any_more_ends_by_itself),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}

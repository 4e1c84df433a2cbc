#include "base/ratelimit.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

static struct ratelimit limit;

static int begin(void **state)
{
	(void)state;
	memset(&limit, 0, sizeof(limit));
	return 0;
}

static bool allows(const char *kind, const char *who, int64_t now_ms)
{
	return ratelimit_allows(&limit, kind, who, 1, 1, now_ms);
}

/* How many of `count` lines are written, where `lines` may be. */
static unsigned written_of(unsigned count, unsigned lines, int64_t now_ms)
{
	unsigned written = 0;
	for (unsigned i = 0; i < count; i++)
		written += ratelimit_allows(&limit, "failed", "", lines, 1, now_ms);
	return written;
}

static void the_first_is_written_and_the_rest_counted_a_minute(void **state)
{
	(void)state;
	struct ratelimit_entry entry;
	assert_true(allows("refused", "alice", 1000));
	assert_int_equal(ratelimit_due_ms(&limit), 61000);
	for (int i = 0; i < 68344; i++)
		assert_false(allows("refused", "alice", 1000 + i % 60000));
	assert_false(ratelimit_next(&limit, 60999, &entry));
	assert_true(ratelimit_next(&limit, 61000, &entry));
	assert_string_equal(entry.kind, "refused");
	assert_string_equal(entry.who, "alice");
	assert_int_equal(entry.kept_back, 68344);
	assert_false(ratelimit_next(&limit, 61000, &entry));
	/* The count was a line. */
	assert_false(allows("refused", "alice", 61001));
	assert_true(ratelimit_next(&limit, 121000, &entry));
	assert_int_equal(entry.kept_back, 1);
}

static void after_a_quiet_minute_it_begins_again(void **state)
{
	(void)state;
	struct ratelimit_entry entry;
	assert_true(allows("refused", "", 0));
	assert_true(allows("refused", "", RATELIMIT_MS));
	assert_false(allows("refused", "", RATELIMIT_MS + 1));
	assert_true(ratelimit_next(&limit, 2 * RATELIMIT_MS, &entry));
	assert_false(ratelimit_next(&limit, 3 * RATELIMIT_MS, &entry));
	assert_int_equal(ratelimit_due_ms(&limit), INT64_MAX);
}

static void so_many_are_written_and_the_rest_counted(void **state)
{
	(void)state;
	struct ratelimit_entry entry;
	assert_int_equal(written_of(270, 200, 1000), 200);
	assert_true(ratelimit_next(&limit, 61000, &entry));
	assert_int_equal(entry.kept_back, 70);
	/* The count was a line. */
	assert_int_equal(written_of(270, 200, 61001), 199);
	assert_true(ratelimit_next(&limit, 121000, &entry));
	assert_int_equal(entry.kept_back, 71);
}

static void a_minute_with_no_more_than_so_many_has_no_count(void **state)
{
	(void)state;
	struct ratelimit_entry entry;
	assert_int_equal(written_of(200, 200, 0), 200);
	assert_int_equal(written_of(200, 200, RATELIMIT_MS), 200);
	assert_false(ratelimit_next(&limit, 2 * RATELIMIT_MS, &entry));
	assert_int_equal(ratelimit_due_ms(&limit), INT64_MAX);
}

static void what_was_counted_is_written_before_more_lines(void **state)
{
	(void)state;
	struct ratelimit_entry entry;
	written_of(201, 200, 0);
	assert_int_equal(written_of(1, 200, RATELIMIT_MS), 0);
	assert_true(ratelimit_next(&limit, RATELIMIT_MS, &entry));
	assert_int_equal(entry.kept_back, 2);
	assert_int_equal(written_of(1, 200, RATELIMIT_MS), 1);
}

static void kinds_and_people_are_counted_apart(void **state)
{
	(void)state;
	assert_true(allows("refused", "alice", 0));
	assert_true(allows("refused", "bob", 0));
	assert_true(allows("malformed", "alice", 0));
	assert_false(allows("refused", "bob", 0));
}

static void a_crowd_is_one(void **state)
{
	(void)state;
	char who[16];
	unsigned written = 0;
	for (int i = 0; i < 100000; i++) {
		snprintf(who, sizeof(who), "user%d", i);
		written += allows("registered", who, 0);
	}
	assert_int_in_range(written, 2, RATELIMIT_MAX);
	assert_true(allows("malformed", "uid 8", 0));
	assert_false(allows("malformed", "uid 9", 0));
}

static void the_end_writes_all_that_was_counted(void **state)
{
	(void)state;
	struct ratelimit_entry entry;
	allows("a", "", 0);
	allows("a", "", 0);
	allows("b", "", 0);
	assert_true(ratelimit_next(&limit, INT64_MAX, &entry));
	assert_string_equal(entry.kind, "a");
	assert_false(ratelimit_next(&limit, INT64_MAX, &entry));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup(the_first_is_written_and_the_rest_counted_a_minute, begin),
		cmocka_unit_test_setup(after_a_quiet_minute_it_begins_again, begin),
		cmocka_unit_test_setup(so_many_are_written_and_the_rest_counted, begin),
		cmocka_unit_test_setup(a_minute_with_no_more_than_so_many_has_no_count, begin),
		cmocka_unit_test_setup(what_was_counted_is_written_before_more_lines, begin),
		cmocka_unit_test_setup(kinds_and_people_are_counted_apart, begin),
		cmocka_unit_test_setup(a_crowd_is_one, begin),
		cmocka_unit_test_setup(the_end_writes_all_that_was_counted, begin),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}

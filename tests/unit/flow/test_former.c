#include "flow/former.h"

#include "base/mem.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#define NOW INT64_C(1760000000000)

static struct former *former;

static int begin(void **state)
{
	(void)state;
	former = former_new();
	return 0;
}

static int end(void **state)
{
	(void)state;
	former_free(former);
	return 0;
}

/* As the daemon does; returns whether there was something to store. */
static bool note(const char *topic, int64_t now_ms)
{
	struct queue_job *job = former_note(former, topic, now_ms);
	queue_job_free(job);
	return job;
}

static void assert_topics(int64_t at_ms, const char *expected)
{
	const char *topics[FORMER_MAX];
	char found[256] = "";
	size_t count = former_topics(former, at_ms, topics);
	for (size_t i = 0; i < count; i++) {
		strcat(found, i ? " " : "");
		strcat(found, topics[i]);
	}
	assert_string_equal(found, expected);
}

static void the_first_topic_has_none_before_it(void **state)
{
	(void)state;
	assert_string_equal(former_current(former), "");
	assert_true(note("a", NOW));
	assert_string_equal(former_current(former), "a");
	assert_topics(NOW, "");
	assert_false(note("a", NOW + 1));
}

static void a_former_topic_counts_for_a_day(void **state)
{
	(void)state;
	note("a", NOW);
	assert_true(note("b", NOW + 5));
	assert_string_equal(former_current(former), "b");
	assert_topics(NOW + 5, "a");
	assert_topics(NOW + 5 + FORMER_FOR_MS - 1, "a");
	assert_topics(NOW + 5 + FORMER_FOR_MS, "");
}

static void no_topic_at_all_leaves_the_last_one(void **state)
{
	(void)state;
	note("a", NOW);
	assert_false(note("", NOW + 1));
	assert_string_equal(former_current(former), "a");
	assert_topics(NOW + 1, "");
}

static void a_change_that_is_taken_back_leaves_the_other_as_the_former(void **state)
{
	(void)state;
	note("a", NOW);
	note("typo", NOW + 1);
	note("a", NOW + 2);
	assert_string_equal(former_current(former), "a");
	assert_topics(NOW + 3, "typo");
}

static void several_changes_within_a_day_all_count(void **state)
{
	(void)state;
	note("a", NOW);
	note("b", NOW + 1);
	note("c", NOW + 2);
	assert_topics(NOW + 3, "b a");
	assert_topics(NOW + 1 + FORMER_FOR_MS, "b");
}

static void there_are_never_more_than_there_is_room_for(void **state)
{
	(void)state;
	char topic[16];
	for (int i = 0; i < 3 * FORMER_MAX; i++) {
		snprintf(topic, sizeof(topic), "t%d", i);
		note(topic, NOW + i);
	}
	assert_topics(NOW + 20, "t10 t9 t8 t7");
}

static void what_is_older_than_a_day_is_not_stored_again(void **state)
{
	(void)state;
	note("a", NOW);
	note("b", NOW + 1);
	struct queue_job *job = former_note(former, "c", NOW + 2 * FORMER_FOR_MS);
	assert_int_equal(job->parts, QUEUE_TOPICS);
	assert_int_equal(job->topic_count, 2);
	assert_string_equal(job->topics[0].topic, "c");
	assert_int_equal(job->topics[0].until_ms, 0);
	assert_string_equal(job->topics[1].topic, "b");
	assert_int_equal(job->topics[1].until_ms, NOW + 2 * FORMER_FOR_MS);
	queue_job_free(job);
}

static void what_was_stored_is_known_again(void **state)
{
	(void)state;
	former_load(former, "a", NOW);
	former_load(former, "c", 0);
	former_load(former, "b", NOW + 1);
	assert_string_equal(former_current(former), "c");
	assert_topics(NOW + 2, "b a");
	assert_false(note("c", NOW + 3));
	assert_true(note("d", NOW + 4));
	assert_topics(NOW + 5, "c b a");
}

/* The clock was ahead when it was changed. */
static void a_wrong_clock_does_not_make_it_last(void **state)
{
	(void)state;
	former_load(former, "a", NOW + 400 * FORMER_FOR_MS);
	former_load(former, "b", 0);
	assert_true(note("b", NOW));
	assert_topics(NOW, "a");
	assert_topics(NOW + FORMER_FOR_MS, "");
	assert_false(note("b", NOW + 1));
}

#define T(name) cmocka_unit_test_setup_teardown(name, begin, end)

int main(void)
{
	const struct CMUnitTest tests[] = {
		T(the_first_topic_has_none_before_it),
		T(a_former_topic_counts_for_a_day),
		T(no_topic_at_all_leaves_the_last_one),
		T(a_change_that_is_taken_back_leaves_the_other_as_the_former),
		T(several_changes_within_a_day_all_count),
		T(there_are_never_more_than_there_is_room_for),
		T(what_is_older_than_a_day_is_not_stored_again),
		T(what_was_stored_is_known_again),
		T(a_wrong_clock_does_not_make_it_last),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}

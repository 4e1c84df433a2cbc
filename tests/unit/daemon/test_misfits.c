#include "daemon/misfits.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>

#include <cmocka.h>

static struct misfits misfits;

static int begin(void **state)
{
	(void)state;
	misfits_init(&misfits);
	return 0;
}

static int end(void **state)
{
	(void)state;
	misfits_fini(&misfits);
	return 0;
}

/* Whether the last of these users was one too many. */
static bool add_users(const char *topic, unsigned first, unsigned count)
{
	bool is_too_many = false;
	for (unsigned i = first; i < first + count; i++) {
		char user[32];
		snprintf(user, sizeof(user), "user%u", i);
		is_too_many = misfits_add(&misfits, topic, user);
	}
	return is_too_many;
}

static void several_users_in_a_row_are_too_many(void **state)
{
	(void)state;
	assert_false(add_users("a", 0, MISFITS_USERS - 1));
	assert_true(add_users("a", MISFITS_USERS, 1));
	assert_true(misfits_taken(&misfits, "a"));
	assert_false(misfits_taken(&misfits, "a"));
}

static void a_push_that_is_taken_begins_again(void **state)
{
	(void)state;
	add_users("a", 0, MISFITS_USERS - 1);
	assert_false(misfits_taken(&misfits, "a"));
	assert_false(add_users("a", 0, MISFITS_USERS - 1));
}

static void one_user_with_many_phones_is_one(void **state)
{
	(void)state;
	for (unsigned i = 0; i < 10 * MISFITS_USERS; i++)
		assert_false(misfits_add(&misfits, "a", "alice"));
}

static void each_topic_counts_by_itself(void **state)
{
	(void)state;
	add_users("a", 0, MISFITS_USERS - 1);
	assert_false(add_users("b", 0, MISFITS_USERS - 1));
	assert_false(misfits_taken(&misfits, "b"));
	assert_true(add_users("a", MISFITS_USERS, 1));
}

static void topics_are_bounded(void **state)
{
	(void)state;
	for (unsigned i = 0; i < 2 * MISFITS_TOPICS_MAX; i++) {
		char topic[32];
		snprintf(topic, sizeof(topic), "topic%u", i);
		add_users(topic, 0, 1);
	}
	assert_int_equal(misfits.count, MISFITS_TOPICS_MAX);
	assert_false(add_users("another", 0, 2 * MISFITS_USERS));
}

#define T(name) cmocka_unit_test_setup_teardown(name, begin, end)

int main(void)
{
	const struct CMUnitTest tests[] = {
		T(several_users_in_a_row_are_too_many),
		T(a_push_that_is_taken_begins_again),
		T(one_user_with_many_phones_is_one),
		T(each_topic_counts_by_itself),
		T(topics_are_bounded),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}

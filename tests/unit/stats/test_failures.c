#include "stats/failures.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

static struct failures *failures;

static int set_up(void **state)
{
	(void)state;
	failures = failures_new(true);
	return 0;
}

static int tear_down(void **state)
{
	(void)state;
	failures_free(failures);
	return 0;
}

static void refused(int status, const char *reason, const char *user, int64_t unix_ms)
{
	struct apns_answer answer = {.ending = APNS_ANSWERED, .status = status};
	snprintf(answer.reason, sizeof(answer.reason), "%s", reason);
	failures_add_push(failures, &answer, user, unix_ms);
}

static unsigned count(void)
{
	unsigned n = 0;
	while (failures_at(failures, n))
		n++;
	return n;
}

static void the_newest_stands_first(void **state)
{
	(void)state;
	assert_null(failures_at(failures, 0));
	refused(400, "BadDeviceToken", NULL, 1000);
	failures_add_connection(failures, "mail", "it was refused", 2000);
	const struct failure *newest = failures_at(failures, 0);
	assert_string_equal(newest->text, "it was refused");
	assert_string_equal(newest->credential, "mail");
	assert_null(newest->user);
	const struct failure *older = failures_at(failures, 1);
	assert_int_equal(older->status, 400);
	assert_string_equal(older->reason, "BadDeviceToken");
	assert_null(older->text);
	assert_null(failures_at(failures, 2));
}

static void the_same_again_is_counted_and_comes_first(void **state)
{
	(void)state;
	refused(503, "Shutdown", NULL, 1000);
	refused(410, "Unregistered", NULL, 2000);
	refused(503, "Shutdown", NULL, 3000);
	assert_int_equal(count(), 2);
	assert_int_equal(failures_at(failures, 0)->status, 503);
	assert_int_equal(failures_at(failures, 0)->times, 2);
	assert_int_equal(failures_at(failures, 0)->unix_ms, 3000);
	assert_int_equal(failures_at(failures, 1)->times, 1);
}

static void what_differs_in_anything_is_another(void **state)
{
	(void)state;
	struct apns_answer lost = {.ending = APNS_LOST};
	struct apns_answer silent = {.ending = APNS_SILENT};
	refused(410, "Unregistered", "alice", 1);
	refused(410, "Unregistered", "bob", 2);
	refused(410, "Unregistered", NULL, 3);
	refused(410, "ExpiredToken", NULL, 4);
	refused(400, "ExpiredToken", NULL, 5);
	failures_add_push(failures, &lost, NULL, 6);
	failures_add_push(failures, &silent, NULL, 7);
	failures_add_connection(failures, "a", "text", 8);
	failures_add_connection(failures, "b", "text", 9);
	failures_add_connection(failures, "b", "other text", 10);
	assert_int_equal(count(), 10);
	assert_string_equal(failures_at(failures, 8)->user, "bob");
	assert_string_equal(failures_at(failures, 9)->user, "alice");
}

static void names_are_not_remembered_unless_wanted(void **state)
{
	(void)state;
	failures_free(failures);
	failures = failures_new(false);
	refused(410, "Unregistered", "alice", 1);
	refused(410, "Unregistered", "bob", 2);
	assert_int_equal(count(), 1);
	assert_int_equal(failures_at(failures, 0)->times, 2);
	assert_null(failures_at(failures, 0)->user);
}

static void only_the_last_are_kept(void **state)
{
	(void)state;
	for (int i = 0; i < 3 * FAILURES_MAX; i++) {
		char user[16];
		snprintf(user, sizeof(user), "user%d", i);
		refused(410, "Unregistered", user, i);
	}
	assert_int_equal(count(), FAILURES_MAX);
	assert_string_equal(failures_at(failures, 0)->user, "user59");
	assert_string_equal(failures_at(failures, FAILURES_MAX - 1)->user, "user40");
	refused(410, "Unregistered", "user40", 100);
	assert_int_equal(count(), FAILURES_MAX);
	assert_int_equal(failures_at(failures, 0)->times, 2);
	assert_string_equal(failures_at(failures, FAILURES_MAX - 1)->user, "user41");
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
	static const struct CMUnitTest tests[] = {
		TEST(the_newest_stands_first),
		TEST(the_same_again_is_counted_and_comes_first),
		TEST(what_differs_in_anything_is_another),
		TEST(names_are_not_remembered_unless_wanted),
		TEST(only_the_last_are_kept),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}

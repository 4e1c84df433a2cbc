#include "alert/mail_diary.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/clock.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define NOW (INT64_C(1790000000) * CLOCK_SECOND_MS)

static struct mail_diary *diary;
static char mailed[4096];

static void add(void *ctx, const struct mail_diary_news *news)
{
	(void)ctx;
	size_t used = strlen(mailed);
	snprintf(mailed + used, sizeof(mailed) - used, "%s%s%s:%s:%u", used ? " " : "", news->name,
		news->is_end ? "-" : "+", news->text, news->begins);
}

/* What a message of this time tells; it leaves. */
static const char *tell(int64_t now_ms)
{
	mailed[0] = '\0';
	mail_diary_choose(diary, now_ms);
	mail_diary_each(diary, add, NULL);
	mail_diary_settle(diary, true, now_ms);
	return mailed;
}

static void restart(int64_t now_ms)
{
	struct buf text;
	buf_init(&text);
	mail_diary_write(diary, now_ms, &text);
	mail_diary_free(diary);
	diary = mail_diary_new();
	mail_diary_read(diary, buf_text(&text), text.used, now_ms);
	buf_fini(&text);
}

static int set_up(void **state)
{
	(void)state;
	diary = mail_diary_new();
	return 0;
}

static int tear_down(void **state)
{
	(void)state;
	mail_diary_free(diary);
	return 0;
}

static void a_begin_and_an_end_are_mailed_once(void **state)
{
	(void)state;
	assert_int_equal(mail_diary_next(diary, NOW), INT64_MAX);
	mail_diary_stands(diary, "queue", "full", NOW);
	assert_int_equal(mail_diary_next(diary, NOW), NOW);
	assert_string_equal(tell(NOW), "queue+:full:1");
	assert_string_equal(tell(NOW + 2 * CLOCK_DAY_MS), "");
	int64_t end = NOW + 3 * CLOCK_DAY_MS;
	mail_diary_ends(diary, "queue", end);
	assert_string_equal(tell(end), "");
	assert_int_equal(mail_diary_next(diary, end), end + MAIL_DIARY_SETTLE_MS);
	assert_string_equal(tell(end + MAIL_DIARY_SETTLE_MS), "queue-:full:0");
	assert_int_equal(mail_diary_next(diary, end), INT64_MAX);
}

static void one_that_comes_and_goes_is_mailed_once_a_day(void **state)
{
	(void)state;
	unsigned messages = 0;
	for (int64_t now = NOW; now < NOW + 10 * CLOCK_DAY_MS; now += CLOCK_HOUR_MS) {
		mail_diary_stands(diary, "queue", "full", now);
		messages += *tell(now) != '\0';
		mail_diary_ends(diary, "queue", now + CLOCK_MINUTE_MS);
		messages += *tell(now + CLOCK_HOUR_MS / 2) != '\0';
	}
	assert_int_equal(messages, 20);
	int64_t later = NOW + 20 * CLOCK_DAY_MS;
	tell(later);
	mail_diary_stands(diary, "queue", "full", later);
	mail_diary_ends(diary, "queue", later);
	mail_diary_stands(diary, "queue", "again", later);
	const char *colon = strrchr(tell(later + CLOCK_DAY_MS), ':');
	assert_non_null(colon);
	assert_true(strtoul(colon + 1, NULL, 10) >= 2);
}

static void a_short_absence_is_not_mailed(void **state)
{
	(void)state;
	mail_diary_stands(diary, "queue", "full", NOW);
	tell(NOW);
	mail_diary_ends(diary, "queue", NOW + 1);
	mail_diary_stands(diary, "queue", "full", NOW + MAIL_DIARY_SETTLE_MS);
	assert_string_equal(tell(NOW + 5 * CLOCK_DAY_MS), "");
}

static void one_that_gets_worse_is_mailed_again_a_day_later_at_the_earliest(void **state)
{
	(void)state;
	mail_diary_stands(diary, "credential-expiry:main", "20 days", NOW);
	tell(NOW);
	mail_diary_worsens(diary, "credential-expiry:main", 1);
	assert_string_equal(tell(NOW + CLOCK_HOUR_MS), "");
	mail_diary_stands(diary, "credential-expiry:main", "14 days", NOW + CLOCK_DAY_MS);
	assert_string_equal(tell(NOW + CLOCK_DAY_MS), "credential-expiry:main+:14 days:0");
	assert_string_equal(tell(NOW + 3 * CLOCK_DAY_MS), "");
}

static void a_restart_tells_nothing_again_and_no_end_that_is_none(void **state)
{
	(void)state;
	mail_diary_stands(diary, "credential-expiry:a b", "20 days", NOW);
	mail_diary_worsens(diary, "credential-expiry:a b", 2);
	mail_diary_stands(diary, "queue", "full", NOW);
	tell(NOW);
	restart(NOW + 1);
	mail_diary_stands(diary, "credential-expiry:a b", "20 days", NOW + 2);
	mail_diary_worsens(diary, "credential-expiry:a b", 2);
	assert_string_equal(tell(NOW + MAIL_DIARY_SETTLE_MS), "");
	assert_string_equal(tell(NOW + 1 + MAIL_DIARY_SETTLE_MS), "queue-::0");
	restart(NOW + CLOCK_HOUR_MS);
	mail_diary_stands(diary, "queue", "full", NOW + CLOCK_HOUR_MS);
	mail_diary_stands(diary, "credential-expiry:a b", "20 days", NOW + CLOCK_HOUR_MS);
	assert_string_equal(tell(NOW + 2 * CLOCK_HOUR_MS), "");
	assert_string_equal(tell(NOW + CLOCK_DAY_MS), "queue+:full:1");
}

static void a_message_that_does_not_leave_is_mailed_later(void **state)
{
	(void)state;
	mail_diary_stands(diary, "queue", "full", NOW);
	assert_int_equal(mail_diary_choose(diary, NOW), 1);
	mail_diary_settle(diary, false, NOW);
	assert_string_equal(tell(NOW + 1), "queue+:full:1");
}

static void what_changes_while_a_message_is_on_its_way_is_not_taken_for_mailed(void **state)
{
	(void)state;
	mail_diary_stands(diary, "queue", "full", NOW);
	mail_diary_choose(diary, NOW);
	mail_diary_stands(diary, "spool", "gone", NOW);
	mail_diary_ends(diary, "queue", NOW);
	mail_diary_settle(diary, true, NOW);
	assert_string_equal(tell(NOW), "spool+:gone:1");
	assert_string_equal(tell(NOW + MAIL_DIARY_SETTLE_MS), "queue-:full:0");
}

static void a_time_in_the_future_delays_nothing(void **state)
{
	(void)state;
	mail_diary_stands(diary, "queue", "full", NOW + 100 * CLOCK_DAY_MS);
	tell(NOW + 100 * CLOCK_DAY_MS);
	mail_diary_ends(diary, "queue", NOW + 100 * CLOCK_DAY_MS);
	assert_string_equal(tell(NOW), "queue-:full:0");
	mail_diary_stands(diary, "queue", "full", NOW);
	assert_string_equal(tell(NOW), "queue+:full:1");
}

static void more_than_there_is_place_for_are_left_out_until_one_is_over(void **state)
{
	(void)state;
	char name[16];
	for (int i = 0; i < MAIL_DIARY_MAX; i++) {
		snprintf(name, sizeof(name), "a%d", i);
		assert_true(mail_diary_stands(diary, name, "", NOW));
	}
	assert_false(mail_diary_stands(diary, "queue", "", NOW));
	mail_diary_ends(diary, "a3", NOW);
	assert_true(mail_diary_stands(diary, "queue", "", NOW));
	assert_null(strstr(tell(NOW), "a3+"));
	assert_non_null(strstr(mailed, "queue+"));
}

static void lines_that_are_none_are_left_out(void **state)
{
	(void)state;
	static const char text[] = "\n"
				   "1 0\n"
				   "x 0 - a\n"
				   "1 0 - \n"
				   "-5 0 0 a\n"
				   "1 0 100 a\n"
				   "1 0 0x a\n"
				   "99999999999999999999999 0 0 b\n"
				   "1 0 0 good\n"
				   "1 0 0 cut";
	mail_diary_read(diary, text, strlen(text), NOW);
	assert_string_equal(tell(NOW + MAIL_DIARY_SETTLE_MS), "good-::0");
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(a_begin_and_an_end_are_mailed_once),
		TEST(one_that_comes_and_goes_is_mailed_once_a_day),
		TEST(a_short_absence_is_not_mailed),
		TEST(one_that_gets_worse_is_mailed_again_a_day_later_at_the_earliest),
		TEST(a_restart_tells_nothing_again_and_no_end_that_is_none),
		TEST(a_message_that_does_not_leave_is_mailed_later),
		TEST(what_changes_while_a_message_is_on_its_way_is_not_taken_for_mailed),
		TEST(a_time_in_the_future_delays_nothing),
		TEST(more_than_there_is_place_for_are_left_out_until_one_is_over),
		TEST(lines_that_are_none_are_left_out),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}

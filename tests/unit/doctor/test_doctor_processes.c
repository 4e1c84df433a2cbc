/* Which processes of Cyrus run since before imapd.conf was changed. */
#include "doctor/doctor_processes.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#define NOW_MS INT64_C(1800000000000)
#define MINUTE_MS INT64_C(60000)

/* Judges master, lmtpd and imapd, started 90, 60 and 10 minutes ago. */
static void judge(struct report *report, const struct doctor_reading *reading)
{
	struct process list[] = {
		{.name = "imapd", .pid = 12, .parent = 10, .age_ms = 10 * MINUTE_MS},
		{.name = "master", .pid = 10, .parent = 1, .age_ms = 90 * MINUTE_MS},
		{.name = "lmtpd", .pid = 11, .parent = 10, .age_ms = 60 * MINUTE_MS},
	};
	const struct processes cyrus = {.list = list, .count = 3};
	*report = (struct report){0};
	doctor_processes_judge(report, &cyrus, reading);
	assert_int_equal(report->count, 1);
}

static struct doctor_reading changed(int64_t ago_ms, int64_t topic_ago_ms)
{
	return (struct doctor_reading){.file = "/etc/imapd.conf",
		.changed_ms = NOW_MS - ago_ms,
		.topic_ms = NOW_MS - topic_ago_ms,
		.now_ms = NOW_MS};
}

static void processes_from_before_are_named_the_oldest_first(void **state)
{
	(void)state;
	struct report report;
	struct doctor_reading reading = changed(30 * MINUTE_MS, 30 * MINUTE_MS);
	judge(&report, &reading);
	assert_int_equal(report.list->level, REPORT_WARN);
	assert_string_equal(report.list->why,
		"/etc/imapd.conf was changed 30 min ago, and Cyrus still has 2 processes from "
		"before: master 10 (for 1 h 30 min), lmtpd 11 (for 1 h); each uses the settings "
		"that it read at its start");
	assert_string_equal(report.list->run, "systemctl restart cyrus-imapd");
	report_fini(&report);
}

static void the_topic_is_reported_where_phones_may_get_the_former(void **state)
{
	(void)state;
	struct report report;
	struct doctor_reading reading = changed(5 * MINUTE_MS, 5 * MINUTE_MS);
	judge(&report, &reading);
	assert_non_null(strstr(report.list->why, "imapd 12 (for 10 min)"));
	assert_non_null(strstr(report.list->why, "phones get the former aps_topic"));
	report_fini(&report);
	/* The file that sets it was not changed since. */
	reading = changed(5 * MINUTE_MS, 20 * MINUTE_MS);
	judge(&report, &reading);
	assert_null(strstr(report.list->why, "aps_topic"));
	report_fini(&report);
}

static void all_that_started_since_are_right(void **state)
{
	(void)state;
	struct report report;
	struct doctor_reading reading = changed(90 * MINUTE_MS, 90 * MINUTE_MS);
	judge(&report, &reading);
	assert_int_equal(report.list->level, REPORT_OK);
	report_fini(&report);
}

static void a_file_from_the_future_cannot_be_compared(void **state)
{
	(void)state;
	struct report report;
	struct doctor_reading reading = changed(-1, -1);
	judge(&report, &reading);
	assert_int_equal(report.list->level, REPORT_WARN);
	assert_non_null(strstr(report.list->why, "the clock was set back"));
	assert_string_equal(
		report.list->run, "touch /etc/imapd.conf && systemctl restart cyrus-imapd");
	report_fini(&report);
}

static void some_of_many_are_named_and_the_rest_is_counted(void **state)
{
	(void)state;
	struct process list[300];
	const struct processes cyrus = {.list = list, .count = 300};
	const struct doctor_reading reading = changed(MINUTE_MS, MINUTE_MS);
	struct report report = {0};
	for (int i = 0; i < 300; i++)
		list[i] = (struct process){
			.name = "pop3d", .pid = i + 1, .age_ms = 2 * MINUTE_MS + i};
	doctor_processes_judge(&report, &cyrus, &reading);
	assert_non_null(strstr(report.list->why, "300 processes from before: pop3d 300 (for"));
	assert_non_null(strstr(report.list->why, "pop3d 293 (for 2 min) and 292 more;"));
	report_fini(&report);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(processes_from_before_are_named_the_oldest_first),
		cmocka_unit_test(the_topic_is_reported_where_phones_may_get_the_former),
		cmocka_unit_test(all_that_started_since_are_right),
		cmocka_unit_test(a_file_from_the_future_cannot_be_compared),
		cmocka_unit_test(some_of_many_are_named_and_the_rest_is_counted),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}

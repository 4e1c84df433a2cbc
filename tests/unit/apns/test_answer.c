#include "apns/answer.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

static struct apns_answer answer;

static int begin(void **state)
{
	(void)state;
	answer_init(&answer, APNS_ANSWERED);
	return 0;
}

static void header(const char *name, const char *value)
{
	answer_read_header(&answer, name, strlen(name), value, strlen(value));
}

static void body(const char *json)
{
	answer_read_body(&answer, json, strlen(json));
}

static void the_status_is_read(void **state)
{
	(void)state;
	header(":status", "410");
	assert_int_equal(answer.status, 410);
}

static void a_status_that_is_no_number_is_none(void **state)
{
	(void)state;
	header(":status", "4x0");
	assert_int_equal(answer.status, 0);
	header(":status", "99999999999999999999");
	assert_int_equal(answer.status, 0);
}

static void retry_after_is_seconds_in_any_case(void **state)
{
	(void)state;
	header("Retry-After", "30");
	assert_int_equal(answer.retry_after_ms, 30000);
}

static void retry_after_is_a_date_in_any_of_its_three_forms(void **state)
{
	(void)state;
	static const char *const forms[] = {"Sun, 06 Nov 1994 08:49:37 GMT",
		"Sunday, 06-Nov-94 08:49:37 GMT", "Sun Nov  6 08:49:37 1994"};
	for (size_t i = 0; i < 3; i++) {
		answer_init(&answer, APNS_ANSWERED);
		header("RETRY-AFTER", forms[i]);
		assert_int_equal(answer.retry_after_ms, -1);
		assert_int_equal(answer.retry_at_unix_ms, INT64_C(784111777000));
	}
}

static void retry_after_that_is_neither_is_none(void **state)
{
	static const char *const hostile[] = {"", "-1", "1.5", "+5", " 5", "0x10", "soon",
		"9999999999999999999999", "Sun, 06 Nov 1994 08:49:37",
		"Sun, 06 Nov 1994 08:49:37 GMT ",
		"Sun, 06 Nov 1994 08:49:37 GMT, Sun, 06 Nov 1994 08:49:37 GMT",
		"Thu, 01 Jan 1960 00:00:00 GMT", "%a, %d %b %Y %H:%M:%S GMT"};
	(void)state;
	for (size_t i = 0; i < sizeof(hostile) / sizeof(hostile[0]); i++) {
		header("retry-after", hostile[i]);
		assert_int_equal(answer.retry_after_ms, -1);
		assert_int_equal(answer.retry_at_unix_ms, 0);
	}
}

static void an_interim_status_gives_way_to_the_final_one(void **state)
{
	(void)state;
	header(":status", "103");
	header(":status", "410");
	assert_int_equal(answer.status, 410);
}

static void a_status_in_trailers_says_nothing(void **state)
{
	(void)state;
	header(":status", "503");
	header(":status", "200");
	assert_int_equal(answer.status, 503);
}

static void retry_after_is_a_day_at_most(void **state)
{
	(void)state;
	header("retry-after", "999999999");
	assert_int_equal(answer.retry_after_ms, 24 * 60 * 60 * 1000);
}

static void reason_and_timestamp_are_read(void **state)
{
	(void)state;
	body("{\"reason\":\"Unregistered\",\"timestamp\":1700000000123}");
	assert_string_equal(answer.reason, "Unregistered");
	assert_int_equal(answer.timestamp_unix_ms, INT64_C(1700000000123));
}

static void a_body_that_is_no_json_says_nothing(void **state)
{
	(void)state;
	body("<html>");
	body("");
	body("[1]");
	body("{\"reason\":7,\"timestamp\":\"x\"}");
	assert_string_equal(answer.reason, "");
	assert_int_equal(answer.timestamp_unix_ms, 0);
}

static void a_reason_that_is_no_word_says_nothing(void **state)
{
	(void)state;
	body("{\"reason\":\"a\\nforged line\"}");
	assert_string_equal(answer.reason, "");
	body("{\"reason\":\"AReasonThatIsLongerThanAnyThatAppleHasEverDocumented\"}");
	assert_string_equal(answer.reason, "");
	body("{\"reason\":\"With\\u0000Nul\"}");
	assert_string_equal(answer.reason, "");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup(the_status_is_read, begin),
		cmocka_unit_test_setup(a_status_that_is_no_number_is_none, begin),
		cmocka_unit_test_setup(retry_after_is_seconds_in_any_case, begin),
		cmocka_unit_test_setup(retry_after_is_a_date_in_any_of_its_three_forms, begin),
		cmocka_unit_test_setup(retry_after_that_is_neither_is_none, begin),
		cmocka_unit_test_setup(an_interim_status_gives_way_to_the_final_one, begin),
		cmocka_unit_test_setup(a_status_in_trailers_says_nothing, begin),
		cmocka_unit_test_setup(retry_after_is_a_day_at_most, begin),
		cmocka_unit_test_setup(reason_and_timestamp_are_read, begin),
		cmocka_unit_test_setup(a_body_that_is_no_json_says_nothing, begin),
		cmocka_unit_test_setup(a_reason_that_is_no_word_says_nothing, begin),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}

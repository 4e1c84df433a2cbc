#include "sim/stats.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

static json_int_t number(const json_t *object, const char *group, const char *key)
{
	return json_integer_value(json_object_get(json_object_get(object, group), key));
}

static void verdicts_are_counted_by_status_and_reason(void **state)
{
	(void)state;
	struct stats stats = {0};
	const struct verdict good = {.status = 200};
	const struct verdict gone = {.status = 410, .reason = "Unregistered"};
	stats_count_verdict(&stats, &good);
	stats_count_verdict(&stats, &gone);
	stats_count_verdict(&stats, &gone);
	stats_count_unanswered(&stats, "REFUSED_STREAM");
	stats_count_unanswered(&stats, NULL);

	json_t *json = stats_json(&stats);
	assert_int_equal(number(json, "by_status", "200"), 1);
	assert_int_equal(number(json, "by_status", "410"), 2);
	assert_int_equal(number(json, "by_reason", "Unregistered"), 2);
	assert_int_equal(number(json, "by_reason", "REFUSED_STREAM"), 1);
	assert_int_equal(json_integer_value(json_object_get(json, "unanswered")), 2);
	json_decref(json);
}

static void reasons_beyond_the_table_are_others(void **state)
{
	(void)state;
	struct stats stats = {0};
	for (int i = 0; i < STATS_REASONS_MAX + 3; i++) {
		struct verdict verdict = {.status = 500};
		snprintf(verdict.reason, sizeof(verdict.reason), "Reason%d", i);
		stats_count_verdict(&stats, &verdict);
	}
	json_t *json = stats_json(&stats);
	assert_int_equal(number(json, "by_reason", "other"), 3);
	json_decref(json);
}

static void clear_keeps_what_exists(void **state)
{
	(void)state;
	struct stats stats = {.pushes = 7, .connections_open = 2, .streams = 3, .streams_max = 9};
	stats_clear(&stats);
	assert_int_equal(stats.pushes, 0);
	assert_int_equal(stats.connections_open, 2);
	assert_int_equal(stats.streams, 3);
	assert_int_equal(stats.streams_max, 3);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(verdicts_are_counted_by_status_and_reason),
		cmocka_unit_test(reasons_beyond_the_table_are_others),
		cmocka_unit_test(clear_keeps_what_exists),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}

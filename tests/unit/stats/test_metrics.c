#include "stats/metrics.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

static struct metrics metrics;

static int set_up(void **state)
{
	(void)state;
	memset(&metrics, 0, sizeof(metrics));
	return 0;
}

static void answer(enum apns_ending ending, int status, const char *reason)
{
	struct apns_answer said = {.ending = ending, .status = status};
	snprintf(said.reason, sizeof(said.reason), "%s", reason);
	metrics_answer(&metrics, &said);
}

static void answers_are_counted_by_ending_status_and_reason(void **state)
{
	(void)state;
	answer(APNS_ANSWERED, 200, "");
	answer(APNS_ANSWERED, 200, "");
	answer(APNS_ANSWERED, 400, "BadDeviceToken");
	answer(APNS_ANSWERED, 400, "BadTopic");
	answer(APNS_LOST, 0, "");
	assert_int_equal(metrics.verdict_count, 4);
	assert_int_equal(metrics.verdicts[0].count, 2);
	assert_string_equal(metrics.verdicts[2].reason, "BadTopic");
	assert_int_equal(metrics.verdicts[3].ending, APNS_LOST);
	assert_int_equal(metrics.push_total, 5);
}

static void what_apple_never_looked_at_is_neither_taken_nor_failed(void **state)
{
	(void)state;
	uint64_t taken;
	uint64_t failed;
	answer(APNS_ANSWERED, 200, "");
	answer(APNS_ANSWERED, 200, "");
	answer(APNS_ANSWERED, 410, "Unregistered");
	answer(APNS_LOST, 0, "");
	answer(APNS_SILENT, 0, "");
	answer(APNS_NOT_PROCESSED, 0, "");
	metrics_outcomes(&metrics, &taken, &failed);
	assert_int_equal(taken, 2);
	assert_int_equal(failed, 3);
}

static void a_peer_that_invents_reasons_does_not_grow_the_table(void **state)
{
	(void)state;
	for (int i = 0; i < 1000; i++) {
		char reason[32];
		snprintf(reason, sizeof(reason), "Reason%d", i);
		answer(APNS_ANSWERED, 400, reason);
	}
	assert_int_equal(metrics.verdict_count, METRICS_VERDICTS_MAX);
	const struct metrics_verdict *last = &metrics.verdicts[METRICS_VERDICTS_MAX - 1];
	assert_string_equal(last->reason, "other");
	assert_int_equal(last->count, 1000 - METRICS_VERDICTS_MAX + 1);
	assert_int_equal(metrics.push_total, 1000);
}

static void rates_are_those_of_the_last_minute(void **state)
{
	(void)state;
	double events;
	double pushes;
	metrics_rates(&metrics, 1000, &events, &pushes);
	assert_true(events == 0 && pushes == 0);
	for (int i = 0; i < 40; i++) {
		metrics_take_sample(&metrics, i * METRICS_SAMPLE_MS);
		metrics.event_total += 10;
		metrics.push_total += i < 20 ? 100 : 0;
	}
	metrics_rates(&metrics, 40 * METRICS_SAMPLE_MS, &events, &pushes);
	assert_true(events == 2);
	assert_true(pushes == 0);
}

static void events_are_counted_where_they_belong(void **state)
{
	(void)state;
	metrics_event(&metrics, &(struct mail_event){.kind = EVENT_MESSAGE_NEW},
		METRICS_TRANSPORT_stream, RELAY_URGENT);
	assert_int_equal(metrics.events[EVENT_OF_CYRUS][EVENT_MESSAGE_NEW][METRICS_TRANSPORT_stream]
				       [RELAY_URGENT],
		1);
	assert_int_equal(metrics.event_total, 1);
	assert_string_equal(metrics_transport_names[METRICS_TRANSPORT_datagram], "datagram");
}

#define TEST(name) cmocka_unit_test_setup(name, set_up)

int main(void)
{
	static const struct CMUnitTest tests[] = {
		TEST(answers_are_counted_by_ending_status_and_reason),
		TEST(what_apple_never_looked_at_is_neither_taken_nor_failed),
		TEST(a_peer_that_invents_reasons_does_not_grow_the_table),
		TEST(rates_are_those_of_the_last_minute),
		TEST(events_are_counted_where_they_belong),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}

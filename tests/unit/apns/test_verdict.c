/* One test a row of the table of Apple's answers, and of what stands around it. */
#include "apns/verdict.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

#define SENT 5000
#define TIMESTAMP 4000
#define LATER_TIMESTAMP 6000 /* than the push was sent */
#define NOW INT64_C(1800000000000)
#define A_DAY (24 * 60 * 60 * 1000)

struct row {
	const char *name;
	int status;
	const char *reason;
	bool is_proven;
	int64_t retry_after_ms;
	int64_t timestamp_unix_ms;
	struct verdict expected;
};

#define DONE                                                    \
	{                                                       \
		VERDICT_DONE, VERDICT_TOKEN, 0, false, false, 0 \
	}
#define DROP                                                      \
	{                                                         \
		VERDICT_DROP, VERDICT_REQUEST, 0, false, false, 0 \
	}
#define HOLD                                                         \
	{                                                            \
		VERDICT_HOLD, VERDICT_CREDENTIAL, 0, false, false, 0 \
	}
#define HOLD_PUSH                                                                     \
	{                                                                             \
		VERDICT_HOLD, VERDICT_TOKEN, VERDICT_DOUBTED_RETRY_MS, true, false, 0 \
	}
#define HOLD_RECONNECT                                              \
	{                                                           \
		VERDICT_HOLD, VERDICT_CREDENTIAL, 0, false, true, 0 \
	}
#define FORGET(before)                                                   \
	{                                                                \
		VERDICT_FORGET, VERDICT_TOKEN, 0, false, false, (before) \
	}
#define STOP(before)                                                   \
	{                                                              \
		VERDICT_STOP, VERDICT_TOKEN, 0, false, false, (before) \
	}
#define RETRY(scope, delay)                                     \
	{                                                       \
		VERDICT_RETRY, (scope), (delay), true, false, 0 \
	}
#define RETRY_RECONNECT                                          \
	{                                                        \
		VERDICT_RETRY, VERDICT_SERVICE, 0, true, true, 0 \
	}

static struct row rows[] = {
	{"200 is told", 200, "", false, -1, 0, DONE},
	{"200 is told whatever stands in a body", 200, "Unregistered", false, -1, 0, DONE},

	{"BadDeviceToken forgets when proven", 400, "BadDeviceToken", true, -1, 0, FORGET(SENT)},
	{"a timestamp says nothing of a BadDeviceToken", 400, "BadDeviceToken", true, -1, TIMESTAMP,
		FORGET(SENT)},
	{"BadDeviceToken holds that push when not proven", 400, "BadDeviceToken", false, -1, 0,
		HOLD_PUSH},
	{"DeviceTokenNotForTopic stops until the phone renews", 400, "DeviceTokenNotForTopic", true,
		-1, 0, STOP(SENT)},
	{"MissingDeviceToken is dropped", 400, "MissingDeviceToken", true, -1, 0, DROP},
	{"BadTopic holds", 400, "BadTopic", true, -1, 0, HOLD},
	{"MissingTopic holds", 400, "MissingTopic", true, -1, 0, HOLD},
	{"TopicDisallowed holds", 400, "TopicDisallowed", true, -1, 0, HOLD},
	{"BadCollapseId is dropped", 400, "BadCollapseId", true, -1, 0, DROP},
	{"BadExpirationDate is dropped", 400, "BadExpirationDate", true, -1, 0, DROP},
	{"BadMessageId is dropped", 400, "BadMessageId", true, -1, 0, DROP},
	{"BadPriority is dropped", 400, "BadPriority", true, -1, 0, DROP},
	{"DuplicateHeaders is dropped", 400, "DuplicateHeaders", true, -1, 0, DROP},
	{"InvalidPushType is dropped", 400, "InvalidPushType", true, -1, 0, DROP},
	{"PayloadEmpty is dropped", 400, "PayloadEmpty", true, -1, 0, DROP},
	{"IdleTimeout is sent again at once elsewhere", 400, "IdleTimeout", true, -1, 0,
		RETRY_RECONNECT},
	{"400 without a reason is dropped", 400, "", true, -1, 0, DROP},

	{"BadCertificate holds and reconnects", 403, "BadCertificate", true, -1, 0, HOLD_RECONNECT},
	{"BadCertificateEnvironment holds and reconnects", 403, "BadCertificateEnvironment", true,
		-1, 0, HOLD_RECONNECT},
	{"Forbidden holds", 403, "Forbidden", true, -1, 0, HOLD},
	{"ExpiredProviderToken holds: a newer one is of no help", 403, "ExpiredProviderToken", true,
		-1, 0, HOLD},
	{"InvalidProviderToken holds", 403, "InvalidProviderToken", true, -1, 0, HOLD_RECONNECT},
	{"MissingProviderToken holds", 403, "MissingProviderToken", true, -1, 0, HOLD_RECONNECT},
	{"UnrelatedKeyIdInToken holds", 403, "UnrelatedKeyIdInToken", true, -1, 0, HOLD_RECONNECT},
	{"UnrelatedKeyInToken holds", 403, "UnrelatedKeyInToken", true, -1, 0, HOLD_RECONNECT},
	{"BadEnvironmentKeyIdInToken holds", 403, "BadEnvironmentKeyIdInToken", true, -1, 0,
		HOLD_RECONNECT},
	{"BadEnvironmentKeyInToken holds", 403, "BadEnvironmentKeyInToken", true, -1, 0,
		HOLD_RECONNECT},
	{"403 without a reason holds", 403, "", true, -1, 0, HOLD},
	{"403 with an unknown reason holds", 403, "Unheard", true, -1, 0, HOLD},

	{"BadPath is dropped", 404, "BadPath", true, -1, 0, DROP},
	{"MethodNotAllowed is dropped", 405, "MethodNotAllowed", true, -1, 0, DROP},

	{"Unregistered forgets what is older than its timestamp", 410, "Unregistered", false, -1,
		TIMESTAMP, FORGET(TIMESTAMP)},
	{"Unregistered without a timestamp forgets what is older than the push", 410,
		"Unregistered", false, -1, 0, FORGET(SENT)},
	{"ExpiredToken forgets what is older than its timestamp", 410, "ExpiredToken", false, -1,
		TIMESTAMP, FORGET(TIMESTAMP)},
	{"a timestamp after the push does not reach what registered since", 410, "Unregistered",
		false, -1, LATER_TIMESTAMP, FORGET(SENT)},
	{"410 without a reason forgets what is older than the push", 410, "", false, -1, 0,
		FORGET(SENT)},
	{"410 with an unknown reason forgets what is older than its timestamp", 410, "Unheard",
		false, -1, TIMESTAMP, FORGET(TIMESTAMP)},

	{"PayloadTooLarge is dropped", 413, "PayloadTooLarge", true, -1, 0, DROP},

	{"TooManyRequests backs off that token", 429, "TooManyRequests", true, -1, 0,
		RETRY(VERDICT_TOKEN, -1)},
	{"TooManyRequests honours retry-after", 429, "TooManyRequests", true, 7000, 0,
		RETRY(VERDICT_TOKEN, 7000)},
	{"TooManyProviderTokenUpdates holds", 429, "TooManyProviderTokenUpdates", true, -1, 0,
		HOLD},
	{"429 without a reason backs off that token", 429, "", true, -1, 0,
		RETRY(VERDICT_TOKEN, -1)},
	{"429 with an unknown reason backs off that token", 429, "Unheard", true, -1, 0,
		RETRY(VERDICT_TOKEN, -1)},

	{"InternalServerError backs off", 500, "InternalServerError", true, -1, 0,
		RETRY(VERDICT_SERVICE, -1)},
	{"ServiceUnavailable backs off", 503, "ServiceUnavailable", true, -1, 0,
		RETRY(VERDICT_SERVICE, -1)},
	{"ServiceUnavailable honours retry-after", 503, "ServiceUnavailable", true, 30000, 0,
		RETRY(VERDICT_SERVICE, 30000)},
	{"retry-after of nothing still backs off", 503, "ServiceUnavailable", true, 0, 0,
		RETRY(VERDICT_SERVICE, -1)},
	{"Shutdown is sent again at once elsewhere", 503, "Shutdown", true, -1, 0, RETRY_RECONNECT},
	{"an unknown 5xx backs off", 599, "Unheard", true, -1, 0, RETRY(VERDICT_SERVICE, -1)},
	{"a 5xx without a reason backs off", 502, "", true, -1, 0, RETRY(VERDICT_SERVICE, -1)},

	{"400 with an unknown reason is dropped", 400, "Unheard", true, -1, 0, DROP},
	{"413 with an unknown reason is dropped", 413, "Unheard", true, -1, 0, DROP},
	{"a reason under another status is dropped", 400, "Unregistered", true, -1, 0, DROP},
	{"another 4xx is dropped", 418, "", true, -1, 0, DROP},
	{"a status that makes no sense backs off", 0, "", true, -1, 0, RETRY(VERDICT_SERVICE, -1)},
	{"a status beyond all classes backs off", 600, "BadDeviceToken", true, -1, 0,
		RETRY(VERDICT_SERVICE, -1)},
	{"a redirection backs off", 302, "", true, -1, 0, RETRY(VERDICT_SERVICE, -1)},
	{"another 2xx is told", 204, "", true, -1, 0, DONE},
};

static void assert_verdict(const struct verdict *verdict, const struct verdict *expected)
{
	assert_int_equal(verdict->action, expected->action);
	assert_int_equal(verdict->scope, expected->scope);
	assert_int_equal(verdict->delay_ms, expected->delay_ms);
	assert_int_equal(verdict->counts, expected->counts);
	assert_int_equal(verdict->replace_connection, expected->replace_connection);
	assert_int_equal(verdict->forget_before_unix_ms, expected->forget_before_unix_ms);
}

static void row_holds(void **state)
{
	const struct row *row = *state;
	struct apns_answer answer = {.ending = APNS_ANSWERED,
		.status = row->status,
		.timestamp_unix_ms = row->timestamp_unix_ms,
		.retry_after_ms = row->retry_after_ms};
	const struct verdict_context context = {.is_proven = row->is_proven, .sent_unix_ms = SENT};
	strcpy(answer.reason, row->reason);
	const struct verdict verdict = verdict_of(&answer, &context);
	assert_verdict(&verdict, &row->expected);
}

static void what_failed_before_is_never_sent_again_at_once(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		const struct verdict_context context = {.is_proven = true, .attempts = 1};
		struct apns_answer answer = {
			.ending = APNS_ANSWERED, .status = rows[i].status, .retry_after_ms = -1};
		strcpy(answer.reason, rows[i].reason);
		const struct verdict verdict = verdict_of(&answer, &context);
		if (verdict.action == VERDICT_RETRY)
			assert_int_equal(verdict.delay_ms, -1);
	}
}

static void ending_is(enum apns_ending ending, const struct verdict expected)
{
	const struct apns_answer answer = {.ending = ending, .retry_after_ms = -1};
	const struct verdict_context context = {.is_proven = true, .sent_unix_ms = SENT};
	const struct verdict verdict = verdict_of(&answer, &context);
	assert_verdict(&verdict, &expected);
}

static void what_was_not_processed_goes_again_at_once_and_does_not_count(void **state)
{
	(void)state;
	ending_is(APNS_NOT_PROCESSED,
		(struct verdict){VERDICT_RETRY, VERDICT_SERVICE, 0, false, false, 0});
}

static void what_was_lost_goes_once_more_at_once(void **state)
{
	(void)state;
	ending_is(APNS_LOST, (struct verdict)RETRY(VERDICT_SERVICE, 0));
}

static void what_was_lost_again_backs_off(void **state)
{
	(void)state;
	const struct apns_answer answer = {.ending = APNS_LOST, .retry_after_ms = -1};
	const struct verdict_context context = {.attempts = 1};
	const struct verdict verdict = verdict_of(&answer, &context);
	const struct verdict expected = RETRY(VERDICT_SERVICE, -1);
	assert_verdict(&verdict, &expected);
}

static int64_t delay_of_retry_at(int64_t unix_ms)
{
	const struct apns_answer answer = {.ending = APNS_ANSWERED,
		.status = 503,
		.reason = "ServiceUnavailable",
		.retry_after_ms = -1,
		.retry_at_unix_ms = unix_ms};
	const struct verdict_context context = {.now_unix_ms = NOW};
	return verdict_of(&answer, &context).delay_ms;
}

static void a_date_of_retry_after_is_waited_for_a_day_at_most(void **state)
{
	(void)state;
	assert_int_equal(delay_of_retry_at(NOW + 30000), 30000);
	assert_int_equal(delay_of_retry_at(NOW + A_DAY), A_DAY);
	assert_int_equal(delay_of_retry_at(NOW + A_DAY + 1), A_DAY);
	assert_int_equal(delay_of_retry_at(INT64_MAX), A_DAY);
}

static void a_date_of_retry_after_that_is_over_backs_off(void **state)
{
	(void)state;
	assert_int_equal(delay_of_retry_at(NOW), -1);
	assert_int_equal(delay_of_retry_at(1), -1);
}

static void what_got_no_answer_backs_off(void **state)
{
	(void)state;
	ending_is(APNS_SILENT, (struct verdict)RETRY(VERDICT_SERVICE, -1));
}

static void a_refused_credential_never_costs_a_registration(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		if (rows[i].expected.scope == VERDICT_CREDENTIAL)
			assert_int_equal(rows[i].expected.action, VERDICT_HOLD);
	}
}

static void what_is_said_of_a_replaced_credential_is_no_news(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		const struct verdict_context context = {
			.is_proven = rows[i].is_proven, .sent_unix_ms = SENT};
		struct apns_answer answer = {.ending = APNS_ANSWERED,
			.status = rows[i].status,
			.timestamp_unix_ms = rows[i].timestamp_unix_ms,
			.retry_after_ms = rows[i].retry_after_ms,
			.is_outdated = true};
		strcpy(answer.reason, rows[i].reason);
		const struct verdict verdict = verdict_of(&answer, &context);
		const struct verdict again = RETRY(VERDICT_SERVICE, 0);
		assert_verdict(&verdict,
			rows[i].expected.scope == VERDICT_CREDENTIAL ? &again : &rows[i].expected);
	}
}

static void only_a_goaway_about_our_credential_is_a_refusal(void **state)
{
	(void)state;
	assert_true(verdict_is_refusal("BadCertificate"));
	assert_true(verdict_is_refusal("BadCertificateEnvironment"));
	assert_true(verdict_is_refusal("Forbidden"));
	assert_true(verdict_is_refusal("TopicDisallowed"));
	assert_true(verdict_is_refusal("TooManyProviderTokenUpdates"));
	assert_false(verdict_is_refusal("BadDeviceToken"));
	assert_false(verdict_is_refusal("TooManyRequests"));
	assert_false(verdict_is_refusal("Shutdown"));
	assert_false(verdict_is_refusal("IdleTimeout"));
	assert_false(verdict_is_refusal("Unheard"));
	assert_false(verdict_is_refusal(""));
}

static const struct CMUnitTest others[] = {
	cmocka_unit_test(what_was_not_processed_goes_again_at_once_and_does_not_count),
	cmocka_unit_test(what_was_lost_goes_once_more_at_once),
	cmocka_unit_test(what_was_lost_again_backs_off),
	cmocka_unit_test(a_date_of_retry_after_is_waited_for_a_day_at_most),
	cmocka_unit_test(a_date_of_retry_after_that_is_over_backs_off),
	cmocka_unit_test(what_failed_before_is_never_sent_again_at_once),
	cmocka_unit_test(what_got_no_answer_backs_off),
	cmocka_unit_test(what_is_said_of_a_replaced_credential_is_no_news),
	cmocka_unit_test(only_a_goaway_about_our_credential_is_a_refusal),
	cmocka_unit_test(a_refused_credential_never_costs_a_registration),
};

#define ROWS (sizeof(rows) / sizeof(rows[0]))
#define OTHERS (sizeof(others) / sizeof(others[0]))

int main(void)
{
	struct CMUnitTest tests[OTHERS + ROWS];
	memcpy(tests, others, sizeof(others));
	for (size_t i = 0; i < ROWS; i++)
		tests[OTHERS + i] =
			(struct CMUnitTest){rows[i].name, row_holds, NULL, NULL, &rows[i]};
	return cmocka_run_group_tests(tests, NULL, NULL);
}

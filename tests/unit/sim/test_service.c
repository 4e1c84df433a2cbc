#include "sim/service.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#define TOPIC "com.example.mail"
#define DIGITS "0123456789abcdef"
#define TOKEN DIGITS DIGITS DIGITS DIGITS
#define ZEROS "0000000000000000000000000000000000000000000000000000000000000000"
#define UUID "0715A26B-CA09-4730-A419-793000CA982E"

static char topic[] = TOPIC;
static char *topics[] = {topic};
static const struct peer known_peer = {.has_certificate = true, .topics = 1, .topic = topics};

static struct text text(const char *bytes)
{
	return (struct text){bytes, bytes ? strlen(bytes) : 0};
}

static struct request good_request(void)
{
	struct request request = {.payload_size = 2};
	request.header[SERVICE_METHOD] = text("POST");
	request.header[SERVICE_PATH] = text("/3/device/" TOKEN);
	request.header[SERVICE_TOPIC] = text(TOPIC);
	return request;
}

static void assert_verdict(const struct request *request, const struct peer *peer,
	const struct token_state *token, int status, const char *reason)
{
	struct verdict verdict;
	service_check(request, peer, token, &verdict);
	assert_string_equal(verdict.reason, reason);
	assert_int_equal(verdict.status, status);
}

static void assert_header_verdict(
	enum service_header header, const char *value, int status, const char *reason)
{
	struct request request = good_request();
	request.header[header] = text(value);
	assert_verdict(&request, &known_peer, NULL, status, reason);
}

static void the_least_request_is_good(void **state)
{
	(void)state;
	struct request request = good_request();
	assert_verdict(&request, &known_peer, NULL, 200, "");
}

static void each_header_has_its_reason(void **state)
{
	(void)state;
	static const struct {
		enum service_header header;
		const char *value;
		int status;
		const char *reason;
	} rows[] = {
		{SERVICE_METHOD, "GET", 405, "MethodNotAllowed"},
		{SERVICE_METHOD, "post", 405, "MethodNotAllowed"},
		{SERVICE_METHOD, NULL, 405, "MethodNotAllowed"},
		{SERVICE_PATH, NULL, 404, "BadPath"},
		{SERVICE_PATH, "", 404, "BadPath"},
		{SERVICE_PATH, "/3/device", 404, "BadPath"},
		{SERVICE_PATH, "/2/device/" TOKEN, 404, "BadPath"},
		{SERVICE_PATH, "/3/device/" TOKEN "/", 404, "BadPath"},
		{SERVICE_PATH, "/3/device/", 400, "MissingDeviceToken"},
		{SERVICE_PATH, "/3/device/" DIGITS, 400, "BadDeviceToken"},
		{SERVICE_PATH, "/3/device/" TOKEN "g", 400, "BadDeviceToken"},
		{SERVICE_PATH, "/3/device/" TOKEN TOKEN TOKEN DIGITS, 400, "BadDeviceToken"},
		{SERVICE_PATH, "/3/device/" ZEROS, 400, "BadDeviceToken"},
		{SERVICE_PATH, "/3/device/" TOKEN TOKEN TOKEN "01234567", 200, ""},
		{SERVICE_ID, UUID, 200, ""},
		{SERVICE_ID, "0715a26b-ca09-4730-a419-793000ca982e", 200, ""},
		{SERVICE_ID, "", 400, "BadMessageId"},
		{SERVICE_ID, "0715A26BCA094730A419793000CA982E", 400, "BadMessageId"},
		{SERVICE_ID, "0715A26B-CA09-4730-A419-793000CA982G", 400, "BadMessageId"},
		{SERVICE_TOPIC, NULL, 400, "MissingTopic"},
		{SERVICE_TOPIC, "", 400, "BadTopic"},
		{SERVICE_TOPIC, "com.example.mail!", 400, "BadTopic"},
		{SERVICE_TOPIC, "com.example.mai", 400, "TopicDisallowed"},
		{SERVICE_TOPIC, "com.example.mail.voip", 400, "TopicDisallowed"},
		{SERVICE_COLLAPSE_ID, TOKEN, 200, ""},
		{SERVICE_COLLAPSE_ID, TOKEN "x", 400, "BadCollapseId"},
		{SERVICE_PRIORITY, "10", 200, ""},
		{SERVICE_PRIORITY, "5", 200, ""},
		{SERVICE_PRIORITY, "1", 200, ""},
		{SERVICE_PRIORITY, "", 400, "BadPriority"},
		{SERVICE_PRIORITY, "2", 400, "BadPriority"},
		{SERVICE_EXPIRATION, "0", 200, ""},
		{SERVICE_EXPIRATION, "1790000000", 200, ""},
		{SERVICE_EXPIRATION, "", 400, "BadExpirationDate"},
		{SERVICE_EXPIRATION, "-1", 400, "BadExpirationDate"},
		{SERVICE_EXPIRATION, "1790000000.5", 400, "BadExpirationDate"},
		{SERVICE_PUSH_TYPE, "background", 200, ""},
		{SERVICE_PUSH_TYPE, "controls", 200, ""},
		{SERVICE_PUSH_TYPE, "", 400, "InvalidPushType"},
		{SERVICE_PUSH_TYPE, "Alert", 400, "InvalidPushType"},
	};
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++)
		assert_header_verdict(
			rows[i].header, rows[i].value, rows[i].status, rows[i].reason);
}

static void a_payload_has_a_least_and_a_greatest_size(void **state)
{
	(void)state;
	struct request request = good_request();
	request.payload_size = 0;
	assert_verdict(&request, &known_peer, NULL, 400, "PayloadEmpty");
	request.payload_size = 4096;
	assert_verdict(&request, &known_peer, NULL, 200, "");
	request.payload_size = 4097;
	assert_verdict(&request, &known_peer, NULL, 413, "PayloadTooLarge");
	request.header[SERVICE_PUSH_TYPE] = text("voip");
	request.payload_size = 5120;
	assert_verdict(&request, &known_peer, NULL, 200, "");
	request.payload_size = 5121;
	assert_verdict(&request, &known_peer, NULL, 413, "PayloadTooLarge");
}

static void background_must_not_ask_for_priority_10(void **state)
{
	(void)state;
	struct request request = good_request();
	request.header[SERVICE_PUSH_TYPE] = text("background");
	request.header[SERVICE_PRIORITY] = text("10");
	assert_verdict(&request, &known_peer, NULL, 400, "BadPriority");
	request.header[SERVICE_PRIORITY] = text("5");
	assert_verdict(&request, &known_peer, NULL, 200, "");
}

static void repeated_and_excessive_headers_are_refused(void **state)
{
	(void)state;
	struct request request = good_request();
	request.has_duplicate = true;
	assert_verdict(&request, &known_peer, NULL, 400, "DuplicateHeaders");
	request.header_list_size = SERVICE_HEADER_LIST_MAX + 1;
	assert_verdict(&request, &known_peer, NULL, 431, "");
}

static void a_peer_without_certificate_gets_nowhere(void **state)
{
	(void)state;
	struct request request = {0};
	const struct peer nobody = {0};
	assert_verdict(&request, &nobody, NULL, 403, "MissingProviderToken");
}

static void a_good_provider_token_is_for_every_topic_of_its_team(void **state)
{
	(void)state;
	struct request request = good_request();
	const struct peer nobody = {0};
	request.is_authorized = true;
	assert_verdict(&request, &nobody, NULL, 200, "");
	request.is_authorized = false;
	request.provider_status = 429;
	request.provider_reason = "TooManyProviderTokenUpdates";
	assert_verdict(&request, &nobody, NULL, 429, "TooManyProviderTokenUpdates");
	/* With a certificate nobody looks at it. */
	assert_verdict(&request, &known_peer, NULL, 200, "");
}

static void a_peer_with_any_topic_needs_no_certificate(void **state)
{
	(void)state;
	struct request request = good_request();
	const struct peer anybody = {.has_any_topic = true};
	assert_verdict(&request, &anybody, NULL, 200, "");
}

static void a_tokens_verdict_comes_before_its_topic(void **state)
{
	(void)state;
	struct request request = good_request();
	struct token_state token = {
		.has_verdict = true,
		.verdict = {.status = 410, .reason = "Unregistered", .timestamp_ms = 5},
		.topic = "com.example.other",
	};
	struct verdict verdict;
	assert_true(service_check(&request, &known_peer, &token, &verdict));
	assert_int_equal(verdict.status, 410);
	assert_int_equal(verdict.timestamp_ms, 5);

	token.has_verdict = false;
	assert_verdict(&request, &known_peer, &token, 400, "DeviceTokenNotForTopic");
	token.topic = TOPIC;
	assert_verdict(&request, &known_peer, &token, 200, "");
}

static void a_bad_request_does_not_use_the_tokens_verdict_up(void **state)
{
	(void)state;
	struct request request = good_request();
	struct token_state token = {.has_verdict = true, .verdict = {.status = 410}};
	struct verdict verdict;
	request.header[SERVICE_TOPIC] = (struct text){0};
	assert_false(service_check(&request, &known_peer, &token, &verdict));
	assert_string_equal(verdict.reason, "MissingTopic");
}

static void fields_differ(void **state)
{
	(void)state;
	static const char *const names[SERVICE_HEADERS] = {":method", ":path", "apns-id",
		"apns-topic", "apns-collapse-id", "apns-priority", "apns-expiration",
		"apns-push-type", "authorization"};
	for (size_t i = 0; i < SERVICE_HEADERS; i++) {
		char other[32];
		size_t size = strlen(names[i]);
		assert_int_equal(service_header_of(names[i], size), i);
		snprintf(other, sizeof(other), "%s", names[i]);
		other[size - 1] = 'X';
		assert_int_equal(service_header_of(other, size), SERVICE_HEADERS);
		assert_int_equal(service_header_of(names[i], size - 1), SERVICE_HEADERS);
	}
	assert_int_equal(service_header_of("", 0), SERVICE_HEADERS);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(the_least_request_is_good),
		cmocka_unit_test(each_header_has_its_reason),
		cmocka_unit_test(a_payload_has_a_least_and_a_greatest_size),
		cmocka_unit_test(background_must_not_ask_for_priority_10),
		cmocka_unit_test(repeated_and_excessive_headers_are_refused),
		cmocka_unit_test(a_peer_without_certificate_gets_nowhere),
		cmocka_unit_test(a_good_provider_token_is_for_every_topic_of_its_team),
		cmocka_unit_test(a_peer_with_any_topic_needs_no_certificate),
		cmocka_unit_test(a_tokens_verdict_comes_before_its_topic),
		cmocka_unit_test(a_bad_request_does_not_use_the_tokens_verdict_up),
		cmocka_unit_test(fields_differ),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}

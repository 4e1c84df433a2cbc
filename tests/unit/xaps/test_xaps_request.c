#include "xaps/xaps_request.h"

#include "base/mem.h"
#include "requests.h"

static int parse(enum xaps_request_kind kind, const char *json, struct xaps_request *ret)
{
	struct err err;
	*ret = (struct xaps_request){0};
	int status = kind == XAPS_REQUEST_REGISTER
		? xaps_request_parse_register(json, strlen(json), &topics, ret, &err)
		: xaps_request_parse_notify(json, strlen(json), ret, &err);
	if (status) {
		assert_true(*err.text);
		assert_null(ret->event);
		assert_null(ret->user);
	}
	return status;
}

static void assert_event(
	enum xaps_request_kind kind, const char *json, const char *user, const char *event)
{
	struct xaps_request request;
	int status = parse(kind, json, &request);
	assert_request(status, &request, kind, user, event);
}

static void a_registration_becomes_an_event(void **state)
{
	(void)state;
	assert_event(XAPS_REQUEST_REGISTER,
		"{\"ApsAccountId\":\"A-1\",\"ApsDeviceToken\":\"" TOKEN
		"\",\"ApsSubtopic\":\"com.apple.mobilemail\",\"Username\":\"Jane\","
		"\"Mailboxes\":[\"INBOX\",\"Notes\"],\"Unknown\":5}",
		"Jane", REGISTERED);
}

static void news_becomes_an_event(void **state)
{
	(void)state;
	assert_event(XAPS_REQUEST_NOTIFY,
		"{\"Username\":\"jane\",\"Mailbox\":\"INBOX\",\"Events\":[\"MessageExpunge\"]}",
		"jane", "{\"source\":\"xaps\",\"event\":\"MessageExpunge\",\"user\":\"jane\"}");
}

static void new_mail_counts_wherever_it_stands(void **state)
{
	(void)state;
	assert_event(XAPS_REQUEST_NOTIFY,
		"{\"Username\":\"jane\",\"Mailbox\":\"INBOX\","
		"\"Events\":[\"FlagsSet\",\"MessageNew\",\"x\"]}",
		"jane", "{\"source\":\"xaps\",\"event\":\"MessageNew\",\"user\":\"jane\"}");
}

static void another_event_is_kept_without_its_name(void **state)
{
	(void)state;
	assert_event(XAPS_REQUEST_NOTIFY,
		"{\"Username\":\"jane\",\"Mailbox\":\"INBOX\",\"Events\":[\"\\\"\"]}", "jane",
		"{\"source\":\"xaps\",\"event\":\"other\",\"user\":\"jane\"}");
}

static void nothing_follows_for_another_mailbox(void **state)
{
	(void)state;
	static const char *const others[] = {"inbox", "Notes", "INBOX/x"};
	for (size_t i = 0; i < sizeof(others) / sizeof(others[0]); i++) {
		mem_auto char *json = mem_printf(
			"{\"Username\":\"jane\",\"Mailbox\":\"%s\",\"Events\":[\"MessageNew\"]}",
			others[i]);
		struct xaps_request request;
		assert_int_equal(parse(XAPS_REQUEST_NOTIFY, json, &request), 0);
		assert_int_equal(request.kind, XAPS_REQUEST_NOTHING);
		assert_null(request.event);
		xaps_request_fini(&request);
	}
}

static void what_lacks_something_is_refused(void **state)
{
	(void)state;
	static const char *const wrong[] = {"", "{", "5", "[]", "null", "{}", "{} x", "\xff",
		"{\"Username\":\"jane\",\"Mailbox\":\"INBOX\"}",
		"{\"Username\":\"jane\",\"Mailbox\":\"INBOX\",\"Events\":[]}",
		"{\"Username\":\"jane\",\"Mailbox\":\"INBOX\",\"Events\":[1]}",
		"{\"Username\":\"jane\",\"Mailbox\":\"INBOX\",\"Events\":\"MessageNew\"}",
		"{\"Username\":\"jane\",\"Mailbox\":\"\",\"Events\":[\"MessageNew\"]}",
		"{\"Username\":\"\",\"Mailbox\":\"INBOX\",\"Events\":[\"MessageNew\"]}",
		"{\"Username\":\"a\\u0000\",\"Mailbox\":\"INBOX\",\"Events\":[\"MessageNew\"]}",
		"{\"ApsAccountId\":\"A\",\"ApsDeviceToken\":\"" TOKEN
		"\",\"ApsSubtopic\":\"com.apple.calendar\",\"Username\":\"j\","
		"\"Mailboxes\":[\"INBOX\"]}",
		"{\"ApsAccountId\":\"A\",\"ApsDeviceToken\":\"" TOKEN
		"\",\"ApsSubtopic\":\"com.apple.mobilemail\",\"Username\":\"j\","
		"\"Mailboxes\":[]}",
		"{\"ApsAccountId\":\"\",\"ApsDeviceToken\":\"" TOKEN
		"\",\"ApsSubtopic\":\"com.apple.mobilemail\",\"Username\":\"j\","
		"\"Mailboxes\":[\"INBOX\"]}",
		"{\"ApsAccountId\":\"A\",\"ApsDeviceToken\":\"\","
		"\"ApsSubtopic\":\"com.apple.mobilemail\",\"Username\":\"j\","
		"\"Mailboxes\":[\"INBOX\"]}"};
	struct xaps_request request;
	for (size_t i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++) {
		assert_int_equal(parse(XAPS_REQUEST_REGISTER, wrong[i], &request), -EINVAL);
		assert_int_equal(parse(XAPS_REQUEST_NOTIFY, wrong[i], &request), -EINVAL);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_registration_becomes_an_event),
		cmocka_unit_test(news_becomes_an_event),
		cmocka_unit_test(new_mail_counts_wherever_it_stands),
		cmocka_unit_test(another_event_is_kept_without_its_name),
		cmocka_unit_test(nothing_follows_for_another_mailbox),
		cmocka_unit_test(what_lacks_something_is_refused),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}

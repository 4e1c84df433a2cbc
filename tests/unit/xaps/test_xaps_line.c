#include "xaps/xaps_line.h"

#include "requests.h"

#define PHONE                                               \
	"aps-account-id=\"A-1\"\taps-device-token=\"" TOKEN \
	"\"\taps-subtopic=\"com.apple.mobilemail\"\tdovecot-username=\"Jane\""

static int parse(const char *line, struct xaps_request *ret)
{
	struct err err;
	*ret = (struct xaps_request){0};
	int status = xaps_line_parse(line, strlen(line), &topics, ret, &err);
	if (status) {
		assert_true(*err.text);
		assert_null(ret->event);
	}
	return status;
}

static void assert_event(
	enum xaps_request_kind kind, const char *line, const char *user, const char *event)
{
	struct xaps_request request;
	int status = parse(line, &request);
	assert_request(status, &request, kind, user, event);
}

static void a_registration_becomes_an_event(void **state)
{
	(void)state;
	assert_event(XAPS_REQUEST_REGISTER,
		"REGISTER " PHONE "\tdovecot-mailboxes=(\"INBOX\",\"Notes\")", "Jane", REGISTERED);
}

static void news_becomes_an_event(void **state)
{
	(void)state;
	assert_event(XAPS_REQUEST_NOTIFY,
		"NOTIFY dovecot-username=\"jane\"\tdovecot-mailbox=\"INBOX\"\t"
		"events=(\"FlagsSet\",\"MessageNew\")",
		"jane", "{\"source\":\"xaps\",\"event\":\"MessageNew\",\"user\":\"jane\"}");
}

static void without_events_it_is_new_mail(void **state)
{
	(void)state;
	assert_event(XAPS_REQUEST_NOTIFY,
		"NOTIFY dovecot-mailbox=\"INBOX\"\tdovecot-username=\"jane\"\tother=\"x\"", "jane",
		"{\"source\":\"xaps\",\"event\":\"MessageNew\",\"user\":\"jane\"}");
}

static void a_backslash_takes_the_next_character(void **state)
{
	(void)state;
	assert_event(XAPS_REQUEST_NOTIFY,
		"NOTIFY dovecot-username=\"a\\\"\\\\\\b\"\tdovecot-mailbox=\"INBOX\"", "a\"\\b",
		"{\"source\":\"xaps\",\"event\":\"MessageNew\",\"user\":\"a\\\"\\\\b\"}");
}

static void nothing_follows_for_another_mailbox(void **state)
{
	(void)state;
	struct xaps_request request;
	assert_int_equal(
		parse("NOTIFY dovecot-username=\"jane\"\tdovecot-mailbox=\"Notes\"", &request), 0);
	assert_int_equal(request.kind, XAPS_REQUEST_NOTHING);
	xaps_request_fini(&request);
}

static void what_is_malformed_is_refused(void **state)
{
	(void)state;
	static const char *const wrong[] = {"", " ", "REGISTER", "REGISTER ", "register " PHONE,
		"QUIT ", "REGISTER " PHONE, "REGISTER " PHONE "\tdovecot-mailboxes=()",
		"REGISTER " PHONE "\tdovecot-mailboxes=\"INBOX\"",
		"REGISTER " PHONE "\tdovecot-mailboxes=(\"INBOX\"",
		"REGISTER " PHONE "\tdovecot-mailboxes=(\"INBOX\",)",
		"REGISTER " PHONE "\tdovecot-mailboxes=(INBOX)",
		"REGISTER " PHONE "\tdovecot-mailboxes=(\"INBOX\") ",
		"REGISTER " PHONE "\t\tdovecot-mailboxes=(\"INBOX\")",
		"NOTIFY dovecot-username=\"jane\" dovecot-mailbox=\"INBOX\"",
		"NOTIFY dovecot-username=\"jane\"\tdovecot-mailbox=\"INBOX",
		"NOTIFY dovecot-username=\"jane\"\tdovecot-mailbox=\"INBOX\\",
		"NOTIFY dovecot-username=\"jane\"\tdovecot-mailbox=",
		"NOTIFY dovecot-username=\"jane\"\tdovecot-mailbox",
		"NOTIFY dovecot-username=\"\"\tdovecot-mailbox=\"INBOX\"",
		"NOTIFY dovecot-username=\"\xff\"\tdovecot-mailbox=\"INBOX\"",
		"NOTIFY dovecot-username=\"jane\"\tdovecot-mailbox=\"INBOX\"\tevents=()",
		"NOTIFY dovecot-username=\"jane\"\tdovecot-mailbox=\"INBOX\"\tevents=\"x\"",
		"NOTIFY dovecot-username=\"jane\"\tdovecot-mailbox=\"INBOX\"\t"};
	struct xaps_request request;
	for (size_t i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++)
		if (parse(wrong[i], &request) != -EINVAL)
			fail_msg("taken: %s", wrong[i]);
	struct err err;
	static const char nul[] = "NOTIFY dovecot-username=\"a\0b\"\tdovecot-mailbox=\"INBOX\"";
	assert_int_equal(xaps_line_parse(nul, sizeof(nul) - 1, &topics, &request, &err), -EINVAL);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_registration_becomes_an_event),
		cmocka_unit_test(news_becomes_an_event),
		cmocka_unit_test(without_events_it_is_new_mail),
		cmocka_unit_test(a_backslash_takes_the_next_character),
		cmocka_unit_test(nothing_follows_for_another_mailbox),
		cmocka_unit_test(what_is_malformed_is_refused),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}

#include "event/xaps_event.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/mem.h"
#include "event/relay.h"

#include <errno.h>
#include <string.h>

#define TOKEN "2918390218931890821908309283098109381029309829018310983092892829"
#define REGISTER                                                                               \
	"{\"source\":\"xaps\",\"event\":\"Register\",\"user\":\"Jane@Example.com\",\"token\":" \
	"\"" TOKEN "\",\"account_id\":\"A-1\",\"subtopic\":\"com.apple.mobilemail\","          \
	"\"mailboxes\":[\"INBOX\",\"user/x\"],\"topic\":\"com.apple.mail.x\"}"

static struct mail_event *parse(const char *json, bool folds_users)
{
	struct mail_event *event = NULL;
	struct err err;
	assert_true(xaps_event_is(json, strlen(json)));
	assert_int_equal(xaps_event_parse(json, strlen(json), folds_users, &event, &err), 0);
	assert_int_equal(event->source, EVENT_OF_XAPS);
	return event;
}

static void a_registration_is_read(void **state)
{
	(void)state;
	struct mail_event *event = parse(REGISTER, true);
	const struct event_registration *registration = &event->registration;
	assert_int_equal(event->kind, EVENT_APPLE_PUSH_SERVICE);
	assert_string_equal(registration->user, "jane@example.com");
	assert_string_equal(registration->topic, "com.apple.mail.x");
	assert_int_equal(registration->aps_version, 2);
	assert_int_equal(registration->mailbox_count, 2);
	event_free(event);
}

static void case_of_users_is_kept_if_it_counts(void **state)
{
	(void)state;
	struct mail_event *event = parse(REGISTER, false);
	assert_string_equal(event->registration.user, "Jane@Example.com");
	event_free(event);
	char *json = xaps_event_write_news("Jane", "MessageNew");
	event = parse(json, false);
	assert_string_equal(event->at[0].owner, "Jane");
	event_free(event);
	event = parse(json, true);
	assert_string_equal(event->at[0].owner, "jane");
	event_free(event);
	free(json);
}

/* Whatever namespace it may look like. */
static void mailboxes_are_folders_of_the_user(void **state)
{
	(void)state;
	static const char *const names[][2] = {{"INBOX", ""}, {"inbox", ""}, {"Notes", "Notes"},
		{"Entw&APw-rfe", "Entw\xc3\xbcrfe"}, {"Entw\xc3\xbcrfe", "Entw\xc3\xbcrfe"},
		{"user/x", "user/x"}, {"Other Users/x", "Other Users/x"}, {"/x", "/x"}};
	const struct mailbox_namespace namespace = xaps_event_names(true);
	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
		char memory[128];
		struct mailbox mailbox;
		mailbox_from_name(&namespace, names[i][0], "Jane@example.com", memory, &mailbox);
		assert_string_equal(mailbox.owner, "jane@example.com");
		assert_string_equal(mailbox.folder, names[i][1]);
	}
}

static enum relay_action action_of(const char *name)
{
	struct relay_policy policy;
	relay_policy_init(&policy);
	relay_policy_clear(&policy, RELAY_DEFERRED);
	mem_auto char *json = xaps_event_write_news("jane", name);
	struct mail_event *event = parse(json, true);
	enum relay_action action = relay_decide(&policy, event);
	event_free(event);
	return action;
}

static void new_mail_is_urgent_and_all_else_deferred(void **state)
{
	(void)state;
	assert_int_equal(action_of("MessageNew"), RELAY_URGENT);
	static const char *const others[] = {"MessageAppend", "MessageRead", "MessageExpire",
		"FlagsSet", "FlagsClear", "MailboxDelete", "MailboxRename", "ApplePushService",
		"Register", "", "x"};
	for (size_t i = 0; i < sizeof(others) / sizeof(others[0]); i++)
		assert_int_equal(action_of(others[i]), RELAY_DEFERRED);
}

static void other_events_are_not_taken_for_it(void **state)
{
	(void)state;
	static const char *const others[] = {"", "{", "{\"source\":\"xaps\",",
		"{\"source\":\"dovecot\",\"event\":\"MessageNew\"}",
		"{\"event\":\"MessageNew\",\"source\":\"xaps\"}"};
	for (size_t i = 0; i < sizeof(others) / sizeof(others[0]); i++)
		assert_false(xaps_event_is(others[i], strlen(others[i])));
}

static void what_is_wrong_is_refused(void **state)
{
	(void)state;
	static const char *const wrong[] = {"{\"source\":\"xaps\",}",
		"{\"source\":\"xaps\",\"event\":5}",
		"{\"source\":\"xaps\",\"event\":\"MessageNew\"}",
		"{\"source\":\"xaps\",\"event\":\"MessageNew\",\"user\":\"\"}",
		"{\"source\":\"xaps\",\"event\":\"MessageNew\",\"user\":\"a\\nb\"}",
		"{\"source\":\"xaps\",\"event\":\"Register\",\"user\":\"jane\"}"};
	struct mail_event *event;
	struct err err;
	for (size_t i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++)
		assert_int_equal(
			xaps_event_parse(wrong[i], strlen(wrong[i]), true, &event, &err), -EINVAL);
	char user[MAILBOX_USER_MAX + 2] = "";
	memset(user, 'u', MAILBOX_USER_MAX + 1);
	mem_auto char *json = xaps_event_write_news(user, "MessageNew");
	assert_int_equal(xaps_event_parse(json, strlen(json), true, &event, &err), -EMSGSIZE);
}

static void what_is_not_utf8_cannot_be_written(void **state)
{
	(void)state;
	assert_null(xaps_event_write_news("\xff", "MessageNew"));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_registration_is_read),
		cmocka_unit_test(case_of_users_is_kept_if_it_counts),
		cmocka_unit_test(mailboxes_are_folders_of_the_user),
		cmocka_unit_test(new_mail_is_urgent_and_all_else_deferred),
		cmocka_unit_test(other_events_are_not_taken_for_it),
		cmocka_unit_test(what_is_wrong_is_refused),
		cmocka_unit_test(what_is_not_utf8_cannot_be_written),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}

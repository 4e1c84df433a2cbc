#include "event/user_site.h"

#include "base/mem.h"
#include "event/dovecot_event.h"
#include "event/xaps_event.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <errno.h>
#include <stdio.h>
#include <string.h>

MEM_DEFINE_CLEANUP(event_cleanup, struct mail_event, event_free)
#define event_auto __attribute__((cleanup(event_cleanup)))

#define HEX64 "a1a1a1a1a1a1a1a1a1a1a1a1a1a1a1a1a1a1a1a1a1a1a1a1a1a1a1a1a1a1a1a1"
#define EVENT(name) "{\"source\":\"dovecot\",\"event\":\"" name "\",\"user\":\"Bob\","

static struct mail_event *parse(const char *json)
{
	const struct dovecot_sender sender = {.topic = "com.apple.mail.XServer.one"};
	struct mail_event *event = NULL;
	struct err err;
	assert_int_equal(dovecot_event_parse(json, strlen(json), &sender, &event, &err), 0);
	return event;
}

static struct mail_event *entered(const char *json)
{
	struct mail_event *event = parse(json);
	struct err err;
	assert_int_equal(user_site_enter("dove", event, &err), 0);
	return event;
}

static void users_and_owners_of_an_event_get_their_names(void **state)
{
	(void)state;
	event_auto struct mail_event *event = entered(EVENT(
		"MailboxRename") "\"owner\":\"Alice\",\"folder\":\"New\",\"from_owner\":\"carol\","
				 "\"from_folder\":\"Old\",\"readers\":[\"dave\",\"bob\"]}");
	assert_string_equal(event->user, "dove/bob");
	assert_string_equal(event->at[0].owner, "dove/alice");
	assert_string_equal(event->at[0].folder, "New");
	assert_string_equal(event->from[0].owner, "dove/carol");
	assert_string_equal(event->from[0].folder, "Old");
	assert_true(event_lets_read(event, NULL, "dove/bob"));
	assert_true(event_lets_read(event, NULL, "dove/dave"));
	assert_false(event_lets_read(event, NULL, "bob"));
	assert_false(event_lets_read(event, NULL, "dove/erin"));
}

static void a_folder_of_nobody_is_one_of_that_site(void **state)
{
	(void)state;
	event_auto struct mail_event *event =
		entered(EVENT("MessageNew") "\"owner\":\"\",\"folder\":\"Public/News\"}");
	assert_string_equal(event->at[0].owner, "dove/");
	assert_string_equal(event->at[0].folder, "Public/News");
}

static void a_registration_and_its_places_get_their_names(void **state)
{
	(void)state;
	event_auto struct mail_event *event = entered(EVENT(
		"Register") "\"device_token\":\"" HEX64 "\",\"account_id\":\"A-1\",\"version\":2,"
			    "\"subtopic\":\"com.apple.mobilemail\",\"mailboxes\":["
			    "{\"name\":\"INBOX\",\"owner\":\"bob\",\"folder\":\"\"},"
			    "{\"name\":\"shared/alice/"
			    "Work\",\"owner\":\"alice\",\"folder\":\"Work\"}]}");
	const struct event_registration *registration = &event->registration;
	assert_string_equal(registration->user, "dove/bob");
	assert_int_equal(registration->mailbox_count, 2);
	assert_string_equal(registration->mailboxes[1], "shared/alice/Work");
	assert_string_equal(registration->places[0].owner, "dove/bob");
	assert_string_equal(registration->places[0].folder, "");
	assert_string_equal(registration->places[1].owner, "dove/alice");
	assert_string_equal(registration->places[1].folder, "Work");
	assert_string_equal(registration->token, HEX64);
}

static void an_event_of_the_plugin_for_xapsd_gets_them_too(void **state)
{
	(void)state;
	event_auto struct mail_event *event = NULL;
	mem_auto char *json = xaps_event_write_news("Alice", "MessageNew");
	struct err err;
	assert_int_equal(xaps_event_parse(json, strlen(json), true, &event, &err), 0);
	assert_int_equal(user_site_enter("dove", event, &err), 0);
	assert_string_equal(event->user, "dove/alice");
	assert_string_equal(event->at[0].owner, "dove/alice");
}

static void without_a_site_nothing_changes(void **state)
{
	(void)state;
	event_auto struct mail_event *event =
		parse(EVENT("MessageNew") "\"owner\":\"alice\",\"folder\":\"\"}");
	struct err err;
	assert_int_equal(user_site_enter("", event, &err), 0);
	assert_string_equal(event->at[0].owner, "alice");
	assert_int_equal(user_site_guard("", event, &err), 0);
	assert_false(user_site_has("", "/alice"));
	mem_auto char *name = user_site_name("", "alice");
	assert_string_equal(name, "alice");
}

static void a_name_that_is_too_long_there_is_refused(void **state)
{
	(void)state;
	char owner[MAILBOX_USER_MAX + 1], json[1024];
	memset(owner, 'a', sizeof(owner));
	for (int is_too_long = 0; is_too_long <= 1; is_too_long++) {
		size_t size = MAILBOX_USER_MAX - strlen("dove/") + (size_t)is_too_long;
		snprintf(json, sizeof(json),
			EVENT("MessageNew") "\"owner\":\"%.*s\",\"folder\":\"\"}", (int)size,
			owner);
		event_auto struct mail_event *event = parse(json);
		struct err err = {0};
		assert_int_equal(user_site_enter("dove", event, &err), is_too_long ? -EMSGSIZE : 0);
		assert_int_equal(
			strlen(event->at[0].owner), is_too_long ? size : (size_t)MAILBOX_USER_MAX);
		assert_string_equal(err.text,
			is_too_long
				? "a user of dovecot_site has 513 bytes, at most 512 are allowed"
				: "");
	}
}

static void a_reader_whose_name_is_too_long_there_is_left_out(void **state)
{
	(void)state;
	char reader[MAILBOX_USER_MAX + 1], json[2048];
	int longest = MAILBOX_USER_MAX - (int)strlen("dove/");
	memset(reader, 'c', sizeof(reader));
	snprintf(json, sizeof(json),
		EVENT("MessageNew") "\"owner\":\"alice\",\"folder\":\"\",\"readers\":"
				    "[\"dave\",\"%.*s\",\"%.*s\",\"bob\"]}",
		longest, reader, longest + 1, reader);
	event_auto struct mail_event *event = entered(json);
	assert_int_equal(event->reader_count, 3);
	assert_string_equal(event->readers[0], "dove/bob");
	assert_int_equal(strlen(event->readers[1]), MAILBOX_USER_MAX);
	assert_string_equal(event->readers[2], "dove/dave");
}

static void a_mailbox_whose_owner_is_too_long_there_is_left_out_of_a_registration(void **state)
{
	(void)state;
	char owner[MAILBOX_USER_MAX + 1], json[4096];
	int longest = MAILBOX_USER_MAX - (int)strlen("dove/");
	memset(owner, 'c', sizeof(owner));
	snprintf(json, sizeof(json),
		EVENT("Register") "\"device_token\":\"" HEX64
				  "\",\"account_id\":\"A-1\",\"version\":2,"
				  "\"subtopic\":\"com.apple.mobilemail\",\"mailboxes\":["
				  "{\"name\":\"long\",\"owner\":\"%.*s\",\"folder\":\"A\"},"
				  "{\"name\":\"fits\",\"owner\":\"%.*s\",\"folder\":\"B\"},"
				  "{\"name\":\"INBOX\",\"owner\":\"bob\",\"folder\":\"\"}]}",
		longest + 1, owner, longest, owner);
	event_auto struct mail_event *event = entered(json);
	const struct event_registration *registration = &event->registration;
	assert_int_equal(registration->mailbox_count, 2);
	assert_int_equal(registration->left_out, 1);
	assert_string_equal(registration->mailboxes[0], "fits");
	assert_int_equal(strlen(registration->places[0].owner), MAILBOX_USER_MAX);
	assert_string_equal(registration->places[0].folder, "B");
	assert_string_equal(registration->mailboxes[1], "INBOX");
	assert_string_equal(registration->places[1].owner, "dove/bob");
}

static void guard(const char *json, int status)
{
	event_auto struct mail_event *event = parse(json);
	struct err err = {0};
	assert_int_equal(user_site_guard("dove", event, &err), status);
	assert_string_equal(err.text, status ? "MailboxRename: names a user of dovecot_site" : "");
}

static void nobody_else_can_name_its_users(void **state)
{
	(void)state;
#define RENAME(from, to)       \
	EVENT("MailboxRename") \
	"\"owner\":\"" to "\",\"folder\":\"a\",\"from_owner\":\"" from "\",\"from_folder\":\"b\"}"
	guard(RENAME("alice", "bob"), 0);
	guard(RENAME("dover/alice", "dove"), 0);
	guard(RENAME("dove/alice", "bob"), -EINVAL);
	guard(RENAME("alice", "dove/"), -EINVAL);

	event_auto struct mail_event *event =
		parse(EVENT("Register") "\"device_token\":\"" HEX64 "\",\"account_id\":\"A-1\","
					"\"version\":2,\"subtopic\":\"a\",\"mailboxes\":[]}");
	struct err err;
	assert_int_equal(user_site_guard("dove", event, &err), 0);
	assert_int_equal(user_site_enter("dove", event, &err), 0);
	assert_int_equal(user_site_guard("dove", event, &err), -EINVAL);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(users_and_owners_of_an_event_get_their_names),
		cmocka_unit_test(a_folder_of_nobody_is_one_of_that_site),
		cmocka_unit_test(a_registration_and_its_places_get_their_names),
		cmocka_unit_test(an_event_of_the_plugin_for_xapsd_gets_them_too),
		cmocka_unit_test(without_a_site_nothing_changes),
		cmocka_unit_test(a_name_that_is_too_long_there_is_refused),
		cmocka_unit_test(a_reader_whose_name_is_too_long_there_is_left_out),
		cmocka_unit_test(
			a_mailbox_whose_owner_is_too_long_there_is_left_out_of_a_registration),
		cmocka_unit_test(nobody_else_can_name_its_users),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}

#include "event/dovecot_event.h"

#include "base/buf.h"
#include "base/mem.h"

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

#define TOPIC "com.apple.mail.XServer.00000000-0000-0000-0000-000000000000"
#define HEX64 "a1A1a1a1a1a1a1a1a1a1a1a1a1a1a1a1a1a1a1a1a1a1a1a1a1a1a1a1a1a1a1a1"
#define LOWER64 "a1a1a1a1a1a1a1a1a1a1a1a1a1a1a1a1a1a1a1a1a1a1a1a1a1a1a1a1a1a1a1a1"
#define GUID "0123456789ABCDEF0123456789abcdef"

#define EVENT(name) "{\"source\":\"dovecot\",\"event\":\"" name "\","
#define IN_NOTES "\"user\":\"alice\",\"owner\":\"alice\",\"folder\":\"Notes\""
#define REGISTER                                                                      \
	EVENT("Register")                                                             \
	"\"version\":2,\"account_id\":\"A-1\",\"subtopic\":\"com.apple.mobilemail\"," \
	"\"device_token\":\"" HEX64 "\","
#define INBOX_OF(user) "{\"name\":\"INBOX\",\"owner\":\"" user "\",\"folder\":\"\"}"

static const struct dovecot_sender for_all = {.topic = TOPIC};
static const struct dovecot_sender for_alice = {.speaker = "alice", .topic = TOPIC};

static struct mail_event *parse_as(const struct dovecot_sender *sender, const char *json)
{
	struct mail_event *event = NULL;
	struct err err = {0};
	int failed = dovecot_event_parse(json, strlen(json), sender, &event, &err);
	if (failed)
		print_message("%s\n", err.text);
	assert_int_equal(failed, 0);
	return event;
}

static struct mail_event *parse(const char *json)
{
	struct mail_event *event = parse_as(&for_all, json);
	assert_non_null(event);
	assert_int_equal(event->source, EVENT_OF_DOVECOT);
	return event;
}

static void refuse_as(
	const struct dovecot_sender *sender, const char *json, int code, const char *text)
{
	struct mail_event *event = NULL;
	struct err err = {0};
	assert_int_equal(dovecot_event_parse(json, strlen(json), sender, &event, &err), code);
	assert_null(event);
	assert_string_equal(err.text, text);
}

static void refuse(const char *json, int code, const char *text)
{
	refuse_as(&for_all, json, code, text);
}

static void new_mail_has_owner_folder_and_guid(void **state)
{
	(void)state;
	event_auto struct mail_event *event =
		parse(EVENT("MessageNew") "\"user\":\"Bob\",\"owner\":\"Alice\","
					  "\"folder\":\"Notes/Käse\",\"guid\":\"" GUID "\"}");
	assert_int_equal(event->kind, EVENT_MESSAGE_NEW);
	assert_int_equal(event->mbtype, 'e');
	assert_int_equal(event->readings, 1);
	assert_string_equal(event->at[0].owner, "alice");
	assert_string_equal(event->at[0].folder, "Notes/Käse");
	assert_int_equal(event->from_readings, 0);
	assert_string_equal(event->mailbox_id, "0123456789abcdef0123456789abcdef");
	assert_string_equal(event->user, "bob");
	assert_null(event->acl);
}

static void an_inbox_has_no_folder_and_a_folder_may_be_called_so(void **state)
{
	(void)state;
	event_auto struct mail_event *empty = parse(
		EVENT("MessageNew") "\"user\":\"alice\",\"owner\":\"alice\",\"folder\":\"\"}");
	assert_string_equal(empty->at[0].folder, "");
	assert_null(empty->mailbox_id);
	event_auto struct mail_event *named = parse(
		EVENT("MessageNew") "\"user\":\"alice\",\"owner\":\"alice\",\"folder\":\"Inbox\"}");
	assert_string_equal(named->at[0].folder, "Inbox");
	event_auto struct mail_event *public = parse(
		EVENT("MessageNew") "\"user\":\"alice\",\"owner\":\"\",\"folder\":\"Inbox\"}");
	assert_string_equal(public->at[0].owner, "");
	assert_string_equal(public->at[0].folder, "Inbox");
}

static void every_event_of_the_plugin_has_its_kind(void **state)
{
	(void)state;
	static const struct {
		const char *json;
		enum event_kind kind;
	} events[] = {
		{EVENT("MessageAppend") IN_NOTES "}", EVENT_MESSAGE_APPEND},
		{EVENT("MessageCopy") IN_NOTES "}", EVENT_MESSAGE_COPY},
		{EVENT("MessageMove") IN_NOTES "}", EVENT_MESSAGE_MOVE},
		{EVENT("MessageExpunge") IN_NOTES "}", EVENT_MESSAGE_EXPUNGE},
		{EVENT("MessageRead") IN_NOTES "}", EVENT_MESSAGE_READ},
		{EVENT("MessageTrash") IN_NOTES "}", EVENT_MESSAGE_TRASH},
		{EVENT("FlagsSet") IN_NOTES ",\"flags\":[]}", EVENT_FLAGS_SET},
		{EVENT("MailboxCreate") IN_NOTES "}", EVENT_MAILBOX_CREATE},
		{EVENT("MailboxDelete") IN_NOTES "}", EVENT_MAILBOX_DELETE},
		{EVENT("MailboxSubscribe") "\"user\":\"alice\"}", EVENT_OTHER},
		{EVENT("ApplePushService") "\"user\":\"alice\"}", EVENT_OTHER},
	};
	for (size_t i = 0; i < sizeof(events) / sizeof(events[0]); i++) {
		event_auto struct mail_event *event = parse(events[i].json);
		assert_int_equal(event->kind, events[i].kind);
	}
}

static void flags_that_are_cleared_may_be_seen(void **state)
{
	(void)state;
	event_auto struct mail_event *seen =
		parse(EVENT("FlagsClear") IN_NOTES ",\"flags\":[\"\\\\Flagged\",\"\\\\SEEN\"]}");
	assert_true(seen->clears_seen);
	event_auto struct mail_event *flagged =
		parse(EVENT("FlagsClear") IN_NOTES ",\"flags\":[\"\\\\Flagged\"]}");
	assert_false(flagged->clears_seen);
	event_auto struct mail_event *set =
		parse(EVENT("FlagsSet") IN_NOTES ",\"flags\":[\"\\\\Seen\"]}");
	assert_false(set->clears_seen);
	refuse(EVENT("FlagsClear") IN_NOTES "}", -EINVAL, "FlagsClear: flags is missing");
	refuse(EVENT("FlagsClear") IN_NOTES ",\"flags\":\"\\\\Seen\"}", -EINVAL,
		"FlagsClear: flags is not a list");
	refuse(EVENT("FlagsClear") IN_NOTES ",\"flags\":[1]}", -EINVAL,
		"FlagsClear: flags is not a list of strings");
}

static void a_rename_has_both_names(void **state)
{
	(void)state;
	event_auto struct mail_event *event = parse(EVENT("MailboxRename") IN_NOTES
		",\"from_owner\":\"alice\",\"from_folder\":\"Old/Notes\"}");
	assert_int_equal(event->from_readings, 1);
	assert_string_equal(event->from[0].owner, "alice");
	assert_string_equal(event->from[0].folder, "Old/Notes");
	refuse(EVENT("MailboxRename") IN_NOTES "}", -EINVAL,
		"MailboxRename: from_owner is missing");
}

static void readers_may_read_and_without_them_the_subscribed(void **state)
{
	(void)state;
	event_auto struct mail_event *named =
		parse(EVENT("MessageNew") IN_NOTES ",\"readers\":[\"Dora\",\"bob\",\"carol\"]}");
	assert_true(event_lets_read(named, NULL, "bob"));
	assert_true(event_lets_read(named, NULL, "dora"));
	assert_false(event_lets_read(named, NULL, "anyone"));
	assert_false(event_lets_read(named, NULL, "mallory"));
	event_auto struct mail_event *none = parse(EVENT("MessageNew") IN_NOTES ",\"readers\":[]}");
	assert_false(event_lets_read(none, NULL, "bob"));
	event_auto struct mail_event *unknown = parse(EVENT("MessageNew") IN_NOTES "}");
	assert_true(event_lets_read(unknown, NULL, "bob"));
	refuse(EVENT("MessageNew") IN_NOTES ",\"readers\":[\"a\\tb\"]}", -EINVAL,
		"MessageNew: readers is not a list of users: 'a\\x09b' (3 bytes)");
}

static void a_registration_has_its_mailboxes_and_what_they_mean(void **state)
{
	(void)state;
	event_auto struct mail_event *event =
		parse(REGISTER "\"user\":\"Alice\",\"mailboxes\":[" INBOX_OF(
			"Alice") ","
				 "{\"name\":\"Shared/bob/"
				 "K&AOQ-se\",\"owner\":\"bob\",\"folder\":\"Käse\","
				 "\"guid\":\"" GUID "\"}," INBOX_OF("alice") "]}");
	const struct event_registration *registration = &event->registration;
	assert_int_equal(event->kind, EVENT_APPLE_PUSH_SERVICE);
	assert_string_equal(registration->user, "alice");
	assert_string_equal(registration->token, LOWER64);
	assert_string_equal(registration->account_id, "A-1");
	assert_string_equal(registration->subtopic, "com.apple.mobilemail");
	assert_string_equal(registration->topic, TOPIC);
	assert_int_equal(registration->aps_version, 2);
	assert_int_equal(registration->mailbox_count, 2);
	assert_int_equal(registration->left_out, 0);
	assert_string_equal(registration->mailboxes[0], "INBOX");
	assert_string_equal(registration->places[0].owner, "alice");
	assert_string_equal(registration->places[0].folder, "");
	assert_string_equal(registration->mailboxes[1], "Shared/bob/K&AOQ-se");
	assert_string_equal(registration->places[1].owner, "bob");
	assert_string_equal(registration->places[1].folder, "Käse");
	event_auto struct mail_event *empty =
		parse(REGISTER "\"user\":\"alice\",\"mailboxes\":[]}");
	assert_int_equal(empty->registration.mailbox_count, 0);
}

static char *registration_of(unsigned count, unsigned inbox_at)
{
	buf_auto struct buf json;
	buf_init(&json);
	buf_append_text(&json, REGISTER "\"user\":\"alice\",\"mailboxes\":[");
	for (unsigned i = 0; i < count; i++) {
		mem_auto char *entry =
			mem_printf("%s{\"name\":\"F%u\",\"owner\":\"alice\",\"folder\":\"F%u\"}",
				i ? "," : "", i, i);
		if (i == inbox_at)
			buf_append_text(&json, i ? "," INBOX_OF("alice") : INBOX_OF("alice"));
		else
			buf_append_text(&json, entry);
	}
	buf_append_text(&json, "]}");
	return mem_dup(buf_text(&json));
}

static void the_first_and_inbox_of_too_many_mailboxes_count(void **state)
{
	(void)state;
	mem_auto char *json = registration_of(EVENT_MAILBOXES_MAX + 1, EVENT_MAILBOXES_MAX);
	event_auto struct mail_event *event = parse(json);
	const struct event_registration *registration = &event->registration;
	assert_int_equal(registration->mailbox_count, EVENT_MAILBOXES_MAX);
	assert_int_equal(registration->left_out, 1);
	assert_string_equal(registration->mailboxes[EVENT_MAILBOXES_MAX - 2], "F998");
	assert_string_equal(registration->mailboxes[EVENT_MAILBOXES_MAX - 1], "INBOX");
}

static void an_odd_mailbox_is_left_out_and_the_rest_registered(void **state)
{
	(void)state;
	char name[MAILBOX_NAME_MAX + 2];
	memset(name, 'n', sizeof(name) - 1);
	name[sizeof(name) - 1] = '\0';
	static const char *const odd[] = {
		"{\"name\":\"a\\u007fb\",\"owner\":\"alice\",\"folder\":\"x\"}",
		"{\"name\":\"\",\"owner\":\"alice\",\"folder\":\"x\"}",
		"{\"name\":\"%s\",\"owner\":\"alice\",\"folder\":\"x\"}",
		"{\"name\":\"x\",\"owner\":\"a\\nb\",\"folder\":\"x\"}",
		"{\"name\":\"x\",\"owner\":\"%.513s\",\"folder\":\"x\"}",
		"{\"name\":\"x\",\"owner\":\"alice\",\"folder\":\"a\\u007fb\"}",
		"{\"name\":\"x\",\"owner\":\"alice\",\"folder\":\"%s\"}",
		"{\"name\":\"x\",\"owner\":\"\",\"folder\":\"\"}",
	};
	for (size_t i = 0; i < sizeof(odd) / sizeof(odd[0]); i++) {
		mem_auto char *mailbox = mem_printf(odd[i], name);
		mem_auto char *json = mem_printf(REGISTER
			"\"user\":\"alice\",\"mailboxes\":[%s," INBOX_OF("alice") "]}",
			mailbox);
		event_auto struct mail_event *event = parse(json);
		assert_int_equal(event->registration.mailbox_count, 1);
		assert_int_equal(event->registration.left_out, 1);
		assert_string_equal(event->registration.mailboxes[0], "INBOX");
	}
}

static void a_registration_that_is_not_one_is_refused(void **state)
{
	(void)state;
	static const struct {
		const char *json;
		const char *text;
	} wrong[] = {
		{REGISTER "\"mailboxes\":[]}", "Register: user is missing"},
		{REGISTER "\"user\":\"\",\"mailboxes\":[]}",
			"Register: user is not a user: '' (0 bytes)"},
		{REGISTER "\"user\":\"alice\"}", "Register: mailboxes is missing"},
		{REGISTER "\"user\":\"alice\",\"mailboxes\":{}}",
			"Register: mailboxes is not a list"},
		{REGISTER "\"user\":\"alice\",\"mailboxes\":[\"INBOX\"]}",
			"Register: name is missing"},
		{REGISTER "\"user\":\"alice\",\"mailboxes\":[{\"name\":1,\"owner\":\"alice\","
			  "\"folder\":\"\"}]}",
			"Register: name is not a string"},
		{REGISTER "\"user\":\"alice\",\"mailboxes\":[{\"name\":\"x\",\"owner\":[],"
			  "\"folder\":\"\"}]}",
			"Register: owner is not a string"},
		{REGISTER "\"user\":\"alice\",\"mailboxes\":[{\"name\":\"x\",\"owner\":\"a\"}]}",
			"Register: folder is missing"},
		{EVENT("Register") "\"user\":\"alice\",\"version\":2,\"account_id\":\"a_1\","
				   "\"subtopic\":\"x\",\"device_token\":\"" HEX64
				   "\",\"mailboxes\":[]}",
			"Register: account_id is not 1 to 64 of A-Z a-z 0-9 -: 'a_1' (3 bytes)"},
		{EVENT("Register") "\"user\":\"alice\",\"version\":2,\"account_id\":\"a\","
				   "\"subtopic\":\"x\",\"device_token\":\"xyz\",\"mailboxes\":[]}",
			"Register: device_token is not 64 to 200 hex digits: 'xyz' (3 bytes)"},
		{EVENT("Register") "\"user\":\"alice\",\"account_id\":\"a\",\"subtopic\":\"x\","
				   "\"device_token\":\"" HEX64 "\",\"mailboxes\":[]}",
			"Register: version is missing"},
	};
	for (size_t i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++)
		refuse(wrong[i].json, -EINVAL, wrong[i].text);
}

static void the_topic_is_asked_for(void **state)
{
	(void)state;
	assert_null(parse_as(&for_all, EVENT("Topic") "\"user\":\"alice\"}"));
	refuse(EVENT("Topic") "\"x\":1}", -EINVAL, "Topic: user is missing");
}

static void without_a_topic_nobody_registers(void **state)
{
	(void)state;
	static const struct dovecot_sender sender = {.topic = ""};
	static const char text[] = "there is no credential in force, and so no topic for phones";
	refuse_as(&sender, EVENT("Topic") "\"user\":\"alice\"}", -ENOENT, text);
	refuse_as(&sender, REGISTER "\"user\":\"alice\",\"mailboxes\":[]}", -ENOENT, text);
	event_free(parse_as(&sender, EVENT("MessageNew") IN_NOTES "}"));
}

static void what_is_kept_is_no_registration(void **state)
{
	(void)state;
	static const struct dovecot_sender sender = {.topic = NULL};
	refuse_as(&sender, EVENT("Topic") "\"user\":\"alice\"}", -EINVAL,
		"Topic: cannot be kept for later");
	refuse_as(&sender, REGISTER "\"user\":\"alice\",\"mailboxes\":[]}", -EINVAL,
		"Register: cannot be kept for later");
	event_free(parse_as(&sender, EVENT("MessageNew") IN_NOTES "}"));
}

static void a_user_speaks_for_himself_alone(void **state)
{
	(void)state;
	event_free(parse_as(&for_alice, EVENT("MessageNew") IN_NOTES "}"));
	static const struct {
		const char *json;
		const char *text;
	} refused[] = {
		{EVENT("Topic") "\"user\":\"bob\"}", "not allowed for this user (Topic: user)"},
		{EVENT("MessageNew") "\"user\":\"bob\",\"owner\":\"alice\",\"folder\":\"\"}",
			"not allowed for this user (MessageNew: user)"},
		{EVENT("MessageNew") "\"user\":\"alice\",\"owner\":\"bob\",\"folder\":\"\"}",
			"not allowed for this user (MessageNew: owner)"},
		{EVENT("MailboxDelete") "\"user\":\"alice\",\"owner\":\"\",\"folder\":\"x\"}",
			"not allowed for this user (MailboxDelete: owner)"},
		{EVENT("MailboxRename") IN_NOTES ",\"from_owner\":\"bob\",\"from_folder\":\"\"}",
			"not allowed for this user (MailboxRename: from_owner)"},
		{REGISTER "\"user\":\"bob\",\"mailboxes\":[]}",
			"not allowed for this user (Register: user)"},
		{EVENT("Other") "\"user\":\"bob\"}", "not allowed for this user (event: user)"},
	};
	for (size_t i = 0; i < sizeof(refused) / sizeof(refused[0]); i++)
		refuse_as(&for_alice, refused[i].json, -EPERM, refused[i].text);
}

static void mailboxes_of_others_do_not_count_in_a_users_own_registration(void **state)
{
	(void)state;
	event_auto struct mail_event *event = parse_as(&for_alice,
		REGISTER "\"user\":\"alice\",\"mailboxes\":[" INBOX_OF(
			"bob") ",{\"name\":\"Public/x\",\"owner\":\"\",\"folder\":\"x\"},"
			       "{\"name\":\"Notes\",\"owner\":\"alice\",\"folder\":\"Notes\"}]}");
	assert_int_equal(event->registration.mailbox_count, 1);
	assert_int_equal(event->registration.left_out, 2);
	assert_string_equal(event->registration.mailboxes[0], "Notes");
}

static void assert_answer(const struct dovecot_sender *sender, const char *answer)
{
	const char *json =
		REGISTER "\"user\":\"alice\",\"mailboxes\":[" INBOX_OF("alice") "," INBOX_OF(
			"bob") ",{\"name\":\"x\",\"owner\":\"alice\","
			       "\"folder\":\"\\u007f\"},{\"name\":\"y\",\"owner\":\"bob\","
			       "\"folder\":\"\"}]}";
	event_auto struct mail_event *event = parse_as(sender, json);
	assert_string_equal(event_registration_answer(&event->registration), answer);
	assert_string_equal(event->registration.topic, TOPIC);
}

static void the_answer_says_whether_only_ones_own_mailboxes_count(void **state)
{
	(void)state;
	assert_answer(&for_alice, TOPIC " own");
	assert_answer(&for_all, TOPIC);
}

static void a_system_user_with_capitals_speaks_for_nobody(void **state)
{
	(void)state;
	static const struct dovecot_sender sender = {.speaker = "Alice", .topic = TOPIC};
	refuse_as(&sender, EVENT("Topic") "\"user\":\"Alice\"}", -EPERM,
		"not allowed for this user (Topic: user)");
	refuse_as(&sender, EVENT("Topic") "\"user\":\"alice\"}", -EPERM,
		"not allowed for this user (Topic: user)");
}

static void malformed_requests_are_refused(void **state)
{
	(void)state;
	static const struct {
		const char *json;
		const char *text;
	} wrong[] = {
		{"", "not JSON at byte 0"},
		{"[]", "request: source is missing"},
		{"{\"event\":\"MessageNew\"}", "request: source is missing"},
		{"{\"source\":\"cyrus\",\"event\":\"MessageNew\"}",
			"request: source is not dovecot: 'cyrus' (5 bytes)"},
		{"{\"source\":\"dovecot\"}", "request: event is missing"},
		{"{\"source\":\"dovecot\",\"event\":1}", "request: event is not a string"},
		{EVENT("MessageNew") "\"user\":\"alice\",\"owner\":\"alice\"}",
			"MessageNew: folder is missing"},
		{EVENT("MessageNew") "\"user\":\"alice\",\"owner\":\"\",\"folder\":\"\"}",
			"MessageNew: owner and folder are both empty"},
		{EVENT("MessageNew") "\"user\":\"alice\",\"owner\":\"a\\n\",\"folder\":\"\"}",
			"MessageNew: owner is not a user, or empty: 'a\\x0a' (2 bytes)"},
		{EVENT("MessageNew") "\"user\":\"alice\",\"owner\":\"alice\",\"folder\":"
				     "\"\\u0007\"}",
			"MessageNew: folder is not a folder, or empty: '\\x07' (1 bytes)"},
		{EVENT("MessageNew") IN_NOTES ",\"guid\":\"xyz\"}",
			"MessageNew: guid is not 32 hex digits: 'xyz' (3 bytes)"},
		{EVENT("MessageNew") IN_NOTES ",\"owner\":\"bob\"}", "not JSON at byte 96"},
	};
	for (size_t i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++)
		refuse(wrong[i].json, -EINVAL, wrong[i].text);
}

static char *event_of_size(size_t size)
{
	static const char end[] = "\"}";
	static const char head[] = EVENT("MessageNew") IN_NOTES ",\"more\":\"";
	char *json = mem_alloc(size + 1);
	memset(json, 'x', size);
	memcpy(json, head, strlen(head));
	memcpy(json + size - 2, end, sizeof(end));
	return json;
}

static void sizes_are_bounded(void **state)
{
	(void)state;
	mem_auto char *fits = event_of_size(DOVECOT_EVENT_MAX);
	event_free(parse(fits));
	mem_auto char *large = event_of_size(DOVECOT_EVENT_MAX + 1);
	refuse(large, -EMSGSIZE, "an event of 65537 bytes, at most 65536 are allowed");
	mem_auto char *huge = event_of_size(DOVECOT_REGISTRATION_MAX + 1);
	refuse(huge, -EMSGSIZE, "a request of 262145 bytes, at most 262144 are allowed");
	char name[MAILBOX_NAME_MAX + 2];
	memset(name, 'n', sizeof(name) - 1);
	name[sizeof(name) - 1] = '\0';
	mem_auto char *folder = mem_printf(
		EVENT("MessageNew") "\"user\":\"a\",\"owner\":\"a\",\"folder\":\"%s\"}", name);
	refuse(folder, -EMSGSIZE, "MessageNew: folder has 1025 bytes, at most 1024 are allowed");
	mem_auto char *user = mem_printf(EVENT("Topic") "\"user\":\"%.513s\"}", name);
	refuse(user, -EMSGSIZE, "Topic: user has 513 bytes, at most 512 are allowed");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(new_mail_has_owner_folder_and_guid),
		cmocka_unit_test(an_inbox_has_no_folder_and_a_folder_may_be_called_so),
		cmocka_unit_test(every_event_of_the_plugin_has_its_kind),
		cmocka_unit_test(flags_that_are_cleared_may_be_seen),
		cmocka_unit_test(a_rename_has_both_names),
		cmocka_unit_test(readers_may_read_and_without_them_the_subscribed),
		cmocka_unit_test(a_registration_has_its_mailboxes_and_what_they_mean),
		cmocka_unit_test(the_first_and_inbox_of_too_many_mailboxes_count),
		cmocka_unit_test(an_odd_mailbox_is_left_out_and_the_rest_registered),
		cmocka_unit_test(a_registration_that_is_not_one_is_refused),
		cmocka_unit_test(the_topic_is_asked_for),
		cmocka_unit_test(without_a_topic_nobody_registers),
		cmocka_unit_test(what_is_kept_is_no_registration),
		cmocka_unit_test(a_user_speaks_for_himself_alone),
		cmocka_unit_test(mailboxes_of_others_do_not_count_in_a_users_own_registration),
		cmocka_unit_test(the_answer_says_whether_only_ones_own_mailboxes_count),
		cmocka_unit_test(a_system_user_with_capitals_speaks_for_nobody),
		cmocka_unit_test(malformed_requests_are_refused),
		cmocka_unit_test(sizes_are_bounded),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}

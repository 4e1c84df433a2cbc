#include "event/event.h"

#include "base/mem.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <errno.h>
#include <jansson.h>
#include <stdio.h>
#include <string.h>

MEM_DEFINE_CLEANUP(event_cleanup, struct mail_event, event_free)
#define event_auto __attribute__((cleanup(event_cleanup)))

static const struct mailbox_namespace names = {
	.altnamespace = true,
	.unixhierarchysep = true,
	.virtdomains = true,
	.defaultdomain = "example.com",
	.userprefix = "Other Users",
	.sharedprefix = "Shared Folders",
};

static struct mail_event *parse(const char *json)
{
	struct mail_event *event = NULL;
	struct err err = {0};
	int r = event_parse(&names, json, strlen(json), &event, &err);
	if (r < 0)
		print_message("%s\n", err.text);
	assert_int_equal(r, 0);
	return event;
}

static void assert_refused(const char *json, int code, const char *text)
{
	struct mail_event *event = NULL;
	struct err err = {0};
	assert_int_equal(event_parse(&names, json, strlen(json), &event, &err), code);
	assert_null(event);
	assert_string_equal(err.text, text);
}

#define URI "\"uri\":\"imap://mail.example.com/user/alice/Notes;UIDVALIDITY=1/;UID=1\""
#define HEX64 "a1A1a1a1a1a1a1a1a1a1a1a1a1a1a1a1a1a1a1a1a1a1a1a1a1a1a1a1a1a1a1a1"

static void new_mail_has_owner_folder_and_acl(void **state)
{
	(void)state;
	event_auto struct mail_event *event = parse(
		"{\"event\":\"MessageNew\",\"timestamp\":\"x\"," URI
		",\"pid\":17074,\"user\":\"bob\","
		"\"vnd.cmu.mbtype\":\"e\",\"vnd.cmu.mailboxACL\":\"alice\\tlrs\\tanyone\\tp\\t\"}");
	assert_int_equal(event->kind, EVENT_MESSAGE_NEW);
	assert_int_equal(event->mbtype, 'e');
	assert_int_equal(event->readings, 1);
	assert_string_equal(event->at[0].owner, "alice");
	assert_string_equal(event->at[0].folder, "Notes");
	assert_int_equal(event->from_readings, 0);
	assert_string_equal(event->acl, "alice\tlrs\tanyone\tp\t");
	assert_string_equal(event->user, "bob");
}

static void an_event_may_name_the_id_of_its_mailbox(void **state)
{
	(void)state;
	event_auto struct mail_event *named =
		parse("{\"event\":\"MessageNew\"," URI ",\"mailboxID\":\"q3nny6bz5j0q\"}");
	assert_string_equal(named->mailbox_id, "q3nny6bz5j0q");
	event_auto struct mail_event *nameless = parse("{\"event\":\"MessageNew\"," URI "}");
	assert_null(nameless->mailbox_id);
	event_auto struct mail_event *empty =
		parse("{\"event\":\"MessageNew\"," URI ",\"mailboxID\":\"\"}");
	assert_null(empty->mailbox_id);
	char json[512];
	snprintf(json, sizeof(json), "{\"event\":\"MessageNew\"," URI ",\"mailboxID\":\"%0*d\"}",
		EVENT_MAILBOX_ID_MAX + 1, 7);
	event_auto struct mail_event *too_long = parse(json);
	assert_null(too_long->mailbox_id);
	assert_refused("{\"event\":\"MessageNew\"," URI ",\"mailboxID\":7}", -EINVAL,
		"MessageNew: mailboxID is not a string");
}

static void events_have_a_kind_with_and_without_the_vendors_prefix(void **state)
{
	(void)state;
	for (enum event_kind kind = EVENT_OTHER + 1; kind < EVENT_KINDS; kind++) {
		if (kind == EVENT_APPLE_PUSH_SERVICE)
			continue;
		static const char *const prefixes[] = {"", "vnd.cmu."};
		for (size_t i = 0; i < 2; i++) {
			char json[512];
			snprintf(json, sizeof(json),
				"{\"event\":\"%s%s\"," URI ",\"flagNames\":\"\","
				"\"oldMailboxID\":\"imap://h/user/bob\"}",
				prefixes[i], event_kind_name(kind));
			event_auto struct mail_event *event = parse(json);
			assert_int_equal(event->kind, kind);
		}
	}
}

static void events_that_we_do_not_know_need_no_more_than_a_name(void **state)
{
	(void)state;
	static const char *const jsons[] = {
		"{\"event\":\"Login\",\"uri\":7}",
		"{\"event\":\"ApplePushServiceDAV\",\"user\":[]}",
		"{\"event\":\"MailboxModseq\",\"uri\":7}",
		"{\"pid\":1,\"event\":\"MailboxModseq\"}",
	};
	static const enum event_kind kinds[] = {EVENT_OTHER, EVENT_APPLE_PUSH_SERVICE_DAV,
		EVENT_MAILBOX_MODSEQ, EVENT_MAILBOX_MODSEQ};
	for (size_t i = 0; i < 4; i++) {
		event_auto struct mail_event *event = parse(jsons[i]);
		assert_int_equal(event->kind, kinds[i]);
		assert_int_equal(event->readings, 0);
		assert_string_equal(event->user, "");
		assert_null(event->acl);
	}
	assert_string_equal(event_kind_name(EVENT_OTHER), "other");
}

static void modseq_is_dropped_before_it_is_parsed(void **state)
{
	(void)state;
	event_auto struct mail_event *event = parse("{\"event\":\"MailboxModseq\",not JSON");
	assert_int_equal(event->kind, EVENT_MAILBOX_MODSEQ);
}

static void an_event_of_another_name_that_begins_alike_is_not_dropped(void **state)
{
	(void)state;
	assert_refused("{\"event\":\"MailboxModseqs\",not JSON", -EINVAL,
		"not JSON at byte 29: string or '}' expected near 'not'");
}

static void a_rename_tells_the_old_name(void **state)
{
	(void)state;
	event_auto struct mail_event *event =
		parse("{\"event\":\"MailboxRename\"," URI
		      ",\"oldMailboxID\":\"imap://h/user/alice/Old%40x;UIDVALIDITY=1\"}");
	assert_int_equal(event->readings, 1);
	assert_string_equal(event->at[0].folder, "Notes");
	assert_int_equal(event->from_readings, 2);
	assert_string_equal(event->from[0].owner, "alice@x");
	assert_string_equal(event->from[0].folder, "Old");
	assert_string_equal(event->from[1].owner, "alice");
	assert_string_equal(event->from[1].folder, "Old@x");
	assert_refused("{\"event\":\"MailboxRename\"," URI "}", -EINVAL,
		"MailboxRename: the key oldMailboxID is missing");
}

static void the_source_of_a_move_is_not_a_rename(void **state)
{
	(void)state;
	event_auto struct mail_event *event = parse("{\"event\":\"vnd.cmu.MessageMove\"," URI
						    ",\"oldMailboxID\":\"imap://h/user/alice\"}");
	assert_int_equal(event->from_readings, 0);
}

static void seen_among_the_cleared_flags_is_noticed(void **state)
{
	(void)state;
	const struct {
		const char *flags;
		bool clears_seen;
	} rows[] = {
		{"\\\\Seen", true},
		{"\\\\Deleted \\\\Flagged \\\\Seen $Foo", true},
		{"\\\\seen", true},
		{"\\\\Deleted", false},
		{"", false},
		{"\\\\SeenX X\\\\Seen Seen", false},
	};
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		char json[512];
		snprintf(json, sizeof(json),
			"{\"event\":\"FlagsClear\"," URI ",\"flagNames\":\"%s\"}", rows[i].flags);
		event_auto struct mail_event *event = parse(json);
		assert_int_equal(event->clears_seen, rows[i].clears_seen);
	}
	event_auto struct mail_event *set =
		parse("{\"event\":\"FlagsSet\"," URI ",\"flagNames\":\"\\\\Seen\"}");
	assert_false(set->clears_seen);
}

static void the_type_of_a_mailbox_is_mail_unless_said(void **state)
{
	(void)state;
	event_auto struct mail_event *absent = parse("{\"event\":\"MessageNew\"," URI "}");
	assert_int_equal(absent->mbtype, 'e');
	event_auto struct mail_event *empty =
		parse("{\"event\":\"MessageNew\"," URI ",\"vnd.cmu.mbtype\":\"\"}");
	assert_int_equal(empty->mbtype, 'e');
	event_auto struct mail_event *calendar =
		parse("{\"event\":\"MessageNew\"," URI ",\"vnd.cmu.mbtype\":\"c\"}");
	assert_int_equal(calendar->mbtype, 'c');
}

static void a_uri_that_names_no_mailbox_is_no_error(void **state)
{
	(void)state;
	event_auto struct mail_event *event =
		parse("{\"event\":\"MessageNew\",\"uri\":\"imap://h/user;UIDVALIDITY=1\"}");
	assert_int_equal(event->kind, EVENT_MESSAGE_NEW);
	assert_int_equal(event->readings, 0);
}

static void an_event_without_its_uri_is_refused(void **state)
{
	(void)state;
	assert_refused("{\"event\":\"MessageNew\"}", -EINVAL, "MessageNew: the key uri is missing");
	assert_refused(
		"{\"event\":\"MessageNew\",\"uri\":7}", -EINVAL, "MessageNew: uri is not a string");
}

static void what_is_beyond_a_bound_is_refused_or_counts_as_absent(void **state)
{
	(void)state;
	static char json[EVENT_ACL_MAX + 4096];
	snprintf(json, sizeof(json), "{\"event\":\"MessageNew\",\"uri\":\"%0*d\"}",
		EVENT_URI_MAX + 1, 0);
	assert_refused(json, -EMSGSIZE, "MessageNew: uri has 8193 bytes, at most 8192 are allowed");

	snprintf(json, sizeof(json),
		"{\"event\":\"MessageNew\"," URI ",\"vnd.cmu.mailboxACL\":\"%0*d\"}",
		EVENT_ACL_MAX + 1, 0);
	event_auto struct mail_event *acl = parse(json);
	assert_null(acl->acl);
	assert_int_equal(acl->readings, 1);

	snprintf(json, sizeof(json), "{\"event\":\"MessageNew\"," URI ",\"user\":\"%0*d\"}",
		MAILBOX_USER_MAX + 1, 0);
	event_auto struct mail_event *user = parse(json);
	assert_string_equal(user->user, "");
}

static void what_is_no_json_object_is_refused(void **state)
{
	(void)state;
	assert_refused("", -EINVAL, "not JSON at byte 0: '[' or '{' expected near end of file");
	assert_refused("[]", -EINVAL, "an event without a name: not a JSON object");
	assert_refused("{}", -EINVAL,
		"an event without a name: the key 'event' is missing or not a string");
	assert_refused("{\"event\":7}", -EINVAL,
		"an event without a name: the key 'event' is missing or not a string");
	assert_refused("{} {}", -EINVAL, "not JSON at byte 4: end of file expected near '{'");
	assert_refused("{\"event\":\"a\\u0000b\"}", -EINVAL,
		"not JSON at byte 19: \\u0000 is not allowed without JSON_ALLOW_NUL "
		"near '\"a\\u0000b\"'");
}

static void bytes_that_are_not_utf8_are_refused(void **state)
{
	(void)state;
	struct mail_event *event = NULL;
	struct err err;
	const char *json = "{\"event\":\"MessageNew\xff\"}";
	assert_int_equal(event_parse(&names, json, strlen(json), &event, &err), -EINVAL);
	for (const char *c = err.text; *c; c++)
		assert_true(*c >= 0x20 && *c < 0x7f);
}

static void json_of_any_depth_is_refused_without_harm(void **state)
{
	(void)state;
	static char json[EVENT_JSON_MAX];
	struct mail_event *event = NULL;
	struct err err;
	memset(json, '[', sizeof(json));
	assert_int_equal(event_parse(&names, json, sizeof(json), &event, &err), -EINVAL);
	assert_non_null(strstr(err.text, "maximum parsing depth reached"));
	for (size_t i = 0; i + 5 <= sizeof(json); i += 5)
		memcpy(json + i, "{\"a\":", 5);
	assert_int_equal(event_parse(&names, json, sizeof(json), &event, &err), -EINVAL);
	assert_non_null(strstr(err.text, "maximum parsing depth reached"));
}

static void an_event_of_more_than_a_mebibyte_is_refused(void **state)
{
	(void)state;
	static char json[EVENT_JSON_MAX + 1];
	struct mail_event *event = NULL;
	struct err err;
	memset(json, ' ', sizeof(json));
	assert_int_equal(event_parse(&names, json, sizeof(json), &event, &err), -EMSGSIZE);
}

#define USER "\"user\":\"alice\""
#define VERSION "\"apsVersion\":2"
#define ACCOUNT "\"apsAccountId\":\"0715A26B-CA09-4730-A419-793000CA982E\""
#define TOKEN "\"apsDeviceToken\":\"" HEX64 "\""
#define SUBTOPIC "\"apsSubtopic\":\"com.apple.mobilemail\""
#define MAILBOXES "\"mailboxes\":[\"INBOX\"]"
#define REGISTRATION(user, version, account, token, subtopic, mailboxes)                       \
	"{\"event\":\"ApplePushService\"," user "," version "," account "," token "," subtopic \
	"," mailboxes "}"

static void a_registration_is_taken_apart(void **state)
{
	(void)state;
	event_auto struct mail_event *event = parse(REGISTRATION(USER, VERSION, ACCOUNT, TOKEN,
		SUBTOPIC, "\"mailboxes\":[\"INBOX\",\"Entw&APw-rfe\"]"));
	const struct event_registration *registration = &event->registration;
	assert_int_equal(event->kind, EVENT_APPLE_PUSH_SERVICE);
	assert_int_equal(event->readings, 0);
	assert_string_equal(event->user, "alice");
	assert_string_equal(registration->user, "alice");
	assert_string_equal(registration->account_id, "0715A26B-CA09-4730-A419-793000CA982E");
	assert_string_equal(registration->subtopic, "com.apple.mobilemail");
	assert_int_equal(registration->aps_version, 2);
	assert_int_equal(registration->mailbox_count, 2);
	assert_string_equal(registration->mailboxes[0], "INBOX");
	assert_string_equal(registration->mailboxes[1], "Entw&APw-rfe");
}

static void a_token_is_lower_cased(void **state)
{
	(void)state;
	event_auto struct mail_event *event =
		parse(REGISTRATION(USER, VERSION, ACCOUNT, TOKEN, SUBTOPIC, MAILBOXES));
	assert_int_equal(strlen(event->registration.token), 64);
	for (const char *c = event->registration.token; *c; c += 2)
		assert_memory_equal(c, "a1", 2);
}

static void users_of_the_default_domain_register_without_it(void **state)
{
	(void)state;
	event_auto struct mail_event *local = parse(REGISTRATION(
		"\"user\":\"Alice@Example.com\"", VERSION, ACCOUNT, TOKEN, SUBTOPIC, MAILBOXES));
	assert_string_equal(local->registration.user, "alice");
	event_auto struct mail_event *foreign = parse(REGISTRATION(
		"\"user\":\"carol@example.org\"", VERSION, ACCOUNT, TOKEN, SUBTOPIC, MAILBOXES));
	assert_string_equal(foreign->registration.user, "carol@example.org");
}

static void exact_duplicates_are_left_out_other_spellings_are_kept(void **state)
{
	(void)state;
	event_auto struct mail_event *event = parse(REGISTRATION(USER, VERSION, ACCOUNT, TOKEN,
		SUBTOPIC, "\"mailboxes\":[\"INBOX\",\"inbox\",\"Notes\",\"INBOX\",\"Notes\"]"));
	assert_int_equal(event->registration.mailbox_count, 3);
	assert_string_equal(event->registration.mailboxes[0], "INBOX");
	assert_string_equal(event->registration.mailboxes[1], "inbox");
	assert_string_equal(event->registration.mailboxes[2], "Notes");
}

static void an_empty_list_is_fine(void **state)
{
	(void)state;
	event_auto struct mail_event *event =
		parse(REGISTRATION(USER, VERSION, ACCOUNT, TOKEN, SUBTOPIC, "\"mailboxes\":[]"));
	assert_int_equal(event->registration.mailbox_count, 0);
}

static void any_version_but_1_is_2(void **state)
{
	(void)state;
	const struct {
		const char *version;
		int expected;
	} rows[] = {{"1", 1}, {"2", 2}, {"0", 2}, {"3", 2}, {"-1", 2}};
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		char json[1024];
		snprintf(json, sizeof(json),
			REGISTRATION(
				USER, "\"apsVersion\":%s", ACCOUNT, TOKEN, SUBTOPIC, MAILBOXES),
			rows[i].version);
		event_auto struct mail_event *event = parse(json);
		assert_int_equal(event->registration.aps_version, rows[i].expected);
	}
	event_auto struct mail_event *absent =
		parse(REGISTRATION(USER, "\"x\":0", ACCOUNT, TOKEN, SUBTOPIC, MAILBOXES));
	assert_int_equal(absent->registration.aps_version, 2);
}

static void a_registration_with_a_key_missing_is_refused(void **state)
{
	(void)state;
	assert_refused(REGISTRATION("\"x\":0", VERSION, ACCOUNT, TOKEN, SUBTOPIC, MAILBOXES),
		-EINVAL, "ApplePushService: the key user is missing");
	assert_refused(REGISTRATION(USER, VERSION, "\"x\":0", TOKEN, SUBTOPIC, MAILBOXES), -EINVAL,
		"ApplePushService: the key apsAccountId is missing");
	assert_refused(REGISTRATION(USER, VERSION, ACCOUNT, "\"x\":0", SUBTOPIC, MAILBOXES),
		-EINVAL, "ApplePushService: the key apsDeviceToken is missing");
	assert_refused(REGISTRATION(USER, VERSION, ACCOUNT, TOKEN, "\"x\":0", MAILBOXES), -EINVAL,
		"ApplePushService: the key apsSubtopic is missing");
	assert_refused(REGISTRATION(USER, VERSION, ACCOUNT, TOKEN, SUBTOPIC, "\"x\":0"), -EINVAL,
		"ApplePushService: mailboxes is missing");
}

static void a_registration_with_a_key_of_another_type_is_refused(void **state)
{
	(void)state;
	assert_refused(REGISTRATION("\"user\":7", VERSION, ACCOUNT, TOKEN, SUBTOPIC, MAILBOXES),
		-EINVAL, "ApplePushService: user is not a string");
	assert_refused(
		REGISTRATION(USER, "\"apsVersion\":\"2\"", ACCOUNT, TOKEN, SUBTOPIC, MAILBOXES),
		-EINVAL, "ApplePushService: apsVersion is not a number");
	assert_refused(
		REGISTRATION(USER, VERSION, ACCOUNT, TOKEN, SUBTOPIC, "\"mailboxes\":\"INBOX\""),
		-EINVAL, "ApplePushService: mailboxes is not a list");
	assert_refused(REGISTRATION(USER, VERSION, ACCOUNT, TOKEN, SUBTOPIC,
			       "\"mailboxes\":[\"INBOX\",null]"),
		-EINVAL,
		"ApplePushService: mailboxes is not a list of mailbox names: '' (0 bytes)");
}

static void assert_token(const char *token, bool is_fine)
{
	char json[16384];
	snprintf(json, sizeof(json),
		REGISTRATION(
			USER, VERSION, ACCOUNT, "\"apsDeviceToken\":\"%s\"", SUBTOPIC, MAILBOXES),
		token);
	struct mail_event *event = NULL;
	struct err err = {0};
	int r = event_parse(&names, json, strlen(json), &event, &err);
	assert_int_equal(r, is_fine ? 0 : -EINVAL);
	if (!is_fine)
		assert_non_null(strstr(err.text, "apsDeviceToken is not 64 to 200 hex digits"));
	event_free(event);
}

static void a_token_has_64_to_200_hex_digits(void **state)
{
	(void)state;
	char token[10241];
	memset(token, 'b', sizeof(token));
	const struct {
		size_t size;
		bool is_fine;
	} rows[] = {{0, false}, {63, false}, {64, true}, {200, true}, {201, false}, {10240, false}};
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		token[rows[i].size] = '\0';
		assert_token(token, rows[i].is_fine);
		token[rows[i].size] = 'b';
	}
	token[64] = '\0';
	token[10] = 'g';
	assert_token(token, false);
	token[10] = ' ';
	assert_token(token, false);
}

static void assert_account_id(const char *id, bool is_fine)
{
	char json[2048];
	snprintf(json, sizeof(json),
		REGISTRATION(USER, VERSION, "\"apsAccountId\":\"%s\"", TOKEN, SUBTOPIC, MAILBOXES),
		id);
	struct mail_event *event = NULL;
	struct err err = {0};
	assert_int_equal(
		event_parse(&names, json, strlen(json), &event, &err), is_fine ? 0 : -EINVAL);
	event_free(event);
}

static void an_account_id_has_letters_digits_and_hyphens(void **state)
{
	(void)state;
	char id[66];
	memset(id, 'X', sizeof(id));
	id[64] = '\0';
	assert_account_id(id, true);
	id[64] = 'X';
	id[65] = '\0';
	assert_account_id(id, false);
	assert_account_id("X", true);
	assert_account_id("", false);
	assert_account_id("a\\\"b", false);
	assert_account_id("../../etc", false);
	assert_account_id("caf\u00e9", false);
	assert_account_id("a\\u0001", false);
}

static void what_is_quoted_in_an_error_is_short_and_escaped(void **state)
{
	(void)state;
	assert_refused(REGISTRATION(USER, VERSION, "\"apsAccountId\":\"a\\n'\u00e9cdefgh\"", TOKEN,
			       SUBTOPIC, MAILBOXES),
		-EINVAL,
		"ApplePushService: apsAccountId is not 1 to 64 of A-Z a-z 0-9 -: "
		"'a\\x0a\\x27\\xc3\\xa9cde...' (11 bytes)");
}

static void users_and_subtopics_are_validated(void **state)
{
	(void)state;
	assert_refused(REGISTRATION("\"user\":\"\"", VERSION, ACCOUNT, TOKEN, SUBTOPIC, MAILBOXES),
		-EINVAL, "ApplePushService: user is not a user: '' (0 bytes)");
	assert_refused(
		REGISTRATION("\"user\":\"al\\nice\"", VERSION, ACCOUNT, TOKEN, SUBTOPIC, MAILBOXES),
		-EINVAL, "ApplePushService: user is not a user: 'al\\x0aice' (6 bytes)");
	assert_refused(
		REGISTRATION(USER, VERSION, ACCOUNT, TOKEN, "\"apsSubtopic\":\"\"", MAILBOXES),
		-EINVAL, "ApplePushService: apsSubtopic is not a topic's name: '' (0 bytes)");
	assert_refused(
		REGISTRATION(USER, VERSION, ACCOUNT, TOKEN, "\"apsSubtopic\":\"a b\"", MAILBOXES),
		-EINVAL, "ApplePushService: apsSubtopic is not a topic's name: 'a b' (3 bytes)");
	char json[2048];
	snprintf(json, sizeof(json),
		REGISTRATION("\"user\":\"%0*d\"", VERSION, ACCOUNT, TOKEN, SUBTOPIC, MAILBOXES),
		MAILBOX_USER_MAX + 1, 0);
	assert_refused(
		json, -EMSGSIZE, "ApplePushService: user has 513 bytes, at most 512 are allowed");
	snprintf(json, sizeof(json),
		REGISTRATION(USER, VERSION, ACCOUNT, TOKEN, "\"apsSubtopic\":\"%0*d\"", MAILBOXES),
		EVENT_SUBTOPIC_MAX + 1, 0);
	assert_refused(json, -EMSGSIZE,
		"ApplePushService: apsSubtopic has 129 bytes, at most 128 are allowed");
}

static void mailbox_names_are_bounded(void **state)
{
	(void)state;
	char json[4096];
	snprintf(json, sizeof(json),
		REGISTRATION(USER, VERSION, ACCOUNT, TOKEN, SUBTOPIC, "\"mailboxes\":[\"%0*d\"]"),
		MAILBOX_NAME_MAX, 0);
	event_auto struct mail_event *longest = parse(json);
	assert_int_equal(strlen(longest->registration.mailboxes[0]), MAILBOX_NAME_MAX);
	snprintf(json, sizeof(json),
		REGISTRATION(USER, VERSION, ACCOUNT, TOKEN, SUBTOPIC,
			"\"mailboxes\":[\"%0*d\",\"INBOX\",\"%0*d\",\"Notes\"]"),
		MAILBOX_NAME_MAX + 1, 0, MAILBOX_NAME_MAX + 1, 0);
	event_auto struct mail_event *event = parse(json);
	assert_int_equal(event->registration.mailbox_count, 2);
	assert_int_equal(event->registration.left_out, 2);
	assert_string_equal(event->registration.mailboxes[0], "INBOX");
	assert_string_equal(event->registration.mailboxes[1], "Notes");
	assert_refused(
		REGISTRATION(USER, VERSION, ACCOUNT, TOKEN, SUBTOPIC, "\"mailboxes\":[\"\"]"),
		-EINVAL,
		"ApplePushService: mailboxes is not a list of mailbox names: '' (0 bytes)");
}

/*
 * A registration for f0, f1 and so on; INBOX stands at its place `inbox` if that is not negative.
 */
static struct mail_event *parse_many(int count, int inbox)
{
	static char json[65536], list[32768];
	char *at = list;
	for (int i = 0; i < count; i++)
		at += i == inbox ? sprintf(at, "%s\"inbox\"", i ? "," : "")
				 : sprintf(at, "%s\"f%d\"", i ? "," : "", i);
	snprintf(json, sizeof(json),
		REGISTRATION(USER, VERSION, ACCOUNT, TOKEN, SUBTOPIC, "\"mailboxes\":[%s]"), list);
	return parse(json);
}

static void a_thousand_mailboxes_are_taken_and_no_more(void **state)
{
	(void)state;
	for (int more = 0; more <= 500; more += 250) {
		event_auto struct mail_event *event = parse_many(EVENT_MAILBOXES_MAX + more, -1);
		assert_int_equal(event->registration.mailbox_count, EVENT_MAILBOXES_MAX);
		assert_int_equal(event->registration.left_out, more);
		assert_string_equal(event->registration.mailboxes[999], "f999");
	}
}

static void inbox_is_among_the_thousand_wherever_it_stands(void **state)
{
	(void)state;
	static const int places[] = {0, 998, 999, 1000, 1499};
	for (size_t i = 0; i < sizeof(places) / sizeof(places[0]); i++) {
		int place = places[i];
		event_auto struct mail_event *event = parse_many(1500, place);
		const struct event_registration *registration = &event->registration;
		assert_int_equal(registration->mailbox_count, EVENT_MAILBOXES_MAX);
		assert_int_equal(registration->left_out, 500);
		assert_string_equal(registration->mailboxes[place < 999 ? place : 999], "inbox");
		assert_string_equal(registration->mailboxes[place < 999 ? 999 : 998],
			place < 999 ? "f999" : "f998");
	}
}

static bool is_believed(const struct mail_event *event, unsigned i)
{
	return event_is_believed(event, event->at, event->readings, i);
}

static void the_acl_says_which_reading_is_meant(void **state)
{
	(void)state;
	/* Folder a of bob@x, or folder a@x of bob. */
	static const struct {
		const char *acl;
		bool first, second;
	} rows[] = {
		{"bob@x\tlrswi\t", true, false},
		{"bob\tlrswi\t", false, true},
		{"bob\tlrswi\tbob@x\tlrs\t", true, true},
		{"carol\tlrs\tbob\tlswi\t", false, false},
		{"anyone\tlrs\t", true, true},
		{NULL, true, false},
	};
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct mail_event event = {.acl = rows[i].acl,
			.at = {{.owner = "bob@x", .folder = "a"},
				{.owner = "bob", .folder = "a@x"}},
			.readings = 2};
		assert_int_equal(is_believed(&event, 0), rows[i].first);
		assert_int_equal(is_believed(&event, 1), rows[i].second);
	}
}

static void a_name_with_one_reading_is_believed_whatever_the_acl(void **state)
{
	(void)state;
	struct mail_event event = {
		.acl = "cyrus\tlrs\t", .at = {{.owner = "bob", .folder = ""}}, .readings = 1};
	assert_true(is_believed(&event, 0));
}

static void the_first_reading_of_shared_folders_is_believed(void **state)
{
	(void)state;
	struct mail_event event = {.acl = "bob\tlrs\t",
		.at = {{.owner = "", .folder = "a@x"}, {.owner = "", .folder = "a"}},
		.readings = 2};
	assert_true(is_believed(&event, 0));
	assert_false(is_believed(&event, 1));
}

static void a_registration_from_elsewhere_is_as_strictly_bounded(void **state)
{
	(void)state;
	static const struct {
		const char *json;
		const char *error; /* NULL: it is taken */
	} rows[] = {
		{"{\"user\":\"Alice@Example.com\",\"token\":\"" HEX64
		 "\",\"account_id\":\"A-1\",\"subtopic\":\"com.apple.mobilemail\",\"version\":2,"
		 "\"mailboxes\":[\"INBOX\",\"Entw&APw-rfe\",\"INBOX\"]}",
			NULL},
		{"{\"user\":\"alice\",\"token\":\"a1\"}",
			"registration: token is not 64 to 200 hex digits: 'a1' (2 bytes)"},
		{"{\"token\":\"a1\"}", "registration: the key user is missing"},
		{"{\"user\":\"alice\",\"token\":\"" HEX64
		 "\",\"account_id\":\"A 1\",\"subtopic\":\"x\"}",
			"registration: account_id is not 1 to 64 of A-Z a-z 0-9 -: 'A 1' (3 "
			"bytes)"},
		{"[]", "registration: the key user is missing"},
	};
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		json_t *json = json_loads(rows[i].json, 0, NULL);
		assert_non_null(json);
		event_auto struct mail_event *event = NULL;
		struct err err = {0};
		int failed = event_from_registration(&names, json, NULL, &event, &err);
		json_decref(json);
		if (rows[i].error) {
			assert_int_equal(failed, -EINVAL);
			assert_string_equal(err.text, rows[i].error);
			continue;
		}
		assert_int_equal(failed, 0);
		assert_int_equal(event->kind, EVENT_APPLE_PUSH_SERVICE);
		assert_string_equal(event->registration.user, "alice");
		assert_string_equal(event->registration.account_id, "A-1");
		assert_int_equal(event->registration.mailbox_count, 2);
		assert_string_equal(event->registration.mailboxes[1], "Entw&APw-rfe");
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(new_mail_has_owner_folder_and_acl),
		cmocka_unit_test(an_event_may_name_the_id_of_its_mailbox),
		cmocka_unit_test(events_have_a_kind_with_and_without_the_vendors_prefix),
		cmocka_unit_test(events_that_we_do_not_know_need_no_more_than_a_name),
		cmocka_unit_test(modseq_is_dropped_before_it_is_parsed),
		cmocka_unit_test(an_event_of_another_name_that_begins_alike_is_not_dropped),
		cmocka_unit_test(a_rename_tells_the_old_name),
		cmocka_unit_test(the_source_of_a_move_is_not_a_rename),
		cmocka_unit_test(seen_among_the_cleared_flags_is_noticed),
		cmocka_unit_test(the_type_of_a_mailbox_is_mail_unless_said),
		cmocka_unit_test(a_uri_that_names_no_mailbox_is_no_error),
		cmocka_unit_test(an_event_without_its_uri_is_refused),
		cmocka_unit_test(what_is_beyond_a_bound_is_refused_or_counts_as_absent),
		cmocka_unit_test(what_is_no_json_object_is_refused),
		cmocka_unit_test(bytes_that_are_not_utf8_are_refused),
		cmocka_unit_test(json_of_any_depth_is_refused_without_harm),
		cmocka_unit_test(an_event_of_more_than_a_mebibyte_is_refused),
		cmocka_unit_test(a_registration_is_taken_apart),
		cmocka_unit_test(a_token_is_lower_cased),
		cmocka_unit_test(the_acl_says_which_reading_is_meant),
		cmocka_unit_test(a_name_with_one_reading_is_believed_whatever_the_acl),
		cmocka_unit_test(the_first_reading_of_shared_folders_is_believed),
		cmocka_unit_test(users_of_the_default_domain_register_without_it),
		cmocka_unit_test(exact_duplicates_are_left_out_other_spellings_are_kept),
		cmocka_unit_test(an_empty_list_is_fine),
		cmocka_unit_test(any_version_but_1_is_2),
		cmocka_unit_test(a_registration_with_a_key_missing_is_refused),
		cmocka_unit_test(a_registration_with_a_key_of_another_type_is_refused),
		cmocka_unit_test(a_token_has_64_to_200_hex_digits),
		cmocka_unit_test(an_account_id_has_letters_digits_and_hyphens),
		cmocka_unit_test(what_is_quoted_in_an_error_is_short_and_escaped),
		cmocka_unit_test(users_and_subtopics_are_validated),
		cmocka_unit_test(mailbox_names_are_bounded),
		cmocka_unit_test(a_thousand_mailboxes_are_taken_and_no_more),
		cmocka_unit_test(a_registration_from_elsewhere_is_as_strictly_bounded),
		cmocka_unit_test(inbox_is_among_the_thousand_wherever_it_stands),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}

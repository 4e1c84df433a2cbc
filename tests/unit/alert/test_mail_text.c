#include "alert/mail_text.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdio.h>
#include <string.h>

#define NOW (INT64_C(1796051703) * 1000) /* 2026-11-30 15:15:03 UTC, a Monday */

static struct mail_diary *diary;
static struct buf message;

static int set_up(void **state)
{
	(void)state;
	diary = mail_diary_new();
	buf_init(&message);
	return 0;
}

static int tear_down(void **state)
{
	(void)state;
	mail_diary_free(diary);
	buf_fini(&message);
	return 0;
}

static const char *write_from(const char *host)
{
	const struct mail_text_envelope envelope = {
		.address = "postmaster@example.com", .host = host, .now_unix_ms = NOW, .id = 0xabc};
	buf_clear(&message);
	mail_diary_choose(diary, NOW);
	mail_text_write(&envelope, diary, &message);
	return buf_text(&message);
}

static void a_message_says_what_since_when_and_what_to_do(void **state)
{
	(void)state;
	mail_diary_stands(diary, "credential-expiry:main",
		"credential \"main\": /etc/mailpush/certificate.pem expires in 12 days, on "
		"2026-12-12; renew it",
		NOW - 60000);
	assert_string_equal(write_from("imap1.example.com"),
		"Date: Mon, 30 Nov 2026 15:15:03 +0000\r\n"
		"From: \"mailpush on imap1.example.com\" <postmaster@example.com>\r\n"
		"To: <postmaster@example.com>\r\n"
		"Message-ID: <1796051703000.0000000000000abc.mailpush@imap1.example.com>\r\n"
		"Auto-Submitted: auto-generated\r\n"
		"MIME-Version: 1.0\r\n"
		"Content-Type: text/plain; charset=utf-8\r\n"
		"Content-Transfer-Encoding: 8bit\r\n"
		"Subject: mailpush on imap1.example.com: credential-expiry:main\r\n"
		"\r\n"
		"credential-expiry:main, since 2026-11-30 15:14 UTC\r\n"
		"  credential \"main\": /etc/mailpush/certificate.pem expires in 12 days,\r\n"
		"  on 2026-12-12; renew it\r\n"
		"\r\n"
		"  What to do:\r\n"
		"  Renew the certificate at Apple and put it into the same files; a new\r\n"
		"  file is noticed. Apple may need days. docs/certificates.md has the\r\n"
		"  steps.\r\n"
		"\r\n"
		"-- \r\n"
		"`mailpushctl status` shows the active alarms, `mailpushctl doctor` examines\r\n"
		"the site.  Of each alarm, the begin and the end are mailed once a day at "
		"most.\r\n");
}

static void an_end_and_several_have_subjects_of_their_own(void **state)
{
	(void)state;
	mail_diary_stands(diary, "queue", "full", NOW);
	mail_diary_choose(diary, NOW);
	mail_diary_settle(diary, true, NOW);
	mail_diary_ends(diary, "queue", NOW - MAIL_DIARY_SETTLE_MS);
	assert_non_null(strstr(write_from("a"), "Subject: mailpush on a: queue is over\r\n"));
	mail_diary_stands(diary, "spool", "gone", NOW);
	assert_non_null(strstr(write_from("a"), "Subject: mailpush on a: 1 alarm, 1 is over\r\n"));
	assert_non_null(strstr(buf_text(&message), "queue is over\r\n  It was:\r\n  full\r\n"));
}

/* Each line is a known header, until the first empty one. */
static void assert_headers(const char *text)
{
	static const char *const known[] = {
		"Date: ", "From: ", "To: ", "Message-ID: ", "Auto-Submitted: ", "MIME-Version: ",
		"Content-Type: ", "Content-Transfer-Encoding: ", "Subject: "};
	size_t i = 0;
	while (strncmp(text, "\r\n", 2) != 0) {
		assert_true(i < sizeof(known) / sizeof(known[0]));
		assert_int_equal(strncmp(text, known[i], strlen(known[i])), 0);
		i++;
		text = strchr(text, '\n') + 1;
	}
	assert_int_equal(i, sizeof(known) / sizeof(known[0]));
}

static void nothing_that_an_alarm_says_becomes_a_header_or_a_long_line(void **state)
{
	(void)state;
	char text[4000];
	memset(text, 'x', sizeof(text));
	text[sizeof(text) - 1] = '\0';
	static const char odd[] = "a\r\n.\r\nQUIT\rb\n\n\tc\x01\x7f\xc3\xa4 ";
	memcpy(text, odd, strlen(odd));
	mail_diary_stands(diary, "credential-file:\r\nBcc: <x@example.net>\r\n\r\nx", text, NOW);
	assert_headers(write_from("h\r\nBcc: <x@example.net>"));
	size_t column = 0;
	for (const char *c = buf_text(&message); *c; c++) {
		assert_true(*c != '\x01' && *c != '\x7f');
		assert_int_equal(*c == '\n', c > buf_text(&message) && c[-1] == '\r');
		column = *c == '\n' ? 0 : column + 1;
		assert_true(column < 998);
	}
	assert_null(strstr(buf_text(&message), "\r\n.\r\n"));
	assert_non_null(strstr(buf_text(&message),
		"Subject: mailpush on hBccxexample.net: "
		"credential-file:??Bcc:?<x@example.net>????x"));
}

static void a_host_without_a_name_is_localhost(void **state)
{
	(void)state;
	mail_diary_stands(diary, "queue", "full", NOW);
	assert_non_null(
		strstr(write_from("\xc3\xa4"), "Subject: mailpush on localhost: queue\r\n"));
}

static void a_test_says_that_it_is_one(void **state)
{
	(void)state;
	const struct mail_text_envelope envelope = {
		.address = "postmaster@example.com", .host = "a", .now_unix_ms = NOW};
	mail_text_write_test(&envelope, &message);
	assert_headers(buf_text(&message));
	assert_non_null(strstr(buf_text(&message), "Subject: mailpush on a: a test\r\n\r\n"));
}

static void addresses(void **state)
{
	(void)state;
	static const char *const good[] = {
		"a@b", "postmaster@example.com", "a.b+c@mail-1.example", "root@localhost"};
	static const char *const bad[] = {"", "a", "@b", "a@", "a@b@c", "a b@c", "a@b>", "a\r\n@b",
		"<a@b>", "a@b\r\nRCPT TO:<x@y>", "a..b@c", ".a@b", "a.@b", "a@b..c", "a@.b", "a@b.",
		"\"a\"@b", "\xc3\xa4@b", "a@[127.0.0.1]", "a,b@c", "a:b@c"};
	for (size_t i = 0; i < sizeof(good) / sizeof(good[0]); i++)
		assert_true(mail_text_is_address(good[i]));
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
		assert_false(mail_text_is_address(bad[i]));
	char text[300];
	memset(text, 'a', sizeof(text));
	text[65] = '@';
	text[67] = '\0';
	assert_false(mail_text_is_address(text));
	text[1] = '@';
	text[65] = 'a';
	text[MAIL_TEXT_ADDRESS_MAX] = '\0';
	text[67] = 'a';
	assert_true(mail_text_is_address(text));
	text[MAIL_TEXT_ADDRESS_MAX] = 'a';
	text[MAIL_TEXT_ADDRESS_MAX + 1] = '\0';
	assert_false(mail_text_is_address(text));
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(a_message_says_what_since_when_and_what_to_do),
		TEST(an_end_and_several_have_subjects_of_their_own),
		TEST(nothing_that_an_alarm_says_becomes_a_header_or_a_long_line),
		TEST(a_host_without_a_name_is_localhost),
		TEST(a_test_says_that_it_is_one),
		TEST(addresses),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}

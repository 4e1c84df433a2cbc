#include "credential/logins.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#define TOKEN "0123456789abcdef0123"
#define FILE_TEXT "# people\nalice:" TOKEN "\r\n\nbob:bob-" TOKEN "\n"
/* alice:TOKEN, alice:bob-TOKEN, bob:bob-TOKEN */
#define ALICE "YWxpY2U6MDEyMzQ1Njc4OWFiY2RlZjAxMjM="
#define MIXED "YWxpY2U6Ym9iLTAxMjM0NTY3ODlhYmNkZWYwMTIz"
#define BOB "Ym9iOmJvYi0wMTIzNDU2Nzg5YWJjZGVmMDEyMw=="

static struct logins *parsed(const char *text)
{
	struct logins *logins;
	char why[512];
	if (!logins_parse(text, strlen(text), &logins, why, sizeof(why)))
		fail_msg("%s", why);
	return logins;
}

static void a_name_with_its_token_is_found(void **state)
{
	(void)state;
	struct logins *logins = parsed(FILE_TEXT);
	assert_string_equal(logins_find(logins, "Basic " ALICE), "alice");
	assert_string_equal(logins_find(logins, "basic  " ALICE), "alice");
	assert_string_equal(logins_find(logins, "Basic " BOB), "bob");
	assert_null(logins_header(logins));
	logins_free(logins);
}

static void nothing_else_is(void **state)
{
	(void)state;
	static const char *const wrong[] = {"", "Basic", "Basic ", "Basic " MIXED, "Bearer " ALICE,
		ALICE, "Basic YWxpY2U6", "Basic Og==", "Basic ====", "Basic A===", "Basic =" ALICE,
		"Basic " ALICE ALICE, "Basic !!!!",
		/* "alice:TOKEN" and a NUL */
		"Basic YWxpY2U6MDEyMzQ1Njc4OWFiY2RlZjAxMjMA"};
	struct logins *logins = parsed(FILE_TEXT);
	assert_null(logins_find(logins, NULL));
	for (size_t i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++)
		if (logins_find(logins, wrong[i]))
			fail_msg("%s", wrong[i]);
	char many[20000];
	memset(many, 'A', sizeof(many));
	memcpy(many, "Basic ", 6);
	many[sizeof(many) - 1] = '\0';
	assert_null(logins_find(logins, many));
	logins_free(logins);
}

static void a_line_that_is_no_login_is_named(void **state)
{
	(void)state;
	static const char *const wrong[] = {"alice", "alice:short", ":" TOKEN, "a b:" TOKEN,
		"alice:" TOKEN " x", "al\xc3\xad:" TOKEN, " alice:" TOKEN};
	for (size_t i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++) {
		struct logins *logins = NULL;
		char text[256];
		char why[512] = "";
		snprintf(text, sizeof(text), "bob:" TOKEN "\n%s\n", wrong[i]);
		if (logins_parse(text, strlen(text), &logins, why, sizeof(why)))
			fail_msg("%s", wrong[i]);
		assert_null(logins);
		assert_non_null(strstr(why, "line 2"));
		assert_null(strstr(why, TOKEN));
	}
}

static void a_file_without_a_login_is_none(void **state)
{
	(void)state;
	struct logins *logins;
	char why[512];
	assert_false(logins_parse("", 0, &logins, why, sizeof(why)));
	assert_false(logins_parse("# nobody\n", 9, &logins, why, sizeof(why)));
	assert_non_null(strstr(why, "nobody could log in"));
}

static void a_setting_is_a_file_or_a_header(void **state)
{
	(void)state;
	static const char *const wrong[] = {"yes", "token:", "token:relative",
		"header:", "header:X Remote", "header:X-Remote:", "header:Authorization",
		"Token:/x"};
	struct logins *logins = (struct logins *)1;
	char why[512];
	assert_true(logins_of("", &logins, why, sizeof(why)));
	assert_null(logins);
	for (size_t i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++) {
		if (logins_of(wrong[i], &logins, why, sizeof(why)))
			fail_msg("%s", wrong[i]);
		assert_non_null(strstr(why, "header:X-Remote-User"));
	}
	assert_true(logins_of("header:X-Remote-User", &logins, why, sizeof(why)));
	assert_string_equal(logins_header(logins), "X-Remote-User");
	assert_null(logins_find(logins, "Basic " ALICE));
	logins_free(logins);
}

static void the_file_is_for_the_daemon_alone(void **state)
{
	(void)state;
	char path[] = "/tmp/mailpush-logins-XXXXXX";
	char setting[64];
	char why[512];
	struct logins *logins;
	int fd = mkstemp(path);
	assert_true(fd >= 0);
	assert_int_equal(write(fd, FILE_TEXT, strlen(FILE_TEXT)), strlen(FILE_TEXT));
	snprintf(setting, sizeof(setting), "token:%s", path);
	assert_true(logins_of(setting, &logins, why, sizeof(why)));
	assert_string_equal(logins_find(logins, "Basic " ALICE), "alice");
	logins_free(logins);
	assert_int_equal(fchmod(fd, 0644), 0);
	assert_false(logins_of(setting, &logins, why, sizeof(why)));
	assert_non_null(strstr(why, "every user of this machine may read"));
	close(fd);
	unlink(path);
	assert_false(logins_of(setting, &logins, why, sizeof(why)));
	assert_non_null(strstr(why, path));
}

static void a_name_is_short_and_text(void **state)
{
	(void)state;
	char name[LOGINS_NAME_MAX + 2];
	memset(name, 'n', sizeof(name));
	name[LOGINS_NAME_MAX + 1] = '\0';
	assert_false(logins_is_name(name));
	name[LOGINS_NAME_MAX] = '\0';
	assert_true(logins_is_name(name));
	assert_true(logins_is_name("al\xc3\xad"));
	assert_false(logins_is_name(""));
	assert_false(logins_is_name("\xff"));
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_name_with_its_token_is_found),
		cmocka_unit_test(nothing_else_is),
		cmocka_unit_test(a_line_that_is_no_login_is_named),
		cmocka_unit_test(a_file_without_a_login_is_none),
		cmocka_unit_test(a_setting_is_a_file_or_a_header),
		cmocka_unit_test(the_file_is_for_the_daemon_alone),
		cmocka_unit_test(a_name_is_short_and_text),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}

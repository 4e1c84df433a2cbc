/* The password for a database, and files that have none. */
#include "driver/password_file.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

static char dir[] = "/tmp/mailpush-password-XXXXXX";
static char path[64];
static char password[PASSWORD_FILE_MAX];
static struct err err;

static int set_up(void **state)
{
	(void)state;
	if (!mkdtemp(dir))
		return -1;
	snprintf(path, sizeof(path), "%s/password", dir);
	return 0;
}

static int tear_down(void **state)
{
	(void)state;
	return rmdir(dir);
}

static int read_file(const char *bytes, size_t size)
{
	FILE *file = fopen(path, "w");
	assert_non_null(file);
	assert_int_equal(fwrite(bytes, 1, size, file), size);
	fclose(file);
	int failed = password_file_read(path, password, &err);
	unlink(path);
	return failed;
}

static void check_read(const char *bytes, const char *expected)
{
	if (read_file(bytes, strlen(bytes)))
		fail_msg("%s", err.text);
	assert_string_equal(password, expected);
}

static void check_refused(const char *bytes, size_t size, const char *why)
{
	assert_int_equal(read_file(bytes, size), -ENOTCONN);
	assert_non_null(strstr(err.text, path));
	if (!strstr(err.text, why))
		fail_msg("%s, not: %s", err.text, why);
}

static void the_line_is_the_password_however_it_ends(void **state)
{
	(void)state;
	check_read("right one", "right one");
	check_read("right one\n", "right one");
	check_read("right one\r\n", "right one");
	check_read(" \t:@/ \n\n", " \t:@/ ");
}

static void one_as_long_as_can_be_is_whole_and_a_longer_one_is_refused(void **state)
{
	char longest[PASSWORD_FILE_MAX];
	char longer[4 * PASSWORD_FILE_MAX];
	(void)state;
	memset(longest, 'x', sizeof(longest) - 1);
	longest[sizeof(longest) - 1] = '\0';
	check_read(longest, longest);
	memset(longer, 'x', sizeof(longer));
	check_refused(longer, sizeof(longer), "longer than 1023 bytes");
	check_refused(longer, PASSWORD_FILE_MAX, "longer than 1023 bytes");
}

static void what_is_no_password_is_refused(void **state)
{
	(void)state;
	check_refused("", 0, "it is empty");
	check_refused("\n", 1, "it is empty");
	check_refused("secret\0more\n", 12, "a NUL");
	check_refused("secret\nmore\n", 12, "more than one line");
	check_refused("secret\rmore", 11, "more than one line");
	assert_null(strstr(err.text, "secret"));
}

static void what_is_no_file_is_refused_at_once(void **state)
{
	(void)state;
	assert_int_equal(password_file_read(path, password, &err), -ENOTCONN);
	assert_non_null(strstr(err.text, "No such file"));
	assert_int_equal(mkfifo(path, 0600), 0);
	assert_int_equal(password_file_read(path, password, &err), -ENOTCONN);
	assert_non_null(strstr(err.text, "not a regular file"));
	unlink(path);
	assert_int_equal(password_file_read(dir, password, &err), -ENOTCONN);
	assert_non_null(strstr(err.text, "not a regular file"));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(the_line_is_the_password_however_it_ends),
		cmocka_unit_test(one_as_long_as_can_be_is_whole_and_a_longer_one_is_refused),
		cmocka_unit_test(what_is_no_password_is_refused),
		cmocka_unit_test(what_is_no_file_is_refused_at_once),
	};
	return cmocka_run_group_tests(tests, set_up, tear_down);
}

#include "config/conftext.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static char path[64];

static int set_up(void **state)
{
	(void)state;
	strcpy(path, "/tmp/mailpush.conf.XXXXXX");
	int fd = mkstemp(path);
	return fd < 0 ? -1 : close(fd);
}

static int tear_down(void **state)
{
	(void)state;
	return unlink(path);
}

static void write_file(const char *bytes, size_t size)
{
	FILE *file = fopen(path, "w");
	assert_non_null(file);
	assert_int_equal(fwrite(bytes, 1, size, file), size);
	fclose(file);
}

static void is_read_as(const char *written, const char *read)
{
	write_file(written, strlen(written));
	buf_auto struct buf text;
	buf_init(&text);
	struct err err = {""};
	if (conftext_read(path, "do", &text, &err))
		fail_msg("%s", err.text);
	assert_string_equal(buf_text(&text), read);
}

static void ordinary_text_stays_as_it_is(void **state)
{
	(void)state;
	is_read_as("", "");
	is_read_as("site = é\n\n\tb\n", "site = é\n\n\tb\n");
}

static void a_byte_order_mark_is_left_out(void **state)
{
	(void)state;
	is_read_as("\xEF\xBB\xBFsite = a\n", "site = a\n");
	is_read_as("\xEF\xBB\xBF", "");
	is_read_as("site = \xEF\xBB\xBF"
		   "a\n",
		"site = \xEF\xBB\xBF"
		"a\n");
}

static void lines_may_end_in_crlf_and_keep_their_numbers(void **state)
{
	(void)state;
	is_read_as("a\r\n\r\nb\r\n", "a\n\nb\n");
	is_read_as("a\rb\r\r\nc\r", "a\rb\r\nc\r");
}

static void comments_are_left_out_and_lines_keep_their_numbers(void **state)
{
	(void)state;
	is_read_as("# a\n#\n ## b \"\nsite = a# c'\nb\n# d", "\n\n \nsite = a\nb\n");
	is_read_as("# a\r\nb\r\n", "\nb\n");
}

static void what_begins_no_comment_stays(void **state)
{
	(void)state;
	static const char *const texts[] = {
		"a = \"b # c\"\n",
		"a = 'b # c'\n",
		"a = \"b \\\" # c\"\n",
		"a = 'b \\' # c'\n",
		"a = \"it's # c\"\n",
		"a = \"b\n# c\"\n",
		"/* # a */ b\n",
		"/*/ # a */ b\n",
		"// don't # a\nb = \"it's # c\"\n",
	};
	for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++)
		is_read_as(texts[i], texts[i]);
	is_read_as("a = \"\\\\\" # b\n", "a = \"\\\\\" \n");
	is_read_as("a = /b//c # d\n", "a = /b//c \n");
	is_read_as("/* a */# b\n", "/* a */\n");
}

static void a_nul_byte_is_named_with_its_line(void **state)
{
	(void)state;
	char said[256];
	buf_auto struct buf text;
	buf_init(&text);
	struct err err;
	write_file("a\nb\0c\n", 6);
	assert_int_equal(conftext_read(path, "do", &text, &err), -EINVAL);
	snprintf(said, sizeof(said),
		"%s:2: holds a NUL byte, as text in UTF-16 does; save the file as UTF-8", path);
	assert_string_equal(err.text, said);
	assert_int_equal(text.used, 0);
}

static void refused(const char *file, const char *said)
{
	buf_auto struct buf text;
	buf_init(&text);
	struct err err;
	assert_true(conftext_read(file, "do this", &text, &err) < 0);
	assert_string_equal(err.text, said);
}

static void what_is_no_file_is_not_read(void **state)
{
	(void)state;
	refused("/tmp", "/tmp: is not a file; do this");
	refused("/dev/zero", "/dev/zero: is not a file; do this");
}

static void what_is_too_large_is_not_read(void **state)
{
	(void)state;
	assert_int_equal(truncate(path, CONFTEXT_MAX + 1), 0);
	char said[256];
	snprintf(said, sizeof(said),
		"%s: is larger than %d bytes: it is not a mailpush.conf; do this", path,
		CONFTEXT_MAX);
	refused(path, said);
}

static void a_missing_file_says_how_to_name_another(void **state)
{
	(void)state;
	refused("/no/such/mailpush.conf",
		"/no/such/mailpush.conf: cannot open: No such file or directory; do this");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(ordinary_text_stays_as_it_is),
		cmocka_unit_test(a_byte_order_mark_is_left_out),
		cmocka_unit_test(lines_may_end_in_crlf_and_keep_their_numbers),
		cmocka_unit_test(comments_are_left_out_and_lines_keep_their_numbers),
		cmocka_unit_test(what_begins_no_comment_stays),
		cmocka_unit_test(a_nul_byte_is_named_with_its_line),
		cmocka_unit_test(what_is_no_file_is_not_read),
		cmocka_unit_test(what_is_too_large_is_not_read),
		cmocka_unit_test(a_missing_file_says_how_to_name_another),
	};
	return cmocka_run_group_tests(tests, set_up, tear_down);
}

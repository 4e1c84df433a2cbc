#include "base/err.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <errno.h>
#include <string.h>

static void setting_an_error_gives_its_code_and_text(void **state)
{
	(void)state;
	struct err err;
	assert_int_equal(err_set(&err, -ENOENT, "cannot open %s", "x"), -ENOENT);
	assert_string_equal(err.text, "cannot open x");
}

static void a_prefix_goes_before_the_text(void **state)
{
	(void)state;
	struct err err;
	err_set(&err, -EIO, "disk is gone");
	assert_int_equal(err_prefix(&err, -EIO, "queue %d", 7), -EIO);
	assert_string_equal(err.text, "queue 7: disk is gone");
}

static void a_long_text_is_cut_and_ends(void **state)
{
	(void)state;
	struct err err;
	char text[2 * ERR_TEXT_MAX];
	memset(text, 'x', sizeof(text) - 1);
	text[sizeof(text) - 1] = '\0';
	err_set(&err, -EINVAL, "%s", text);
	assert_int_equal(strlen(err.text), ERR_TEXT_MAX - 1);
	err_prefix(&err, -EINVAL, "%s", text);
	assert_int_equal(strlen(err.text), ERR_TEXT_MAX - 1);
	err_set(&err, -EINVAL, "short");
	err_prefix(&err, -EINVAL, "%.*s", ERR_TEXT_MAX - 3, text);
	assert_int_equal(strlen(err.text), ERR_TEXT_MAX - 1);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(setting_an_error_gives_its_code_and_text),
		cmocka_unit_test(a_prefix_goes_before_the_text),
		cmocka_unit_test(a_long_text_is_cut_and_ends),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}

#include "event/utf8.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <string.h>

static bool is_valid(const char *text)
{
	return utf8_is_valid(text, strlen(text));
}

static void characters_of_every_length_are_valid(void **state)
{
	(void)state;
	assert_true(is_valid(""));
	assert_true(is_valid("plain\x7f"));
	assert_true(is_valid("\xc2\x80\xdf\xbf"));
	assert_true(is_valid("\xe0\xa0\x80\xef\xbf\xbf"));
	assert_true(is_valid("\xf0\x90\x80\x80\xf4\x8f\xbf\xbf"));
	assert_true(utf8_is_valid("a\0b", 3));
}

static void longer_than_needed_is_not_valid(void **state)
{
	(void)state;
	assert_false(is_valid("\xc0\xaf"));
	assert_false(is_valid("\xc1\xbf"));
	assert_false(is_valid("\xe0\x9f\xbf"));
	assert_false(is_valid("\xf0\x8f\xbf\xbf"));
}

static void surrogates_and_what_is_beyond_unicode_are_not_valid(void **state)
{
	(void)state;
	assert_true(is_valid("\xed\x9f\xbf"));
	assert_false(is_valid("\xed\xa0\x80"));
	assert_false(is_valid("\xed\xbf\xbf"));
	assert_false(is_valid("\xf4\x90\x80\x80"));
	assert_false(is_valid("\xf5\x80\x80\x80"));
	assert_false(is_valid("\xff"));
}

static void a_character_cut_short_is_not_valid(void **state)
{
	(void)state;
	assert_false(is_valid("\xc3"));
	assert_false(is_valid("\xe2\x82"));
	assert_false(is_valid("\xf0\x9f\x98"));
	assert_false(is_valid("\xc3"
			      "a"));
	assert_false(is_valid("\x80"));
	/* What follows in memory does not belong to it. */
	assert_false(utf8_is_valid("\u00fc", 1));
	assert_false(utf8_is_valid("\U0001F600", 3));
}

static void what_is_written_can_be_read(void **state)
{
	(void)state;
	const struct {
		uint32_t code_point;
		const char *text;
	} rows[] = {
		{0x41, "A"},
		{0x7f, "\x7f"},
		{0x80, "\xc2\x80"},
		{0x7ff, "\xdf\xbf"},
		{0x800, "\xe0\xa0\x80"},
		{0xffff, "\xef\xbf\xbf"},
		{0x10000, "\xf0\x90\x80\x80"},
		{0x10ffff, "\xf4\x8f\xbf\xbf"},
	};
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		char bytes[UTF8_CHARACTER_MAX];
		size_t size = utf8_put(bytes, rows[i].code_point);
		assert_int_equal(size, strlen(rows[i].text));
		assert_memory_equal(bytes, rows[i].text, size);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(characters_of_every_length_are_valid),
		cmocka_unit_test(longer_than_needed_is_not_valid),
		cmocka_unit_test(surrogates_and_what_is_beyond_unicode_are_not_valid),
		cmocka_unit_test(a_character_cut_short_is_not_valid),
		cmocka_unit_test(what_is_written_can_be_read),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}

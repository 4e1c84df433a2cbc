#include "base/utf8.h"

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

static void a_character_is_read_by_its_bytes(void **state)
{
	(void)state;
	uint32_t c = 0;
	assert_int_equal(utf8_read("A", 1, &c), 1);
	assert_int_equal(c, 'A');
	assert_int_equal(utf8_read("\u00fcx", 3, &c), 2);
	assert_int_equal(c, 0xfc);
	assert_int_equal(utf8_read("\u2028", 3, &c), 3);
	assert_int_equal(c, 0x2028);
	assert_int_equal(utf8_read("\U0001F600", 4, &c), 4);
	assert_int_equal(c, 0x1f600);
	assert_int_equal(utf8_read("", 0, &c), 0);
	assert_int_equal(utf8_read("\x9b", 1, &c), 0);
	assert_int_equal(utf8_read("\u00fc", 1, &c), 0);
}

static void controls_and_turns_of_direction_steer(void **state)
{
	(void)state;
	static const uint32_t steering[] = {0, 0x0a, 0x1b, 0x1f, 0x7f, 0x80, 0x9b, 0x9f, 0x61c,
		0x200e, 0x200f, 0x2028, 0x2029, 0x202a, 0x202e, 0x2066, 0x2069};
	static const uint32_t shown[] = {' ', '~', 0xa0, 0xfc, 0x61b, 0x200d, 0x2010, 0x2027,
		0x202f, 0x2065, 0x206a, 0x1f600};
	for (size_t i = 0; i < sizeof(steering) / sizeof(steering[0]); i++)
		assert_true(utf8_steers(steering[i]));
	for (size_t i = 0; i < sizeof(shown) / sizeof(shown[0]); i++)
		assert_false(utf8_steers(shown[i]));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(characters_of_every_length_are_valid),
		cmocka_unit_test(longer_than_needed_is_not_valid),
		cmocka_unit_test(surrogates_and_what_is_beyond_unicode_are_not_valid),
		cmocka_unit_test(a_character_cut_short_is_not_valid),
		cmocka_unit_test(what_is_written_can_be_read),
		cmocka_unit_test(a_character_is_read_by_its_bytes),
		cmocka_unit_test(controls_and_turns_of_direction_steer),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}

#include "base/urltext.h"

#include <setjmp.h>
#include <stdarg.h>
#include <string.h>

#include <cmocka.h>

/* RFC 4648, section 10, without the padding; and the two digits that differ from base64's. */
static const struct {
	const char *bytes;
	const char *text;
} pairs[] = {{"", ""}, {"f", "Zg"}, {"fo", "Zm8"}, {"foo", "Zm9v"}, {"foob", "Zm9vYg"},
	{"fooba", "Zm9vYmE"}, {"foobar", "Zm9vYmFy"}, {"\xfb\xff\xfe", "-__-"}};

static void bytes_become_the_text_of_the_rfc(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof(pairs) / sizeof(pairs[0]); i++) {
		char text[16];
		size_t size = urltext_write_base64(
			(const uint8_t *)pairs[i].bytes, strlen(pairs[i].bytes), text);
		assert_string_equal(text, pairs[i].text);
		assert_int_equal(size, strlen(text));
	}
}

static void the_text_becomes_the_bytes_again(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof(pairs) / sizeof(pairs[0]); i++) {
		uint8_t bytes[16];
		ssize_t size = urltext_read_base64(pairs[i].text, strlen(pairs[i].text), bytes);
		assert_int_equal(size, strlen(pairs[i].bytes));
		assert_memory_equal(bytes, pairs[i].bytes, (size_t)size);
	}
}

static void another_character_is_refused(void **state)
{
	(void)state;
	uint8_t bytes[16];
	assert_int_equal(urltext_read_base64("Zm9+", 4, bytes), -1);
	assert_int_equal(urltext_read_base64("Zm8=", 4, bytes), -1);
	assert_int_equal(urltext_read_base64("Zm\0v", 4, bytes), -1);
}

static void percent_encoding_is_undone_or_refused(void **state)
{
	(void)state;
	char text[16];
	assert_int_equal(urltext_decode("a%2Fb%c3%A4", 11, text), 5);
	assert_string_equal(text, "a/b\xc3\xa4");
	assert_int_equal(urltext_decode("", 0, text), 0);
	assert_string_equal(text, "");
	static const char *const malformed[] = {
		"%", "%2", "a%2", "%2g", "%g2", "%%41", "%00", "a%00b"};
	for (size_t i = 0; i < sizeof(malformed) / sizeof(malformed[0]); i++)
		assert_int_equal(urltext_decode(malformed[i], strlen(malformed[i]), text), -1);
	/* Digits beyond the end do not count. */
	assert_int_equal(urltext_decode("%41", 2, text), -1);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(bytes_become_the_text_of_the_rfc),
		cmocka_unit_test(the_text_becomes_the_bytes_again),
		cmocka_unit_test(another_character_is_refused),
		cmocka_unit_test(percent_encoding_is_undone_or_refused),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}

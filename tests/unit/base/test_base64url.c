#include "base/base64url.h"

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
		size_t size = base64url_write(
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
		ssize_t size = base64url_read(pairs[i].text, strlen(pairs[i].text), bytes);
		assert_int_equal(size, strlen(pairs[i].bytes));
		assert_memory_equal(bytes, pairs[i].bytes, (size_t)size);
	}
}

static void another_character_is_refused(void **state)
{
	(void)state;
	uint8_t bytes[16];
	assert_int_equal(base64url_read("Zm9+", 4, bytes), -1);
	assert_int_equal(base64url_read("Zm8=", 4, bytes), -1);
	assert_int_equal(base64url_read("Zm\0v", 4, bytes), -1);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(bytes_become_the_text_of_the_rfc),
		cmocka_unit_test(the_text_becomes_the_bytes_again),
		cmocka_unit_test(another_character_is_refused),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}

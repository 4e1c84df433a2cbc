#include "event/utf7.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <errno.h>
#include <string.h>

static void assert_decodes(const char *name, const char *expected)
{
	char decoded[256];
	size_t size = 0;
	assert_int_equal(utf7_decode(name, strlen(name), decoded, &size), 0);
	assert_string_equal(decoded, expected);
	assert_int_equal(size, strlen(expected));
}

static void assert_invalid(const char *name)
{
	char decoded[256];
	size_t size = 77;
	assert_int_equal(utf7_decode(name, strlen(name), decoded, &size), -EINVAL);
	assert_int_equal(size, 77);
}

static void plain_names_stay_as_they_are(void **state)
{
	(void)state;
	assert_decodes("", "");
	assert_decodes("Sent Items", "Sent Items");
	assert_decodes("plus+at@x ~!", "plus+at@x ~!");
}

static void an_ampersand_is_written_with_a_hyphen(void **state)
{
	(void)state;
	assert_decodes("R&-D", "R&D");
	assert_decodes("&-&-", "&&");
}

static void shifted_text_becomes_utf8(void **state)
{
	(void)state;
	assert_decodes("Entw&APw-rfe", "Entw\u00fcrfe");
	assert_decodes("&ZeVnLIqe-", "\u65e5\u672c\u8a9e");
	assert_decodes("emoji &2D3eAA-", "emoji \U0001F600");
	assert_decodes(
		"~peter/mail/&U,BTFw-/&ZeVnLIqe-", "~peter/mail/\u53f0\u5317/\u65e5\u672c\u8a9e");
	assert_decodes("&AAo-", "\n");
}

static void an_unterminated_shift_is_invalid(void **state)
{
	(void)state;
	assert_invalid("&");
	assert_invalid("Entw&APw");
	assert_invalid("&ZeVnLIqe");
}

static void what_is_not_base64_is_invalid(void **state)
{
	(void)state;
	assert_invalid("&A*w-");
	assert_invalid("&AP w-");
	assert_invalid("&U/BTFw-"); /* the alphabet has a comma for the slash */
}

static void bits_left_over_are_invalid(void **state)
{
	(void)state;
	assert_invalid("&A-");
	assert_invalid("&APx-");
	assert_invalid("&APwA-");
}

static void printable_ascii_may_not_hide(void **state)
{
	(void)state;
	assert_invalid("&AGE-");
	assert_invalid("a&AC8-b"); /* a slash: would forge a separator */
	assert_invalid("&AC4-");
	assert_invalid("&ACY-");
}

static void a_nul_is_invalid(void **state)
{
	(void)state;
	char decoded[16];
	size_t size;
	assert_invalid("&AAA-");
	assert_int_equal(utf7_decode("a\0b", 3, decoded, &size), -EINVAL);
}

static void lone_surrogates_are_invalid(void **state)
{
	(void)state;
	assert_invalid("&2D0-");      /* high, then the end */
	assert_invalid("&3gA-");      /* low alone */
	assert_invalid("&2D0A,A-");   /* high, then something else */
	assert_invalid("&2D3YPQ-");   /* two high ones */
	assert_invalid("&2D0-&3gA-"); /* a pair may not be torn apart */
}

static void eight_bit_and_control_bytes_are_invalid(void **state)
{
	(void)state;
	assert_invalid("Entw\u00fcrfe");
	assert_invalid("a\tb");
	assert_invalid("a\x7f");
}

static void the_longest_expansion_fits_its_bound(void **state)
{
	(void)state;
	/* 24 units of three bytes each: nothing grows more. */
	char name[2 + 64], decoded[UTF7_DECODED_MAX(sizeof(name))];
	size_t size;
	name[0] = '&';
	for (size_t i = 0; i < 64; i += 8)
		memcpy(name + 1 + i, "ZeVnLIqe", 8);
	name[65] = '-';
	assert_int_equal(utf7_decode(name, sizeof(name), decoded, &size), 0);
	assert_int_equal(size, 72);
	assert_true(size < sizeof(decoded));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(plain_names_stay_as_they_are),
		cmocka_unit_test(an_ampersand_is_written_with_a_hyphen),
		cmocka_unit_test(shifted_text_becomes_utf8),
		cmocka_unit_test(an_unterminated_shift_is_invalid),
		cmocka_unit_test(what_is_not_base64_is_invalid),
		cmocka_unit_test(bits_left_over_are_invalid),
		cmocka_unit_test(printable_ascii_may_not_hide),
		cmocka_unit_test(a_nul_is_invalid),
		cmocka_unit_test(lone_surrogates_are_invalid),
		cmocka_unit_test(eight_bit_and_control_bytes_are_invalid),
		cmocka_unit_test(the_longest_expansion_fits_its_bound),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}

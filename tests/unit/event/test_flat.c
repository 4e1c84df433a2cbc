#include "event/flat.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdio.h>
#include <string.h>

static struct flat flat;

static bool read(const char *json)
{
	return flat_read(json, strlen(json), &flat);
}

static const char *text_of(const char *key)
{
	const struct flat_member *member = flat_get(&flat, key);
	return member ? member->text : NULL;
}

static void strings_and_whole_numbers_are_read(void **state)
{
	(void)state;
	assert_true(read("{\"event\":\"MessageNew\",\"pid\":17,\"user\":\"\",\"n\":-3}"));
	assert_int_equal(flat.count, 4);
	assert_string_equal(text_of("event"), "MessageNew");
	assert_string_equal(text_of("user"), "");
	assert_non_null(flat_get(&flat, "pid"));
	assert_null(text_of("pid"));
	assert_null(flat_get(&flat, "even"));
}

static void escapes_that_cyrus_uses_are_decoded(void **state)
{
	(void)state;
	assert_true(read(
		"{\"acl\":\"alice\\tlrs\\tbob\\tr\\t\",\"flags\":\"\\\\Seen \\\"x\\/y\\n\\r\"}"));
	assert_string_equal(text_of("acl"), "alice\tlrs\tbob\tr\t");
	assert_string_equal(text_of("flags"), "\\Seen \"x/y\n\r");
}

static void the_last_of_two_members_with_one_key_counts(void **state)
{
	(void)state;
	assert_true(read("{\"a\":\"x\",\"b\":\"-\",\"a\":\"y\"}"));
	assert_string_equal(text_of("a"), "y");
}

static void utf8_passes_and_what_is_not_does_not(void **state)
{
	(void)state;
	assert_true(read("{\"a\":\"Entw\xc3\xbcrfe\"}"));
	assert_string_equal(text_of("a"), "Entw\xc3\xbcrfe");
	assert_false(read("{\"a\":\"\xff\"}"));
	assert_false(read("{\"a\":\"\xc3\"}"));
}

static void other_shapes_are_left_to_a_full_parser(void **state)
{
	(void)state;
	static const char *const others[] = {"", "{}", "[]", "{\"a\":1}\n", " {\"a\":1}",
		"{ \"a\":1}", "{\"a\" :1}", "{\"a\": 1}", "{\"a\":1 }", "{\"a\":[1]}",
		"{\"a\":{\"b\":1}}", "{\"a\":true}", "{\"a\":null}", "{\"a\":1.5}", "{\"a\":1e3}",
		"{\"a\":01}", "{\"a\":-}", "{\"a\":}", "{\"a\":1,}", "{\"a\"}", "{\"a\":\"x",
		"{\"a\":\"x\"", "{\"a\":\"\\u0041\"}", "{\"a\":\"\\b\"}", "{\"a\":\"\\\"}",
		"{\"a\":\"\x01\"}", "{\"\\t\":1}", "{\"\xc3\xbc\":1}",
		"{\"a\":1234567890123456789}", "{a:1}", "{\"a\":1}{\"b\":2}"};
	for (size_t i = 0; i < sizeof(others) / sizeof(others[0]); i++)
		if (read(others[i]))
			fail_msg("read as flat: %s", others[i]);
}

static void sizes_are_bounded(void **state)
{
	(void)state;
	char json[FLAT_SIZE_MAX + 2];
	memset(json, 'x', sizeof(json));
	memcpy(json, "{\"a\":\"", 6);
	memcpy(json + FLAT_SIZE_MAX - 2, "\"}", 2);
	assert_true(flat_read(json, FLAT_SIZE_MAX, &flat));
	assert_int_equal(flat_get(&flat, "a")->size, FLAT_SIZE_MAX - 8);
	memset(json + FLAT_SIZE_MAX - 2, 'x', 2);
	memcpy(json + FLAT_SIZE_MAX - 1, "\"}", 2);
	assert_false(flat_read(json, FLAT_SIZE_MAX + 1, &flat));

	char *at = json;
	for (unsigned i = 0; i < FLAT_MEMBERS_MAX; i++)
		at += sprintf(at, "%c\"a\":1", i ? ',' : '{');
	strcpy(at, "}");
	assert_true(read(json));
	strcpy(at, ",\"a\":1}");
	assert_false(read(json));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(strings_and_whole_numbers_are_read),
		cmocka_unit_test(escapes_that_cyrus_uses_are_decoded),
		cmocka_unit_test(the_last_of_two_members_with_one_key_counts),
		cmocka_unit_test(utf8_passes_and_what_is_not_does_not),
		cmocka_unit_test(other_shapes_are_left_to_a_full_parser),
		cmocka_unit_test(sizes_are_bounded),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}

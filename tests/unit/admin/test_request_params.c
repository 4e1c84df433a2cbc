#include "admin/request_params.h"
#include "config/listen.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

static void a_body_is_an_object_of_known_keys(void **state)
{
	(void)state;
	struct request_params ask;
	struct err err;
	static const char body[] = "{\"user\":\"alice\",\"all\":true}";
	assert_int_equal(request_params_parse(body, strlen(body), &ask, &err), 0);
	assert_string_equal(ask.user, "alice");
	assert_string_equal(ask.mailbox, "");
	assert_true(ask.all);
	assert_false(ask.online);
	request_params_fini(&ask);
	assert_int_equal(request_params_parse("", 0, &ask, &err), 0);
	request_params_fini(&ask);
}

static void what_a_body_must_not_be_is_named(void **state)
{
	(void)state;
	static const struct {
		const char *body;
		const char *why;
	} rows[] = {{"[]", "one JSON object"}, {"{", "one JSON object"},
		{"null", "one JSON object"}, {"{\"user\":1}", "'user' must be a string"},
		{"{\"all\":1}", "'all' must be true or"}, {"{\"usr\":\"a\"}", "'usr' is not known"},
		{"{\"user\":\"a\",\"user\":\"b\"}", "one JSON object"},
		{"{\"user\":\"a\\u0000b\"}", "one JSON object"}};
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct request_params ask;
		struct err err = {""};
		assert_true(
			request_params_parse(rows[i].body, strlen(rows[i].body), &ask, &err) < 0);
		assert_non_null(strstr(err.text, rows[i].why));
		request_params_fini(&ask);
	}
}

static void a_text_that_is_too_long_is_refused(void **state)
{
	(void)state;
	char body[REQUEST_PARAMS_TEXT_MAX + 32] = "{\"user\":\"";
	size_t used = strlen(body);
	memset(body + used, 'a', REQUEST_PARAMS_TEXT_MAX + 1);
	strcpy(body + used + REQUEST_PARAMS_TEXT_MAX + 1, "\"}");
	struct request_params ask;
	struct err err;
	assert_true(request_params_parse(body, strlen(body), &ask, &err) < 0);
	request_params_fini(&ask);
}

static void numbers_and_keys_of_a_query_are_bounded(void **state)
{
	(void)state;
	int64_t number = 7;
	assert_true(request_params_number(NULL, 1, 10, &number));
	assert_int_equal(number, 7);
	assert_true(request_params_number("10", 1, 10, &number));
	assert_int_equal(number, 10);
	assert_false(request_params_number("11", 1, 10, &number));
	assert_false(request_params_number("", 1, 10, &number));
	assert_false(request_params_number("3x", 1, 10, &number));
	assert_int_equal(number, 10);

	struct registry_key key = {0};
	assert_true(request_params_key("00112233445566778899aabbccddeeff", &key));
	assert_int_equal(key.bytes[1], 0x11);
	assert_int_equal(key.bytes[15], 0xff);
	assert_false(request_params_key("00112233445566778899aabbccddeefg", &key));
	assert_false(request_params_key("0011", &key));
	assert_int_equal(key.bytes[15], 0xff);
}

static void addresses_to_listen_on_are_numeric(void **state)
{
	(void)state;
	static const struct {
		const char *text;
		bool is_loopback;
	} good[] = {{"127.0.0.1:9105", true}, {"[::1]:9105", true}, {"127.1.2.3:1", true},
		{"0.0.0.0:9105", false}, {"[::]:65535", false}, {"192.0.2.1:80", false}};
	for (size_t i = 0; i < sizeof(good) / sizeof(good[0]); i++) {
		struct sockaddr_storage address;
		char text[64];
		assert_true(listen_parse(good[i].text, &address));
		assert_int_equal(listen_is_loopback(&address), good[i].is_loopback);
		listen_print(&address, text, sizeof(text));
		assert_string_equal(text, good[i].text);
	}
	static const char *const bad[] = {"localhost:9105", "127.0.0.1", "127.0.0.1:0",
		"127.0.0.1:65536", ":9105", "[::1]", "::1:9105", "[::1:9105", "[]:1",
		"127.0.0.1:x"};
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		struct sockaddr_storage address;
		assert_false(listen_parse(bad[i], &address));
	}
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_body_is_an_object_of_known_keys),
		cmocka_unit_test(what_a_body_must_not_be_is_named),
		cmocka_unit_test(a_text_that_is_too_long_is_refused),
		cmocka_unit_test(numbers_and_keys_of_a_query_are_bounded),
		cmocka_unit_test(addresses_to_listen_on_are_numeric),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}

#include "loop/host_header.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include <cmocka.h>

static void addresses_and_localhost_are_local(void **state)
{
	(void)state;
	static const char *const hosts[] = {"127.0.0.1", "127.0.0.1:9105", "192.0.2.1:80", "[::1]",
		"[::1]:9105", "[2001:db8::1]", "localhost", "localhost:9105", "LocalHost"};
	assert_true(host_header_is_local(NULL));
	for (size_t i = 0; i < sizeof(hosts) / sizeof(hosts[0]); i++)
		if (!host_header_is_local(hosts[i]))
			fail_msg("%s", hosts[i]);
}

static void names_that_a_name_server_knows_are_not(void **state)
{
	(void)state;
	static const char *const hosts[] = {"", ":9105", "evil.example", "evil.example:9105",
		"localhost.evil.example", "127.0.0.1.evil.example", "127.0.0.1.", "127.1",
		"2130706433", "0x7f.0.0.1", "[::1", "[::1]evil.example", "[127.0.0.1]",
		"[localhost]", "::1", "127.0.0.1:evil", "127.0.0.1:80:80", "127.0.0.1@evil.example",
		"evil.example@127.0.0.1", " 127.0.0.1", "127.0.0.1 ",
		"1111111111111111111111111111111111111111111111111111111111111111"};
	for (size_t i = 0; i < sizeof(hosts) / sizeof(hosts[0]); i++)
		if (host_header_is_local(hosts[i]))
			fail_msg("%s", hosts[i]);
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(addresses_and_localhost_are_local),
		cmocka_unit_test(names_that_a_name_server_knows_are_not),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}

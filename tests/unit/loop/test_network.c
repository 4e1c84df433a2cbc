#include "loop/network.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <arpa/inet.h>
#include <netinet/in.h>

static struct sockaddr_storage address(const char *text)
{
	struct sockaddr_storage found = {.ss_family = AF_INET};
	if (inet_pton(AF_INET, text, &((struct sockaddr_in *)&found)->sin_addr) == 1)
		return found;
	found.ss_family = AF_INET6;
	assert_int_equal(inet_pton(AF_INET6, text, &((struct sockaddr_in6 *)&found)->sin6_addr), 1);
	return found;
}

static bool has(const char *network_text, const char *address_text)
{
	struct network network;
	struct sockaddr_storage found = address(address_text);
	assert_true(network_parse(network_text, &network));
	return network_has(&network, &found);
}

static void an_address_alone_means_itself(void **state)
{
	(void)state;
	assert_true(has("192.0.2.7", "192.0.2.7"));
	assert_false(has("192.0.2.7", "192.0.2.6"));
	assert_true(has("2001:db8::7", "2001:db8::7"));
	assert_false(has("2001:db8::7", "2001:db8::8"));
	assert_false(has("2001:db8::7", "192.0.2.7"));
}

static void so_many_bits_count(void **state)
{
	(void)state;
	assert_true(has("10.1.0.0/16", "10.1.255.255"));
	assert_false(has("10.1.0.0/16", "10.2.0.0"));
	assert_true(has("10.1.0.9/16", "10.1.2.3"));
	assert_true(has("192.0.2.128/25", "192.0.2.200"));
	assert_false(has("192.0.2.128/25", "192.0.2.100"));
	assert_true(has("192.0.2.6/31", "192.0.2.7"));
	assert_false(has("192.0.2.6/31", "192.0.2.8"));
	assert_true(has("2001:db8::/33", "2001:db8:7fff::1"));
	assert_false(has("2001:db8::/33", "2001:db8:8000::1"));
	assert_true(has("0.0.0.0/0", "203.0.113.1"));
	assert_false(has("0.0.0.0/0", "2001:db8::1"));
	assert_true(has("::/0", "203.0.113.1"));
}

/* As a socket of both families has its peers. */
static void an_address_of_ipv4_is_the_same_within_ipv6(void **state)
{
	(void)state;
	assert_true(has("10.1.0.0/16", "::ffff:10.1.2.3"));
	assert_true(has("::ffff:10.1.2.3", "10.1.2.3"));
}

static void what_is_no_network_is_refused(void **state)
{
	(void)state;
	static const char *const wrong[] = {"", "/8", "localhost", "10.1", "10.0.0.0/33",
		"10.0.0.0/", "10.0.0.0/8/8", "10.0.0.0/-1", "10.0.0.0/8 ", "[::1]", "::1/129",
		"::1%lo", "1111:2222:3333:4444:5555:6666:7777:8888:9999:0000:1111:2222/64"};
	struct network network;
	for (size_t i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++)
		assert_false(network_parse(wrong[i], &network));
}

static void the_loopback_addresses_are_this_machine(void **state)
{
	(void)state;
	static const char *const own[] = {"127.0.0.1", "127.255.0.1", "::1", "::ffff:127.0.0.1"};
	static const char *const foreign[] = {"128.0.0.1", "::2", "::", "0.0.0.0", "2001:db8::1"};
	for (size_t i = 0; i < sizeof(own) / sizeof(own[0]); i++) {
		struct sockaddr_storage found = address(own[i]);
		assert_true(network_is_loopback(&found));
	}
	for (size_t i = 0; i < sizeof(foreign) / sizeof(foreign[0]); i++) {
		struct sockaddr_storage found = address(foreign[i]);
		assert_false(network_is_loopback(&found));
	}
	struct sockaddr_storage none = {.ss_family = AF_UNIX};
	assert_false(network_is_loopback(&none));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(an_address_alone_means_itself),
		cmocka_unit_test(so_many_bits_count),
		cmocka_unit_test(an_address_of_ipv4_is_the_same_within_ipv6),
		cmocka_unit_test(what_is_no_network_is_refused),
		cmocka_unit_test(the_loopback_addresses_are_this_machine),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}

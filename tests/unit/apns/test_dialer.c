#include "apns/dialer.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

static struct sockaddr_storage address(const char *text)
{
	struct sockaddr_storage made = {0};
	struct sockaddr_in *in = (void *)&made;
	struct sockaddr_in6 *in6 = (void *)&made;
	if (strchr(text, ':')) {
		in6->sin6_family = AF_INET6;
		assert_int_equal(inet_pton(AF_INET6, text, &in6->sin6_addr), 1);
	} else {
		in->sin_family = AF_INET;
		assert_int_equal(inet_pton(AF_INET, text, &in->sin_addr), 1);
	}
	return made;
}

static void assert_order(const struct sockaddr_storage *addresses, const char *const *expected)
{
	char text[DIALER_ADDRESS_SIZE];
	for (size_t i = 0; expected[i]; i++)
		assert_string_equal(dialer_address_text(&addresses[i], text), expected[i]);
}

static void families_take_turns(void **state)
{
	(void)state;
	struct sockaddr_storage addresses[] = {
		address("::1"), address("::2"), address("10.0.0.1"), address("10.0.0.2")};
	dialer_order(addresses, 4, 0, NULL, NULL);
	assert_order(addresses, (const char *[]){"::1", "10.0.0.1", "::2", "10.0.0.2", NULL});
}

static void the_rotation_says_where_to_begin(void **state)
{
	(void)state;
	struct sockaddr_storage addresses[] = {
		address("10.0.0.1"), address("10.0.0.2"), address("10.0.0.3")};
	dialer_order(addresses, 3, 4, NULL, NULL);
	assert_order(addresses, (const char *[]){"10.0.0.3", "10.0.0.1", "10.0.0.2", NULL});
}

static bool is_first(void *ctx, const struct sockaddr_storage *other)
{
	return dialer_same_address(ctx, other);
}

static void an_address_in_use_comes_last(void **state)
{
	(void)state;
	struct sockaddr_storage used = address("10.0.0.1");
	struct sockaddr_storage addresses[] = {
		address("10.0.0.1"), address("10.0.0.2"), address("10.0.0.3")};
	dialer_order(addresses, 3, 0, is_first, &used);
	assert_order(addresses, (const char *[]){"10.0.0.2", "10.0.0.3", "10.0.0.1", NULL});
}

struct outcome {
	unsigned calls;
	int fd;
	char failure[ERR_TEXT_MAX];
};

static void on_done(void *ctx, int fd, const struct sockaddr_storage *reached, const char *failure)
{
	struct outcome *outcome = ctx;
	outcome->calls++;
	outcome->fd = fd;
	assert_int_equal(reached == NULL, fd < 0);
	strncpy(outcome->failure, failure ? failure : "", sizeof(outcome->failure) - 1);
}

static uint16_t listen_on(int *ret_fd)
{
	struct sockaddr_storage any = address("127.0.0.1");
	socklen_t size = sizeof(struct sockaddr_in);
	*ret_fd = socket(AF_INET, SOCK_STREAM, 0);
	assert_int_equal(bind(*ret_fd, (struct sockaddr *)&any, size), 0);
	assert_int_equal(listen(*ret_fd, 1), 0);
	assert_int_equal(getsockname(*ret_fd, (struct sockaddr *)&any, &size), 0);
	return ntohs(((struct sockaddr_in *)(void *)&any)->sin_port);
}

static struct outcome dial(const char *host, uint16_t port, bool is_cancelled)
{
	struct outcome outcome = {0};
	const struct dialer_settings settings = {.host = host,
		.port = port,
		.next_after_ms = 2000,
		.done = on_done,
		.ctx = &outcome};
	struct dialer *dialer;
	struct err err;
	uv_loop_t loop;
	uv_loop_init(&loop);
	assert_int_equal(dialer_start(&loop, &settings, &dialer, &err), 0);
	assert_int_equal(outcome.calls, 0);
	if (is_cancelled)
		dialer_cancel(dialer);
	uv_run(&loop, UV_RUN_DEFAULT);
	assert_int_equal(uv_loop_close(&loop), 0);
	return outcome;
}

static void a_listener_is_reached_by_name_and_by_address(void **state)
{
	static const char *const hosts[] = {"127.0.0.1", "localhost"};
	int listener;
	(void)state;
	uint16_t port = listen_on(&listener);
	for (size_t i = 0; i < 2; i++) {
		struct outcome outcome = dial(hosts[i], port, false);
		assert_int_equal(outcome.calls, 1);
		assert_true(outcome.fd >= 0);
		close(outcome.fd);
	}
	close(listener);
}

static void where_nobody_listens_it_fails_at_once_and_says_why(void **state)
{
	int listener;
	(void)state;
	uint16_t port = listen_on(&listener);
	close(listener);
	struct outcome outcome = dial("127.0.0.1", port, false);
	assert_int_equal(outcome.calls, 1);
	assert_int_equal(outcome.fd, -1);
	assert_non_null(strstr(outcome.failure, "Connection refused"));
}

static void a_name_that_does_not_resolve_fails_and_says_so(void **state)
{
	(void)state;
	struct outcome outcome = dial("name.invalid", 443, false);
	assert_int_equal(outcome.calls, 1);
	assert_int_equal(outcome.fd, -1);
	assert_non_null(strstr(outcome.failure, "cannot resolve 'name.invalid'"));
}

static void cancelled_it_says_nothing_any_more(void **state)
{
	(void)state;
	struct outcome outcome = dial("127.0.0.1", 9, true);
	assert_int_equal(outcome.calls, 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(families_take_turns),
		cmocka_unit_test(the_rotation_says_where_to_begin),
		cmocka_unit_test(an_address_in_use_comes_last),
		cmocka_unit_test(a_listener_is_reached_by_name_and_by_address),
		cmocka_unit_test(where_nobody_listens_it_fails_at_once_and_says_why),
		cmocka_unit_test(a_name_that_does_not_resolve_fails_and_says_so),
		cmocka_unit_test(cancelled_it_says_nothing_any_more),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}

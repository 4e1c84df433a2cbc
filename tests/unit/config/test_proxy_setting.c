#include "config/proxy_setting.h"

#include "base/mem.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

static char why[256];

static void parses_to(const char *value, const char *host, uint16_t port)
{
	char *read_host;
	uint16_t read_port;
	if (!proxy_setting_parse(value, &read_host, &read_port, why, sizeof(why)))
		fail_msg("%s: %s", value, why);
	assert_string_equal(read_host, host);
	assert_int_equal(read_port, port);
	free(read_host);
}

static void a_host_and_a_port_are_read(void **state)
{
	(void)state;
	parses_to("proxy.example.com:3128", "proxy.example.com", 3128);
	parses_to("http://10.0.0.1:8080", "10.0.0.1", 8080);
	parses_to("[2001:db8::1]:3128", "2001:db8::1", 3128);
}

static void what_is_no_proxy_is_refused(void **state)
{
	static const char *const values[] = {"proxy", "proxy:", ":3128", "proxy:0", "proxy:65536",
		"proxy:3128/", "https://proxy:3128", "2001:db8::1:3128", "[]:1", "pro xy:1",
		"http://proxy", "proxy:3128\r\nX: y"};
	(void)state;
	for (size_t i = 0; i < sizeof(values) / sizeof(values[0]); i++) {
		char *host = NULL;
		uint16_t port = 7;
		assert_false(proxy_setting_parse(values[i], &host, &port, why, sizeof(why)));
		assert_null(host);
		assert_int_equal(port, 7);
		assert_non_null(strstr(why, "proxy.example.com:3128"));
	}
}

static void a_password_does_not_stand_in_the_configuration(void **state)
{
	char *host;
	uint16_t port;
	(void)state;
	assert_false(proxy_setting_parse("http://me:secret@p:1", &host, &port, why, sizeof(why)));
	assert_non_null(strstr(why, "proxy_password_file"));
	assert_null(strstr(why, "secret"));
}

/* Returns what was read from a file with this content, or NULL. */
static char *login_of(const char *content, size_t size)
{
	char path[] = "/tmp/mailpush-login.XXXXXX";
	char *login = NULL;
	int fd = mkstemp(path);
	assert_true(fd >= 0);
	assert_int_equal(write(fd, content, size), (ssize_t)size);
	close(fd);
	proxy_setting_read_login(path, &login, why, sizeof(why));
	unlink(path);
	return login;
}

static void the_first_line_is_user_and_password(void **state)
{
	static const char *const contents[] = {"me:se:cret", "me:se:cret\n", "me:se:cret\r\n\n"};
	(void)state;
	for (size_t i = 0; i < 3; i++) {
		mem_auto char *login = login_of(contents[i], strlen(contents[i]));
		assert_non_null(login);
		assert_string_equal(login, "me:se:cret");
	}
}

static void a_file_of_something_else_is_refused(void **state)
{
	char content[400];
	(void)state;
	memset(content, 'a', sizeof(content));
	content[1] = ':';
	assert_null(login_of(content, sizeof(content)));
	assert_null(login_of("", 0));
	assert_null(login_of("secret\n", 7));
	assert_null(login_of(":secret\n", 8));
	assert_null(login_of("me:\0secret\n", 11));
	assert_null(login_of("me:secret\nme:other\n", 19));
	assert_non_null(strstr(why, "user:password"));
}

static void a_file_that_cannot_be_read_is_named_with_the_reason(void **state)
{
	char *login;
	(void)state;
	assert_false(proxy_setting_read_login("/nonexistent", &login, why, sizeof(why)));
	assert_non_null(strstr(why, "No such file"));
	assert_false(proxy_setting_read_login("/tmp", &login, why, sizeof(why)));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_host_and_a_port_are_read),
		cmocka_unit_test(what_is_no_proxy_is_refused),
		cmocka_unit_test(a_password_does_not_stand_in_the_configuration),
		cmocka_unit_test(the_first_line_is_user_and_password),
		cmocka_unit_test(a_file_of_something_else_is_refused),
		cmocka_unit_test(a_file_that_cannot_be_read_is_named_with_the_reason),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}

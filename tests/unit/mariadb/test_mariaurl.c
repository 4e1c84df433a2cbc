/* Urls of a MariaDB database: what they say, what is refused. */
#include "mariadb/mariaurl.h"

#include "base/mem.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

static struct mariaurl *take(const char *place)
{
	struct mariaurl *url = NULL;
	struct err err;
	if (mariaurl_new(place, &url, &err))
		fail_msg("mariadb:%s %s", place, err.text);
	return url;
}

static void hosts_and_ports_are_taken_apart(void **state)
{
	(void)state;
	struct mariaurl *url = take("//mail%40push@db1,db2:3307,[::1]:3308/mail");
	assert_string_equal(url->user, "mail@push");
	assert_string_equal(url->database, "mail");
	assert_int_equal(url->host_count, 3);
	assert_string_equal(url->hosts[0].name, "db1");
	assert_int_equal(url->hosts[0].port, 0);
	assert_string_equal(url->hosts[1].name, "db2");
	assert_int_equal(url->hosts[1].port, 3307);
	assert_string_equal(url->hosts[2].name, "::1");
	assert_int_equal(url->hosts[2].port, 3308);
	assert_string_equal(url->hosts[2].shown, "[::1]:3308");
	assert_string_equal(url->name, "mariadb://mail@push@db1,db2:3307,[::1]:3308/mail");
	assert_int_equal(url->tls, MARIAURL_TLS_UNSAID);
	mariaurl_free(url);
}

static void without_a_host_it_is_a_socket(void **state)
{
	(void)state;
	struct mariaurl *url = take("//me@/mail?socket=/run/my%20sql.sock");
	assert_string_equal(url->socket, "/run/my sql.sock");
	assert_int_equal(url->host_count, 1);
	assert_null(url->hosts[0].name);
	assert_string_equal(url->hosts[0].shown, "/run/my sql.sock");
	assert_string_equal(url->name, "mariadb://me@/mail?socket=/run/my sql.sock");
	mariaurl_free(url);
	url = take("///mail");
	assert_null(url->user);
	assert_null(url->hosts[0].name);
	assert_string_equal(url->name, "mariadb:///mail");
	mariaurl_free(url);
}

static void parameters_say_how_the_server_is_verified(void **state)
{
	static const struct {
		const char *place;
		enum mariaurl_tls tls;
	} rows[] = {
		{"//me@db/mail?ssl_verify=yes", MARIAURL_TLS_VERIFIED},
		{"//me@db/mail?ssl_verify=no", MARIAURL_TLS_ENCRYPTED},
		{"//me@db/mail?ssl_ca=/ca.pem", MARIAURL_TLS_VERIFIED},
		{"//me@db/mail?ssl_cert=/c.pem&ssl_key=/k.pem", MARIAURL_TLS_VERIFIED},
		{"//me@db/mail?ssl_ca=/ca.pem&ssl_verify=no", MARIAURL_TLS_ENCRYPTED},
		{"//me@db/mail?option_file=/etc/my.cnf&option_group=mailpush", MARIAURL_TLS_UNSAID},
	};
	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct mariaurl *url = take(rows[i].place);
		assert_int_equal(url->tls, rows[i].tls);
		assert_string_equal(url->name, "mariadb://me@db/mail");
		mariaurl_free(url);
	}
}

static void what_is_none_is_refused(void **state)
{
	static const struct {
		const char *place;
		const char *why;
	} rows[] = {
		{"", "no //"},
		{"mail", "no //"},
		{"/mail", "no //"},
		{"//", "no database"},
		{"//me@db", "no database"},
		{"//me@db/", "no database"},
		{"//me:secret@db/mail", "password"},
		{"//@db/mail", "user"},
		{"//me%0a@db/mail", "user"},
		{"//me%4@db/mail", "user"},
		{"//me%@db/mail", "user"},
		{"//me%zz@db/mail", "user"},
		{"//me@db,/mail", "a host is"},
		{"//me@,db/mail", "a host is"},
		{"//me@db:/mail", "a host is"},
		{"//me@db:0/mail", "a host is"},
		{"//me@db:65536/mail", "a host is"},
		{"//me@db:99999999999999999999/mail", "a host is"},
		{"//me@db:port/mail", "a host is"},
		{"//me@d b/mail", "a host is"},
		{"//me@[::1/mail", "a host is"},
		{"//me@[::1]3306/mail", "a host is"},
		{"//me@a,a,a,a,a,a,a,a,a,a,a,a,a,a,a,a,a/mail", "16 hosts"},
		{"//me@db/"
		 "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa",
			"database"},
		{"//me@db/mail?colour=blue", "its parameters are"},
		{"//me@db/mail?ssl_verify", "ssl_verify is"},
		{"//me@db/mail?ssl_verify=maybe", "ssl_verify is"},
		{"//me@db/mail?ssl_ca=ca.pem", "absolute"},
		{"//me@db/mail?ssl_ca=", "absolute"},
		{"//me@db/mail?ssl_cert=/c.pem", "go together"},
		{"//me@db/mail?socket=/run/x", "both a host and a socket"},
		{"//me@db/mail?option_group=x", "needs option_file"},
	};
	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct mariaurl *url = NULL;
		struct err err = {"nothing"};
		int failed = mariaurl_new(rows[i].place, &url, &err);
		if (failed != -EINVAL || !strstr(err.text, rows[i].why))
			fail_msg("'%s' %s, not: %s", rows[i].place, err.text, rows[i].why);
		if (strstr(err.text, "secret"))
			fail_msg("'%s' tells the secret", err.text);
		assert_null(url);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(hosts_and_ports_are_taken_apart),
		cmocka_unit_test(without_a_host_it_is_a_socket),
		cmocka_unit_test(parameters_say_how_the_server_is_verified),
		cmocka_unit_test(what_is_none_is_refused),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}

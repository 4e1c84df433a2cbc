#include "apns/proxy.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

static struct err err;
static size_t used;

static int read_answer(const char *answer)
{
	return proxy_read_answer(answer, strlen(answer), &used, &err);
}

static void asks(const char *host, uint16_t port, const char *login, const char *request)
{
	buf_auto struct buf out;
	buf_init(&out);
	proxy_write_request(&out, host, port, login);
	assert_string_equal(buf_text(&out), request);
}

static void a_tunnel_is_asked_for_by_name(void **state)
{
	(void)state;
	asks("api.push.apple.com", 443, NULL,
		"CONNECT api.push.apple.com:443 HTTP/1.1\r\nHost: api.push.apple.com:443\r\n\r\n");
	asks("::1", 2197, NULL, "CONNECT [::1]:2197 HTTP/1.1\r\nHost: [::1]:2197\r\n\r\n");
}

static void credentials_are_basic_ones(void **state)
{
	(void)state;
	asks("a", 443, "Aladdin:open sesame",
		"CONNECT a:443 HTTP/1.1\r\nHost: a:443\r\n"
		"Proxy-Authorization: Basic QWxhZGRpbjpvcGVuIHNlc2FtZQ==\r\n\r\n");
}

static void a_2xx_opens_the_tunnel(void **state)
{
	(void)state;
	assert_int_equal(read_answer("HTTP/1.1 200 Connection established\r\n\r\nTLS"), 1);
	assert_int_equal(used, 39);
	assert_int_equal(read_answer("HTTP/1.0 299\r\nVia: x\r\nContent-Length: 5\r\n\r\n"), 1);
	assert_int_equal(read_answer("HTTP/1.1 200 OK\n\n"), 1);
}

static void an_answer_may_come_byte_by_byte(void **state)
{
	static const char answer[] = "HTTP/1.1 200 OK\r\nVia: x\r\n\r\n";
	(void)state;
	for (size_t size = 0; size < sizeof(answer) - 1; size++)
		assert_int_equal(proxy_read_answer(answer, size, &used, &err), 0);
	assert_int_equal(proxy_read_answer(answer, sizeof(answer) - 1, &used, &err), 1);
	assert_int_equal(used, sizeof(answer) - 1);
}

static void interim_answers_are_skipped(void **state)
{
	(void)state;
	assert_int_equal(read_answer("HTTP/1.1 100 Continue\r\n\r\n"), 0);
	assert_int_equal(read_answer("HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 200 OK\r\n\r\n"), 1);
}

static void refused_with(const char *answer, const char *status, const char *remedy)
{
	assert_int_equal(read_answer(answer), -EACCES);
	if (!strstr(err.text, status) || !strstr(err.text, remedy))
		fail_msg("'%s' should name '%s' and '%s'", err.text, status, remedy);
}

static void another_status_is_a_refusal_with_its_remedy(void **state)
{
	(void)state;
	refused_with(
		"HTTP/1.1 407 Proxy Authentication Required\r\n\r\n", "407", "proxy_password_file");
	refused_with("HTTP/1.1 403 Forbidden\r\n\r\n", "403", "allow CONNECT");
	refused_with("HTTP/1.1 502 Bad Gateway\r\n\r\n", "502", "cannot reach");
	refused_with("HTTP/1.1 301 Moved\r\n\r\n", "301", "check proxy");
	refused_with("HTTP/1.1 101 Switching\r\n\r\n", "101", "check proxy");
	refused_with("HTTP/1.1 000 Zero\r\n\r\n", "0", "check proxy");
}

static void what_is_no_http_is_refused_at_its_first_wrong_byte(void **state)
{
	static const char *const answers[] = {"S", "HTTP/2", "HTTP/1.1  200", "HTTP/1.1 2000 OK",
		"HTTP/1.1 2x0", "SSH-2.0-OpenSSH_9.2", "\x15\x03\x01", "\r\n", "http/1.1 200 OK"};
	(void)state;
	for (size_t i = 0; i < sizeof(answers) / sizeof(answers[0]); i++) {
		assert_int_equal(read_answer(answers[i]), -EPROTO);
		assert_non_null(strstr(err.text, "check proxy"));
	}
}

static void an_answer_without_end_is_refused(void **state)
{
	char answer[PROXY_ANSWER_MAX];
	(void)state;
	memset(answer, 'x', sizeof(answer));
	memcpy(answer, "HTTP/1.1 200 OK\r\nVia: ", 22);
	assert_int_equal(proxy_read_answer(answer, sizeof(answer) - 1, &used, &err), 0);
	assert_int_equal(proxy_read_answer(answer, sizeof(answer), &used, &err), -EPROTO);
	assert_non_null(strstr(err.text, "8192"));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_tunnel_is_asked_for_by_name),
		cmocka_unit_test(credentials_are_basic_ones),
		cmocka_unit_test(a_2xx_opens_the_tunnel),
		cmocka_unit_test(an_answer_may_come_byte_by_byte),
		cmocka_unit_test(interim_answers_are_skipped),
		cmocka_unit_test(another_status_is_a_refusal_with_its_remedy),
		cmocka_unit_test(what_is_no_http_is_refused_at_its_first_wrong_byte),
		cmocka_unit_test(an_answer_without_end_is_refused),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}

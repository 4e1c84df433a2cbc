#include "apns/proxy.h"

#include "base/mem.h"

#include <errno.h>
#include <openssl/evp.h>
#include <stdbool.h>
#include <string.h>

#define STATUS_LINE_MIN 12 /* "HTTP/1.1 200" */

static void write_login(struct buf *out, const char *login)
{
	unsigned char text[PROXY_LOGIN_MAX * 4 / 3 + 5];
	size_t size = strlen(login);
	if (size > PROXY_LOGIN_MAX)
		size = PROXY_LOGIN_MAX;
	EVP_EncodeBlock(text, (const unsigned char *)login, (int)size);
	buf_append_text(out, "Proxy-Authorization: Basic ");
	buf_append_text(out, (const char *)text);
	buf_append_text(out, "\r\n");
	OPENSSL_cleanse(text, sizeof(text));
}

void proxy_write_request(struct buf *out, const char *host, uint16_t port, const char *login)
{
	/* RFC 3986: an IPv6 address is in brackets. */
	bool is_ipv6 = strchr(host, ':');
	mem_auto char *target = mem_printf(
		"%s%s%s:%u", is_ipv6 ? "[" : "", host, is_ipv6 ? "]" : "", (unsigned)port);
	buf_printf(out, "CONNECT %s HTTP/1.1\r\nHost: %s\r\n", target, target);
	if (login)
		write_login(out, login);
	buf_append_text(out, "\r\n");
}

/* The size of the head at `bytes` with the empty line that ends it; 0: incomplete. */
static size_t head_size(const char *bytes, size_t size)
{
	for (size_t i = 0; i < size; i++) {
		if (bytes[i] != '\n')
			continue;
		if (i + 1 < size && bytes[i + 1] == '\n')
			return i + 2;
		if (i + 2 < size && bytes[i + 1] == '\r' && bytes[i + 2] == '\n')
			return i + 3;
	}
	return 0;
}

static bool is_digit(char c)
{
	return c >= '0' && c <= '9';
}

/* Can these bytes be the beginning of a status line? */
static bool may_be_status_line(const char *bytes, size_t size)
{
	static const char form[] = "HTTP/1.# ###";
	for (size_t i = 0; i < size && i < STATUS_LINE_MIN; i++) {
		if (form[i] == '#' ? !is_digit(bytes[i]) : bytes[i] != form[i])
			return false;
	}
	return size <= STATUS_LINE_MIN || memchr(" \r\n", bytes[STATUS_LINE_MIN], 3);
}

static int refused(int status, struct err *err)
{
	const char *remedy = "check proxy, and the rules of that proxy";
	if (status == 407)
		remedy = "correct the user and password in proxy_password_file";
	else if (status == 403)
		remedy = "allow CONNECT to apns_host and apns_port there";
	else if (status >= 500)
		remedy = "it cannot reach apns_host; see its log";
	return err_set(
		err, -EACCES, "the proxy refuses the tunnel with status %d; %s", status, remedy);
}

int proxy_read_answer(const char *bytes, size_t size, size_t *ret_used, struct err *err)
{
	size_t used = 0;
	for (;;) {
		const char *head = bytes + used;
		size_t left = size - used;
		if (!may_be_status_line(head, left))
			return err_set(err, -EPROTO,
				"the proxy does not answer in HTTP/1; check proxy (host and port)");
		size_t head_end = head_size(head, left);
		if (used + head_end > PROXY_ANSWER_MAX || (!head_end && size >= PROXY_ANSWER_MAX))
			return err_set(err, -EPROTO,
				"the proxy's answer is longer than %d bytes; check proxy",
				PROXY_ANSWER_MAX);
		if (!head_end)
			return 0;
		used += head_end;
		int status = (head[9] - '0') * 100 + (head[10] - '0') * 10 + (head[11] - '0');
		if (status >= 100 && status < 200 && status != 101)
			continue;
		if (status < 200 || status > 299)
			return refused(status, err);
		*ret_used = used;
		return 1;
	}
}

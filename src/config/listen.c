#include "config/listen.h"

#include "base/units.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

static bool parse_host(const char *host, bool is_v6, uint16_t port, struct sockaddr_storage *ret)
{
	*ret = (struct sockaddr_storage){0};
	if (is_v6) {
		struct sockaddr_in6 *v6 = (struct sockaddr_in6 *)ret;
		v6->sin6_family = AF_INET6;
		v6->sin6_port = htons(port);
		return inet_pton(AF_INET6, host, &v6->sin6_addr) == 1;
	}
	struct sockaddr_in *v4 = (struct sockaddr_in *)ret;
	v4->sin_family = AF_INET;
	v4->sin_port = htons(port);
	return inet_pton(AF_INET, host, &v4->sin_addr) == 1;
}

bool listen_parse(const char *text, struct sockaddr_storage *ret)
{
	struct sockaddr_storage none = {.ss_family = AF_UNSPEC};
	if (!*text) {
		*ret = none;
		return true;
	}
	bool is_v6 = *text == '[';
	const char *colon = strrchr(text, ':');
	int64_t port;
	if (!colon || !units_parse_number(colon + 1, &port) || port < 1 || port > 65535)
		return false;
	const char *begin = is_v6 ? text + 1 : text;
	const char *end = is_v6 ? colon - 1 : colon;
	char host[INET6_ADDRSTRLEN];
	if (end <= begin || (is_v6 && *end != ']') || (size_t)(end - begin) >= sizeof(host))
		return false;
	memcpy(host, begin, (size_t)(end - begin));
	host[end - begin] = '\0';
	return parse_host(host, is_v6, (uint16_t)port, ret);
}

bool listen_is_loopback(const struct sockaddr_storage *address)
{
	if (address->ss_family == AF_INET6)
		return IN6_IS_ADDR_LOOPBACK(&((const struct sockaddr_in6 *)address)->sin6_addr);
	const struct sockaddr_in *v4 = (const struct sockaddr_in *)address;
	return ntohl(v4->sin_addr.s_addr) >> 24 == 127;
}

void listen_print(const struct sockaddr_storage *address, char *ret, size_t size)
{
	char host[INET6_ADDRSTRLEN] = "?";
	if (address->ss_family == AF_INET6) {
		const struct sockaddr_in6 *v6 = (const struct sockaddr_in6 *)address;
		inet_ntop(AF_INET6, &v6->sin6_addr, host, sizeof(host));
		snprintf(ret, size, "[%s]:%u", host, ntohs(v6->sin6_port));
		return;
	}
	const struct sockaddr_in *v4 = (const struct sockaddr_in *)address;
	inet_ntop(AF_INET, &v4->sin_addr, host, sizeof(host));
	snprintf(ret, size, "%s:%u", host, ntohs(v4->sin_port));
}

int listen_bind(
	const struct sockaddr_storage *address, const char *key, int *ret_fd, struct err *err)
{
	char name[INET6_ADDRSTRLEN + 16];
	listen_print(address, name, sizeof(name));
	socklen_t size = address->ss_family == AF_INET6 ? sizeof(struct sockaddr_in6)
							: sizeof(struct sockaddr_in);
	int on = 1;
	int fd = socket(address->ss_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	if (fd >= 0 && !setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on)) &&
		!bind(fd, (const struct sockaddr *)address, size)) {
		*ret_fd = fd;
		return 0;
	}
	int code = errno;
	if (fd >= 0)
		close(fd);
	return err_set(err, -code, "cannot listen on %s (%s): %s%s", name, key, strerror(code),
		code == EADDRINUSE ? "; another program has that port, choose another" : "");
}

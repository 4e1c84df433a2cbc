#include "config/proxy_setting.h"

#include "apns/proxy.h"
#include "base/mem.h"
#include "base/units.h"

#include <ctype.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define HOST_MAX 253
#define ROOM 16 /* for the ends of lines */

static bool is_host(const char *host, size_t size)
{
	for (size_t i = 0; i < size; i++) {
		if (!isalnum((unsigned char)host[i]) && !strchr(".-_:", host[i]))
			return false;
	}
	return size > 0 && size <= HOST_MAX;
}

bool proxy_setting_parse(
	const char *value, char **ret_host, uint16_t *ret_port, char *why, size_t why_size)
{
	static const char scheme[] = "http://";
	const char *host = value;
	if (strchr(value, '@')) {
		snprintf(why, why_size,
			"has a user in it; put \"user:password\" into a file and name that in "
			"proxy_password_file");
		return false;
	}
	if (strncmp(value, scheme, strlen(scheme)) == 0)
		host += strlen(scheme);
	const char *colon = strrchr(host, ':');
	size_t size = colon ? (size_t)(colon - host) : 0;
	bool is_bracketed = size > 2 && host[0] == '[' && host[size - 1] == ']';
	if (is_bracketed) {
		host++;
		size -= 2;
	}
	int64_t port;
	if (!colon || !units_parse_number(colon + 1, &port) || port < 1 || port > UINT16_MAX ||
		!is_host(host, size) || (!is_bracketed && memchr(host, ':', size))) {
		snprintf(why, why_size,
			"is not an HTTP proxy; write its host and port, such as "
			"\"proxy.example.com:3128\" or \"[2001:db8::1]:3128\"");
		return false;
	}
	*ret_host = mem_dup_n(host, size);
	*ret_port = (uint16_t)port;
	return true;
}

/* Returns the size, or -errno.  Does not wait for a pipe or a device. */
static ssize_t read_file(const char *path, char *bytes, size_t size)
{
	struct stat status;
	int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);
	if (fd < 0)
		return -errno;
	ssize_t n = -EINVAL;
	if (fstat(fd, &status) == 0 && S_ISREG(status.st_mode) && (n = read(fd, bytes, size)) < 0)
		n = -errno;
	close(fd);
	return n;
}

bool proxy_setting_read_login(const char *path, char **ret, char *why, size_t why_size)
{
	char text[PROXY_LOGIN_MAX + ROOM];
	ssize_t n = read_file(path, text, sizeof(text) - 1);
	if (n < 0) {
		snprintf(why, why_size,
			"cannot be read: %s; name a file that the daemon's user may read",
			strerror((int)-n));
		return false;
	}
	text[n] = '\0';
	size_t size = strcspn(text, "\r\n");
	const char *colon = memchr(text, ':', size);
	if (!colon || colon == text || size > PROXY_LOGIN_MAX ||
		size + strspn(text + size, "\r\n") != (size_t)n) {
		snprintf(why, why_size,
			"is not one line \"user:password\" of at most %d bytes, with nothing "
			"behind "
			"it",
			PROXY_LOGIN_MAX);
		return false;
	}
	*ret = mem_dup_n(text, size);
	return true;
}

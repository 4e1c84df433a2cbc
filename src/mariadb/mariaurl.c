#include "mariadb/mariaurl.h"

#include "base/buf.h"
#include "base/mem.h"
#include "base/urltext.h"

#include <errno.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#define HOSTS_MAX 16
/* The server's own bounds. */
#define USER_MAX 128
#define DATABASE_MAX 64
#define PATH_MAX_SIZE 1024

static int refuse(const char *why, struct err *err)
{
	return err_set(err, -EINVAL,
		"is not a url of a MariaDB database: %s; write " MARIAURL_EXAMPLE, why);
}

/* NULL: there is what no name may have. */
static char *decode(const char *text, size_t size, size_t max)
{
	mem_auto char *plain = mem_alloc(size + 1);
	ssize_t length = urltext_decode(text, size, plain);
	for (ssize_t i = 0; i < length; i++)
		if ((unsigned char)plain[i] < ' ' || plain[i] == 127)
			return NULL;
	return length > 0 && (size_t)length <= max ? mem_steal(plain) : NULL;
}

static bool read_port(const char *text, size_t size, unsigned *ret)
{
	unsigned port = 0;
	for (size_t i = 0; i < size; i++) {
		if (text[i] < '0' || text[i] > '9' || port > 65535)
			return false;
		port = port * 10 + (unsigned)(text[i] - '0');
	}
	*ret = port;
	return port > 0 && port <= 65535;
}

static bool is_host_name(const char *name)
{
	static const char allowed[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ"
				      "0123456789.-_:%";
	return strlen(name) == strspn(name, allowed);
}

/* "host", "host:3307", "[::1]:3307". */
static bool read_host(const char *text, size_t size, struct mariaurl_host *ret)
{
	bool is_bracketed = size > 0 && *text == '[';
	const char *end = is_bracketed ? memchr(text, ']', size) : memchr(text, ':', size);
	if (is_bracketed && !end)
		return false;
	size_t length = end ? (size_t)(end - text) : size;
	size_t name_at = is_bracketed ? 1 : 0;
	ret->name = length > name_at ? mem_dup_n(text + name_at, length - name_at) : NULL;
	if (!ret->name || !is_host_name(ret->name))
		return false;
	size_t rest = is_bracketed ? length + 1 : length;
	if (rest < size &&
		(text[rest] != ':' || !read_port(text + rest + 1, size - rest - 1, &ret->port)))
		return false;
	ret->shown = mem_dup_n(text, size);
	return true;
}

static int read_hosts(struct mariaurl *url, const char *text, size_t size, struct err *err)
{
	for (size_t at = 0; size > 0 && at <= size;) {
		const char *comma = memchr(text + at, ',', size - at);
		size_t length = comma ? (size_t)(comma - text) - at : size - at;
		if (url->host_count == HOSTS_MAX)
			return refuse("it names more than 16 hosts", err);
		url->hosts =
			mem_realloc_array(url->hosts, url->host_count + 1, sizeof(*url->hosts));
		struct mariaurl_host *host = &url->hosts[url->host_count++];
		*host = (struct mariaurl_host){0};
		if (!read_host(text + at, length, host))
			return refuse("a host is a name or an address, with a colon and a port "
				      "if it is not 3306",
				err);
		at += length + 1;
	}
	return 0;
}

/* user@hosts */
static int read_front(struct mariaurl *url, const char *text, size_t size, struct err *err)
{
	const char *at = memchr(text, '@', size);
	if (at) {
		size_t length = (size_t)(at - text);
		if (memchr(text, ':', length))
			return refuse("a password does not belong in it", err);
		url->user = decode(text, length, USER_MAX);
		if (!url->user)
			return refuse("the user before the @ is none", err);
		size -= length + 1;
		text = at + 1;
	}
	return read_hosts(url, text, size, err);
}

/* Each absolute path among the parameters. */
static char **path_of(struct mariaurl *url, const char *name, size_t size)
{
	const struct {
		const char *name;
		char **at;
	} paths[] = {{"socket", &url->socket}, {"ssl_ca", &url->ssl_ca},
		{"ssl_cert", &url->ssl_cert}, {"ssl_key", &url->ssl_key},
		{"option_file", &url->option_file}};
	for (size_t i = 0; i < sizeof(paths) / sizeof(paths[0]); i++) {
		if (strlen(paths[i].name) == size && memcmp(paths[i].name, name, size) == 0)
			return paths[i].at;
	}
	return NULL;
}

static bool is_name(const char *name, size_t size, const char *wanted)
{
	return size == strlen(wanted) && memcmp(name, wanted, size) == 0;
}

static int read_parameter(struct mariaurl *url, const char *text, size_t size, struct err *err)
{
	const char *equals = memchr(text, '=', size);
	size_t length = equals ? (size_t)(equals - text) : size;
	mem_auto char *value = equals ? decode(equals + 1, size - length - 1, PATH_MAX_SIZE) : NULL;
	char **path = path_of(url, text, length);
	if (path) {
		if (!value || *value != '/')
			return refuse("socket, option_file, ssl_ca, ssl_cert and ssl_key are "
				      "absolute paths",
				err);
		free(*path);
		*path = mem_steal(value);
		return 0;
	}
	if (is_name(text, length, "option_group") && value) {
		free(url->option_group);
		url->option_group = mem_steal(value);
		return 0;
	}
	if (is_name(text, length, "ssl_verify")) {
		if (!value || (strcmp(value, "yes") != 0 && strcmp(value, "no") != 0))
			return refuse("ssl_verify is yes or no", err);
		url->tls = *value == 'y' ? MARIAURL_TLS_VERIFIED : MARIAURL_TLS_ENCRYPTED;
		return 0;
	}
	return refuse("its parameters are socket, ssl_ca, ssl_verify, ssl_cert, ssl_key, "
		      "option_file and option_group",
		err);
}

static int read_parameters(struct mariaurl *url, const char *text, struct err *err)
{
	int failed = 0;
	while (*text && !failed) {
		size_t size = strcspn(text, "&");
		failed = read_parameter(url, text, size, err);
		text += size + (text[size] == '&');
	}
	return failed;
}

static int check_together(struct mariaurl *url, struct err *err)
{
	if (!url->database)
		return refuse("it names no database", err);
	if (url->socket && url->host_count > 0)
		return refuse("it has both a host and a socket", err);
	if (!url->ssl_cert != !url->ssl_key)
		return refuse("ssl_cert and ssl_key go together", err);
	if (url->option_group && !url->option_file)
		return refuse("option_group needs option_file", err);
	/* Whoever names an authority wants to know who the server is. */
	if (url->tls == MARIAURL_TLS_UNSAID && (url->ssl_ca || url->ssl_cert))
		url->tls = MARIAURL_TLS_VERIFIED;
	if (url->host_count == 0) {
		url->hosts = mem_alloc_zero(1, sizeof(*url->hosts));
		url->hosts[url->host_count++].shown = mem_dup(url->socket ? url->socket : "");
	}
	return 0;
}

static char *make_name(const struct mariaurl *url)
{
	struct buf name;
	buf_init(&name);
	buf_append_text(&name, "mariadb://");
	if (url->user)
		buf_printf(&name, "%s@", url->user);
	for (size_t i = 0; i < url->host_count && !url->socket; i++)
		buf_printf(&name, "%s%s", i ? "," : "", url->hosts[i].shown);
	buf_printf(&name, "/%s", url->database);
	if (url->socket)
		buf_printf(&name, "?socket=%s", url->socket);
	char *text = mem_dup(buf_text(&name));
	buf_fini(&name);
	return text;
}

int mariaurl_new(const char *place, struct mariaurl **ret, struct err *err)
{
	if (strncmp(place, "//", 2) != 0)
		return refuse("it has no // behind mariadb:", err);
	const char *front = place + 2;
	size_t front_size = strcspn(front, "/?");
	const char *path = front + front_size;
	size_t path_size = strcspn(path, "?");
	struct mariaurl *url = mem_alloc_zero(1, sizeof(*url));
	int failed = read_front(url, front, front_size, err);
	if (!failed && path_size > 1) {
		url->database = decode(path + 1, path_size - 1, DATABASE_MAX);
		if (!url->database)
			failed = refuse("the database behind the / is none", err);
	}
	if (!failed && path[path_size] == '?')
		failed = read_parameters(url, path + path_size + 1, err);
	if (!failed)
		failed = check_together(url, err);
	if (failed) {
		mariaurl_free(url);
		return failed;
	}
	url->name = make_name(url);
	*ret = url;
	return 0;
}

void mariaurl_free(struct mariaurl *url)
{
	if (!url)
		return;
	for (size_t i = 0; i < url->host_count; i++) {
		free(url->hosts[i].name);
		free(url->hosts[i].shown);
	}
	free(url->hosts);
	free(url->user);
	free(url->database);
	free(url->socket);
	free(url->ssl_ca);
	free(url->ssl_cert);
	free(url->ssl_key);
	free(url->option_file);
	free(url->option_group);
	free(url->name);
	free(url);
}

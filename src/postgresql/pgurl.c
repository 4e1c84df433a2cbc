#include "postgresql/pgurl.h"

#include "base/buf.h"
#include "base/mem.h"
#include "base/urltext.h"
#include "driver/ops.h"
#include "driver/regular_file.h"

#include <arpa/inet.h>
#include <assert.h>
#include <errno.h>
#include <libpq-fe.h>
#include <netinet/in.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

/* One of the hosts: the parts of the three lists that are its. */
struct host {
	char *name;
	char *address;
	char *port;
	char *shown;
};

struct pgurl {
	PQconninfoOption *options;
	char *name;
	struct host *hosts;
	size_t host_count;
};

static const char *find(const PQconninfoOption *options, const char *name)
{
	for (const PQconninfoOption *option = options; option && option->keyword; option++) {
		if (strcmp(option->keyword, name) == 0)
			return option->val && *option->val ? option->val : NULL;
	}
	return NULL;
}

const char *pgurl_parameter(const struct pgurl *url, const char *name)
{
	return find(url->options, name);
}

static size_t parts(const char *list)
{
	size_t count = list ? 1 : 0;
	for (; list && *list; list++)
		count += *list == ',';
	return count;
}

/* Part n of a list with commas; NULL if there is none, or it is empty. */
static char *part(const char *list, size_t n)
{
	for (; list && n > 0; n--) {
		list = strchr(list, ',');
		list = list ? list + 1 : NULL;
	}
	size_t size = list ? strcspn(list, ",") : 0;
	return size ? mem_dup_n(list, size) : NULL;
}

static void set_hosts(struct pgurl *url, const PQconninfoOption *options)
{
	const char *names = find(options, "host");
	const char *addresses = find(options, "hostaddr");
	const char *ports = find(options, "port");
	size_t count = parts(names) > parts(addresses) ? parts(names) : parts(addresses);
	url->host_count = count ? count : 1;
	url->hosts = mem_alloc_zero(url->host_count, sizeof(*url->hosts));
	for (size_t i = 0; i < url->host_count; i++) {
		struct host *host = &url->hosts[i];
		host->name = part(names, i);
		host->address = part(addresses, i);
		/* One port is that of all hosts. */
		host->port = part(ports, parts(ports) > 1 ? i : 0);
		const char *shown = host->name ? host->name : host->address;
		host->shown = shown && host->port ? mem_printf("%s:%s", shown, host->port)
						  : mem_dup(shown ? shown : "");
	}
}

static void take_all(const struct pgurl *url, struct pgurl_parameters *parameters)
{
	for (const PQconninfoOption *option = url->options; option->keyword; option++) {
		if (option->val && *option->val)
			pgurl_set(parameters, option->keyword, option->val);
	}
}

/*
 * All that libpq adds to a url, from its service file and the environment; it tells so of a
 * connection only, hence one with a parameter that keeps it from going any further.
 */
static PQconninfoOption *complete(const struct pgurl *url)
{
	struct pgurl_parameters parameters = {0};
	take_all(url, &parameters);
	pgurl_set(&parameters, "target_session_attrs", "nobody");
	/* So that it looks for none in the pass file. */
	pgurl_set(&parameters, "password", "none");
	PGconn *conn = PQconnectStartParams(parameters.names, parameters.values, 0);
	PQconninfoOption *options = PQconninfo(conn);
	PQfinish(conn);
	return options;
}

/* As libpq looks for them; that of the system is its administrator's. */
static int check_service_file(const struct pgurl *url, struct err *err)
{
	if (!pgurl_parameter(url, "service") && !getenv("PGSERVICE"))
		return 0;
	const char *named = pgurl_parameter(url, "servicefile");
	if (!named)
		named = getenv("PGSERVICEFILE");
	const char *home = getenv("HOME");
	const char *system = getenv("PGSYSCONFDIR");
	mem_auto char *of_user = home && !named ? mem_printf("%s/.pg_service.conf", home) : NULL;
	mem_auto char *of_system = system ? mem_printf("%s/pg_service.conf", system) : NULL;
	int failed = regular_file_check(named ? named : of_user, err);
	return failed ? failed : regular_file_check(of_system, err);
}

int pgurl_check_files(const struct pgurl *url, struct err *err)
{
	static const char *const names[] = {
		"passfile", "sslrootcert", "sslcert", "sslkey", "sslcrl"};
	int failed = check_service_file(url, err);
	if (failed)
		return failed;
	PQconninfoOption *options = complete(url);
	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]) && !failed; i++)
		failed = regular_file_check(find(options, names[i]), err);
	PQconninfoFree(options);
	return failed;
}

static void find_hosts(struct pgurl *url)
{
	struct err err;
	if (pgurl_parameter(url, "host") || pgurl_parameter(url, "hostaddr") ||
		check_service_file(url, &err)) {
		set_hosts(url, url->options);
		return;
	}
	PQconninfoOption *options = complete(url);
	bool has_one = find(options, "host") || find(options, "hostaddr");
	set_hosts(url, has_one ? options : url->options);
	PQconninfoFree(options);
}

static char *make_name(const struct pgurl *url)
{
	struct buf name;
	buf_init(&name);
	buf_append_text(&name, "postgresql://");
	const char *user = pgurl_parameter(url, "user");
	if (user)
		buf_printf(&name, "%s@", user);
	for (size_t i = 0; i < url->host_count; i++)
		buf_printf(&name, "%s%s", i ? "," : "", url->hosts[i].shown);
	const char *database = pgurl_parameter(url, "dbname");
	const char *service = pgurl_parameter(url, "service");
	if (database)
		buf_printf(&name, "/%s", database);
	if (service)
		buf_printf(&name, "?service=%s", service);
	char *text = mem_dup(buf_text(&name));
	buf_fini(&name);
	return text;
}

static int refuse(const char *why, const char *name, struct err *err)
{
	return err_set(err, -EINVAL,
		"is not a url that PostgreSQL's library can read%s%s%s; "
		"write postgresql://user@host/database",
		why, name, *name ? "'" : "");
}

/* Says which parameter libpq does not know, as people misspell them: the name alone. */
static int refuse_unread(const char *text, struct err *err)
{
	PQconninfoOption *known = PQconninfoParse("", NULL);
	char unknown[40] = "";
	for (const char *at = strchr(text, '?'); at && !*unknown; at = strchr(at, '&')) {
		char name[sizeof(unknown)];
		size_t size = strcspn(++at, "=&");
		if (at[size] != '=' || size >= sizeof(name) || urltext_decode(at, size, name) < 1 ||
			name[strspn(name, "abcdefghijklmnopqrstuvwxyz0123456789_")])
			continue;
		const PQconninfoOption *option = known;
		while (option && option->keyword && strcmp(option->keyword, name) != 0)
			option++;
		if (option && !option->keyword && strcmp(name, "ssl") != 0)
			memcpy(unknown, name, sizeof(unknown));
	}
	PQconninfoFree(known);
	return refuse(*unknown ? ": it knows no parameter '" : "", unknown, err);
}

/* What libpq itself does not show to people. */
static bool has_secret(const PQconninfoOption *options)
{
	for (const PQconninfoOption *option = options; option->keyword; option++) {
		if (option->val && option->dispchar && strchr(option->dispchar, '*'))
			return true;
	}
	return false;
}

static int check_options(const PQconninfoOption *options, struct err *err)
{
	if (has_secret(options))
		return err_set(err, -EINVAL, "%s", OPS_HAS_PASSWORD);
	/* Else libpq would repeat it: of "user:password" without an @ it is the password. */
	const char *ports = find(options, "port");
	if (ports && ports[strspn(ports, "0123456789,")])
		return refuse(": a port is a number", "", err);
	return 0;
}

/* What libpq says is not repeated: there is a part of the url in it. */
int pgurl_new(const char *text, struct pgurl **ret, struct err *err)
{
	PQconninfoOption *options = PQconninfoParse(text, NULL);
	if (!options)
		return refuse_unread(text, err);
	int failed = check_options(options, err);
	if (failed) {
		PQconninfoFree(options);
		return failed;
	}
	struct pgurl *url = mem_alloc_zero(1, sizeof(*url));
	url->options = options;
	find_hosts(url);
	url->name = make_name(url);
	*ret = url;
	return 0;
}

void pgurl_free(struct pgurl *url)
{
	if (!url)
		return;
	for (size_t i = 0; i < url->host_count; i++) {
		free(url->hosts[i].name);
		free(url->hosts[i].address);
		free(url->hosts[i].port);
		free(url->hosts[i].shown);
	}
	free(url->hosts);
	free(url->name);
	PQconninfoFree(url->options);
	free(url);
}

const char *pgurl_name(const struct pgurl *url)
{
	return url->name;
}

size_t pgurl_host_count(const struct pgurl *url)
{
	return url->host_count;
}

const char *pgurl_host(const struct pgurl *url, size_t host)
{
	return url->hosts[host].shown;
}

static bool is_address(const char *name)
{
	uint8_t bytes[sizeof(struct in6_addr)];
	return inet_pton(AF_INET, name, bytes) == 1 || inet_pton(AF_INET6, name, bytes) == 1;
}

const char *pgurl_host_to_resolve(const struct pgurl *url, size_t host)
{
	const struct host *one = &url->hosts[host];
	bool is_name =
		one->name && !one->address && !strchr("/@", *one->name) && !is_address(one->name);
	return is_name ? one->name : NULL;
}

void pgurl_set(struct pgurl_parameters *parameters, const char *name, const char *value)
{
	size_t i = 0;
	while (i < parameters->count && strcmp(parameters->names[i], name) != 0)
		i++;
	assert(i < PGURL_PARAMETERS_MAX);
	parameters->names[i] = name;
	parameters->values[i] = value;
	if (i == parameters->count)
		parameters->count++;
	parameters->names[parameters->count] = NULL;
	parameters->values[parameters->count] = NULL;
}

void pgurl_parameters(const struct pgurl *url, size_t host, struct pgurl_parameters *ret)
{
	*ret = (struct pgurl_parameters){0};
	take_all(url, ret);
	const struct host *one = &url->hosts[host];
	if (one->name || one->address) {
		pgurl_set(ret, "host", one->name);
		pgurl_set(ret, "hostaddr", one->address);
		pgurl_set(ret, "port", one->port);
	}
}

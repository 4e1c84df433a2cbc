#include "database/database.h"

#include "base/buf.h"
#include "base/mem.h"
#include "base/urltext.h"
#include "driver/ops.h"
#include "sqlite/sqlite.h"
#ifdef MAILPUSH_MARIADB
#include "mariadb/mariadb.h"
#endif
#ifdef MAILPUSH_POSTGRESQL
#include "postgresql/postgresql.h"
#endif

#include <ctype.h>
#include <errno.h>
#include <string.h>

static const struct registry_ops *const drivers[] = {
	&sqlite_ops,
#ifdef MAILPUSH_POSTGRESQL
	&postgresql_ops,
#endif
#ifdef MAILPUSH_MARIADB
	&mariadb_ops,
#endif
};

#define DRIVERS (sizeof(drivers) / sizeof(drivers[0]))

const struct registry_ops *database_driver(const char *url, const char **ret_place)
{
	for (size_t i = 0; i < DRIVERS; i++) {
		size_t size = strlen(drivers[i]->scheme);
		if (strncmp(url, drivers[i]->scheme, size) == 0 && url[size] == ':' &&
			url[size + 1]) {
			*ret_place = url + size + 1;
			return drivers[i];
		}
	}
	return NULL;
}

/* Is "host:5432,[::1]:5433" what the text of that size says? */
static bool has_ports_alone(const char *text, size_t size)
{
	bool is_address = false;
	bool is_port = false;
	for (const char *c = text; c < text + size; c++) {
		if (is_port && *c != ',' && (*c < '0' || *c > '9'))
			return false;
		if (*c == '[' || *c == ']')
			is_address = *c == '[';
		else if (*c == ',' || (*c == ':' && !is_address))
			is_port = *c == ':';
	}
	return true;
}

/* In small letters; what is not percent-encoding as it is. */
static char *parameter_name(const char *text, size_t size)
{
	char *name = mem_alloc_zero(size + 1, 1);
	if (urltext_decode(text, size, name) < 0) {
		memcpy(name, text, size);
		name[size] = '\0';
	}
	for (char *c = name; *c; c++)
		*c = (char)tolower((unsigned char)*c);
	return name;
}

/* Of PostgreSQL's and MariaDB's libraries, and of some that are newer than ours. */
static bool is_secret_name(const char *name)
{
	static const char *const parts[] = {"pass", "pwd", "secret", "scram_"};
	if (strcmp(name, "passfile") == 0)
		return false;
	for (size_t i = 0; i < sizeof(parts) / sizeof(parts[0]); i++) {
		if (strstr(name, parts[i]))
			return true;
	}
	return false;
}

static bool has_secret_parameter(const char *url)
{
	static const char separators[] = "?&;";
	for (const char *at = strpbrk(url, separators); at; at = strpbrk(at, separators)) {
		at++;
		size_t size = strcspn(at, "=?&;");
		mem_auto char *name = parameter_name(at, size);
		if (at[size] == '=' && is_secret_name(name))
			return true;
	}
	return false;
}

bool database_has_password(const char *url)
{
	const char *place;
	const struct registry_ops *driver = database_driver(url, &place);
	if (driver && driver->file(place))
		return false;
	if (has_secret_parameter(url))
		return true;
	const char *slashes = strstr(url, "://");
	if (!slashes)
		return false;
	const char *authority = slashes + 3;
	size_t size = strcspn(authority, "/?#");
	const char *at = memrchr(authority, '@', size);
	const char *end = at ? at : authority + size;
	if (at && memchr(authority, ':', (size_t)(at - authority)))
		return true;
	/* A slash or the like may be in it as it is, so that libraries take it for a port. */
	if (!at && strchr(end, '@') && !has_ports_alone(authority, size))
		return true;
	return false;
}

static int refuse_kind(struct err *err)
{
	struct buf examples;
	buf_init(&examples);
	for (size_t i = 0; i < DRIVERS; i++)
		buf_printf(&examples, "%s\"%s\"", i ? " or " : "", drivers[i]->example);
	err_set(err, -EINVAL, "is not a database that this version knows; write one such as %s",
		buf_text(&examples));
	buf_fini(&examples);
	return -EINVAL;
}

int database_check(const char *url, struct err *err)
{
	if (database_has_password(url))
		return err_set(err, -EINVAL, "%s", OPS_HAS_PASSWORD);
	const char *place;
	const struct registry_ops *driver = database_driver(url, &place);
	return driver ? driver->check(place, err) : refuse_kind(err);
}

char *database_schema(const char *kind)
{
	size_t size = strcspn(kind, ":");
	for (size_t i = 0; i < DRIVERS; i++) {
		if (strlen(drivers[i]->scheme) == size &&
			strncmp(drivers[i]->scheme, kind, size) == 0)
			return drivers[i]->schema();
	}
	return NULL;
}

char *database_kinds(void)
{
	struct buf kinds;
	buf_init(&kinds);
	for (size_t i = 0; i < DRIVERS; i++)
		buf_printf(&kinds, "%s%s",
			i == 0			  ? ""
				: i + 1 < DRIVERS ? ", "
						  : " or ",
			drivers[i]->scheme);
	char *text = mem_dup(buf_text(&kinds));
	buf_fini(&kinds);
	return text;
}

const char *database_file(const char *url)
{
	const char *place;
	const struct registry_ops *driver = database_driver(url, &place);
	return driver ? driver->file(place) : NULL;
}

char *database_name(const char *url)
{
	const char *place;
	const struct registry_ops *driver = database_driver(url, &place);
	return driver ? driver->name(place) : mem_dup("");
}

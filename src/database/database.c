#include "database/database.h"

#include "base/buf.h"
#include "base/mem.h"
#include "registry/ops.h"
#include "sqlite/sqlite.h"
#ifdef MAILPUSH_MARIADB
#include "mariadb/mariadb.h"
#endif
#ifdef MAILPUSH_POSTGRESQL
#include "postgresql/postgresql.h"
#endif

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

bool database_has_password(const char *url)
{
	const char *slashes = strstr(url, "://");
	if (!slashes)
		return false;
	const char *user = slashes + 3;
	/* A slash or question mark may stand in it as it is, which libraries read otherwise. */
	const char *at = strchr(user, '@');
	return (at && memchr(user, ':', (size_t)(at - user))) || strstr(user, "password=");
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
		return err_set(err, -EINVAL,
			"has a password in it, which others could read here; write it into a file "
			"of its own, and name that in registry_password_file");
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

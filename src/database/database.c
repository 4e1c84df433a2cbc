#include "database/database.h"

#include "registry/ops.h"
#include "sqlite/sqlite.h"
#ifdef MAILPUSH_POSTGRESQL
#include "postgresql/postgresql.h"
#endif

#include <string.h>

static const struct registry_ops *const drivers[] = {
	&sqlite_ops,
#ifdef MAILPUSH_POSTGRESQL
	&postgresql_ops,
#endif
};

const struct registry_ops *database_driver(const char *url, const char **ret_place)
{
	for (size_t i = 0; i < sizeof(drivers) / sizeof(drivers[0]); i++) {
		size_t size = strlen(drivers[i]->scheme);
		if (strncmp(url, drivers[i]->scheme, size) == 0 && url[size] == ':' &&
			url[size + 1]) {
			*ret_place = url + size + 1;
			return drivers[i];
		}
	}
	return NULL;
}

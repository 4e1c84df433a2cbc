#include "ctl/schema.h"

#include "base/mem.h"
#include "config/config_file.h"
#include "database/database.h"

#include <stdio.h>
#include <string.h>

#define DEFAULT_CONFIG "/etc/mailpush/mailpush.conf"

/* A url is not repeated behind its scheme: there may be a password in it. */
static enum client_exit print_schema(const char *kind)
{
	mem_auto char *sql = database_schema(kind);
	mem_auto char *kinds = database_kinds();
	if (!sql) {
		fprintf(stderr,
			"mailpushctl: there is no kind of registry '%.*s'; write %s, or nothing "
			"for the one in mailpush.conf\n",
			(int)strcspn(kind, ":"), kind, kinds);
		return CLIENT_USAGE;
	}
	fputs(sql, stdout);
	return CLIENT_FINE;
}

enum client_exit schema_print(const char *kind, const char *config_path)
{
	if (kind)
		return print_schema(kind);
	struct err err;
	struct config *config = NULL;
	if (config_file_read(
		    config_path ? config_path : DEFAULT_CONFIG, "--config", &config, &err)) {
		fprintf(stderr, "mailpushctl: %s\n", err.text);
		return CLIENT_FAILED;
	}
	enum client_exit result = print_schema(config->registry);
	config_file_free(config);
	return result;
}

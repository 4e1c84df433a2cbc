/* A MariaDB or MySQL server, over the link that the registry has to its own, row by row. */
#include "base/mem.h"
#include "mariadb/marialink.h"
#include "transfer/sql.h"

#include <string.h>

/* The first row takes as long as the server needs to sort the tables. */
#define TIMEOUT_MS (120 * 1000)

struct server {
	struct sql sql;
	struct marialink *link;
};

static struct server *server_of(struct sql *sql)
{
	return MEM_CONTAINER(sql, struct server, sql);
}

static void close_server(struct sql *sql)
{
	struct server *server = server_of(sql);
	marialink_free(server->link);
	free(server);
}

static int open_server(
	const char *dsn, const char *password_file, struct sql **ret, struct err *err)
{
	const struct marialink_settings settings = {.place = strchr(dsn, ':') + 1,
		.password_file = password_file,
		.timeout_ms = TIMEOUT_MS,
		.is_foreign = true};
	struct marialink *link = NULL;
	int failed = marialink_new(&settings, &link, err);
	if (failed)
		return failed;
	struct server *server = mem_alloc_zero(1, sizeof(*server));
	server->sql.ops = &sql_mariadb_ops;
	server->link = link;
	*ret = &server->sql;
	return 0;
}

static char *text(const char *column)
{
	return mem_printf("LEFT(CONVERT(%s USING utf8mb4), %d)", column, SQL_TEXT_MAX);
}

static char *order(const char *text)
{
	return mem_printf("CAST(%s AS BINARY)", text);
}

static int ask(struct sql *sql, const char *query, struct err *err)
{
	struct marialink *link = server_of(sql)->link;
	bool is_new;
	int failed = marialink_connect(link, &is_new, err);
	return failed ? failed : marialink_stream(link, query, err);
}

static int row(struct sql *sql, const char *ret_texts[SQL_COLUMNS], struct err *err)
{
	struct mariarows rows;
	struct marialink *link = server_of(sql)->link;
	int found = marialink_next_row(link, &rows, err);
	if (found == 1 && mariavalue_check(&rows, SQL_COLUMNS))
		return marialink_leave(link,
			"the server's answer is malformed: it has another number of columns", err);
	for (int i = 0; i < SQL_COLUMNS && found == 1; i++)
		ret_texts[i] = rows.row[i];
	return found;
}

const struct sql_ops sql_mariadb_ops = {
	.quote = '`',
	.open = open_server,
	.text = text,
	.order = order,
	.ask = ask,
	.row = row,
	.close = close_server,
};

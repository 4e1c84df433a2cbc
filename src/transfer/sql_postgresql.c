/* A PostgreSQL server, over the link that the registry has to its own: a cursor, page by page. */
#include "transfer/sql.h"
#include "base/mem.h"
#include "postgresql/pglink.h"

#include <libpq-fe.h>

/* The first page takes as long as the server needs to sort the tables. */
#define TIMEOUT_MS (120 * 1000)
/* With SQL_COLUMNS texts each: 20 MB at most, 100 kB as a rule. */
#define FETCH_PAGE "FETCH 500 FROM mailpush_import"

struct server {
	struct sql sql;
	struct pglink *link;
	PGresult *page;
	int at; /* the next row of the page */
};

static struct server *server_of(struct sql *sql)
{
	return MEM_CONTAINER(sql, struct server, sql);
}

static void close_server(struct sql *sql)
{
	struct server *server = server_of(sql);
	PQclear(server->page);
	pglink_free(server->link);
	free(server);
}

static int open_server(
	const char *dsn, const char *password_file, struct sql **ret, struct err *err)
{
	const struct pglink_settings settings = {.url = dsn,
		.password_file = password_file,
		.timeout_ms = TIMEOUT_MS,
		.is_foreign = true};
	struct pglink *link = NULL;
	int failed = pglink_new(&settings, &link, err);
	if (failed)
		return failed;
	struct server *server = mem_alloc_zero(1, sizeof(*server));
	server->sql.ops = &sql_postgresql_ops;
	server->link = link;
	*ret = &server->sql;
	return 0;
}

static char *text(const char *column)
{
	return mem_printf("left(CAST(%s AS text), %d)", column, SQL_TEXT_MAX);
}

static char *order(const char *text)
{
	return mem_printf("%s COLLATE \"C\"", text);
}

/* All that follows sees one state; times are written as time_text reads them. */
static int ask(struct sql *sql, const char *query, struct err *err)
{
	struct pglink *link = server_of(sql)->link;
	mem_auto char *declare =
		mem_printf("DECLARE mailpush_import NO SCROLL CURSOR FOR %s", query);
	const char *const statements[] = {"BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY",
		"SET LOCAL TimeZone = 'UTC'", "SET LOCAL DateStyle = 'ISO'", declare};
	bool is_new;
	int failed = pglink_connect(link, &is_new, err);
	for (size_t i = 0; i < sizeof(statements) / sizeof(statements[0]) && !failed; i++)
		failed = pglink_send(link, statements[i], NULL, NULL, NULL, i, err);
	return failed ? failed : pglink_wait(link, err);
}

static const char *take_page(void *ctx, size_t index, const PGresult *rows)
{
	struct server *server = ctx;
	(void)index;
	if (PQnfields(rows) != SQL_COLUMNS)
		return "it has another number of columns";
	PQclear(server->page);
	server->page = PQcopyResult(rows, PG_COPYRES_ATTRS | PG_COPYRES_TUPLES);
	server->at = 0;
	return NULL;
}

static int row(struct sql *sql, const char *ret_texts[SQL_COLUMNS], struct err *err)
{
	struct server *server = server_of(sql);
	if (server->at == PQntuples(server->page)) {
		int failed = pglink_ask(server->link, FETCH_PAGE, NULL, take_page, server, err);
		if (failed)
			return failed;
		if (PQntuples(server->page) == 0)
			return 0;
	}
	for (int i = 0; i < SQL_COLUMNS; i++)
		ret_texts[i] = PQgetisnull(server->page, server->at, i)
			? NULL
			: PQgetvalue(server->page, server->at, i);
	server->at++;
	return 1;
}

const struct sql_ops sql_postgresql_ops = {
	.quote = '"',
	.open = open_server,
	.text = text,
	.order = order,
	.ask = ask,
	.row = row,
	.close = close_server,
};

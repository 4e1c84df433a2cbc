/* An SQLite file, which is read only. */
#include "base/mem.h"
#include "transfer/sql.h"

#include <errno.h>
#include <sqlite3.h>
#include <string.h>

#define BUSY_TIMEOUT_MS 5000

struct sqlite_file {
	struct sql sql;
	char *path;
	sqlite3 *handle;
	sqlite3_stmt *query;
};

static struct sqlite_file *file_of(struct sql *sql)
{
	return MEM_CONTAINER(sql, struct sqlite_file, sql);
}

static int fail(struct sqlite_file *file, struct err *err)
{
	return err_set(err, -EIO, "cannot read '%s': %s", file->path, sqlite3_errmsg(file->handle));
}

static void close_file(struct sql *sql)
{
	struct sqlite_file *file = file_of(sql);
	sqlite3_finalize(file->query);
	sqlite3_close(file->handle);
	free(file->path);
	free(file);
}

static int open_file(const char *dsn, const char *password_file, struct sql **ret, struct err *err)
{
	const char *path = strchr(dsn, ':') + 1;
	(void)password_file;
	struct sqlite_file *file = mem_alloc_zero(1, sizeof(*file));
	file->sql.ops = &sql_sqlite_ops;
	file->path = mem_dup(path);
	if (sqlite3_open_v2(path, &file->handle, SQLITE_OPEN_READONLY, NULL) != SQLITE_OK) {
		int failed = fail(file, err);
		close_file(&file->sql);
		return failed;
	}
	sqlite3_busy_timeout(file->handle, BUSY_TIMEOUT_MS);
	/* Without it a missing column would be a text. */
	sqlite3_db_config(file->handle, SQLITE_DBCONFIG_DQS_DML, 0, NULL);
	*ret = &file->sql;
	return 0;
}

static char *text(const char *column)
{
	return mem_printf("substr(CAST(%s AS TEXT), 1, %d)", column, SQL_TEXT_MAX);
}

static char *order(const char *text)
{
	return mem_printf("%s COLLATE BINARY", text);
}

static int ask(struct sql *sql, const char *query, struct err *err)
{
	struct sqlite_file *file = file_of(sql);
	if (sqlite3_prepare_v2(file->handle, query, -1, &file->query, NULL) != SQLITE_OK)
		return fail(file, err);
	return 0;
}

static int row(struct sql *sql, const char *ret_texts[SQL_COLUMNS], struct err *err)
{
	struct sqlite_file *file = file_of(sql);
	int result = sqlite3_step(file->query);
	if (result == SQLITE_DONE)
		return 0;
	if (result != SQLITE_ROW)
		return fail(file, err);
	for (int i = 0; i < SQL_COLUMNS; i++)
		ret_texts[i] = (const char *)sqlite3_column_text(file->query, i);
	return 1;
}

const struct sql_ops sql_sqlite_ops = {
	.quote = '"',
	.open = open_file,
	.text = text,
	.order = order,
	.ask = ask,
	.row = row,
	.close = close_file,
};

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
	sqlite3_stmt *statements[2];
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
	for (int i = 0; i < 2; i++)
		sqlite3_finalize(file->statements[i]);
	sqlite3_close(file->handle);
	free(file->path);
	free(file);
}

static int open_file(const char *place, struct sql **ret, struct err *err)
{
	struct sqlite_file *file = mem_alloc_zero(1, sizeof(*file));
	file->sql.ops = &sql_sqlite_ops;
	file->path = mem_dup(place);
	if (sqlite3_open_v2(place, &file->handle, SQLITE_OPEN_READONLY, NULL) != SQLITE_OK) {
		int failed = fail(file, err);
		close_file(&file->sql);
		return failed;
	}
	sqlite3_busy_timeout(file->handle, BUSY_TIMEOUT_MS);
	/* Else a column that is not there is a text. */
	sqlite3_db_config(file->handle, SQLITE_DBCONFIG_DQS_DML, 0, NULL);
	*ret = &file->sql;
	return 0;
}

static int ask(struct sql *sql, int at, const char *query, const char *argument, struct err *err)
{
	struct sqlite_file *file = file_of(sql);
	sqlite3_stmt **statement = &file->statements[at];
	if (!*statement || strcmp(sqlite3_sql(*statement), query) != 0) {
		sqlite3_finalize(mem_steal(*statement));
		if (sqlite3_prepare_v2(file->handle, query, -1, statement, NULL) != SQLITE_OK)
			return fail(file, err);
	}
	sqlite3_reset(*statement);
	if (argument &&
		sqlite3_bind_text(*statement, 1, argument, -1, SQLITE_TRANSIENT) != SQLITE_OK)
		return fail(file, err);
	return 0;
}

static int row(struct sql *sql, int at, const char *ret_texts[SQL_COLUMNS_MAX], struct err *err)
{
	struct sqlite_file *file = file_of(sql);
	sqlite3_stmt *statement = file->statements[at];
	int result = sqlite3_step(statement);
	if (result == SQLITE_DONE)
		return 0;
	if (result != SQLITE_ROW)
		return fail(file, err);
	for (int i = 0; i < SQL_COLUMNS_MAX; i++)
		ret_texts[i] = i < sqlite3_column_count(statement)
			? (const char *)sqlite3_column_text(statement, i)
			: NULL;
	return 1;
}

const struct sql_ops sql_sqlite_ops = {
	.scheme = "sqlite",
	.quote = '"',
	.open = open_file,
	.ask = ask,
	.row = row,
	.close = close_file,
};

#include "sqlite/sqlite_query.h"

#include "base/mem.h"
#include "sqlite/mapguard.h"

#include <assert.h>
#include <errno.h>
#include <string.h>

struct sqlite *sqlite_of(struct registry_db *db)
{
	return MEM_CONTAINER(db, struct sqlite, db);
}

/* Binding fails only where memory does, or where the statement has no such parameter. */
void sqlite_query_put_number(sqlite3_stmt *query, int at, int64_t number)
{
	int failed = sqlite3_bind_int64(query, at, number);
	assert(failed == SQLITE_OK);
}

void sqlite_query_put_text(sqlite3_stmt *query, int at, const char *text)
{
	int failed = sqlite3_bind_text(query, at, text, -1, SQLITE_STATIC);
	assert(failed == SQLITE_OK);
}

void sqlite_query_put_key(sqlite3_stmt *query, int at, const struct registry_key *key)
{
	int failed = sqlite3_bind_blob(query, at, key->bytes, sizeof(key->bytes), SQLITE_STATIC);
	assert(failed == SQLITE_OK);
}

sqlite3_stmt *sqlite_query_of_site(struct sqlite *s, enum statement statement)
{
	sqlite_query_put_number(s->statements[statement], 1, s->site);
	return s->statements[statement];
}

int sqlite_query_bad_map(const struct sqlite *s, struct err *err)
{
	return err_set(err, -EIO,
		"cannot read registry '%s': the disk cannot read some of it; look into the "
		"kernel's log and mend the disk, or restore a backup; until mailpushd is "
		"restarted it is read "
		"without a memory map, which is slower",
		s->file.path);
}

int sqlite_query_fail(struct sqlite *s, const char *doing, struct err *err)
{
	s->has_bad_map = mapguard_failed() || s->has_bad_map;
	if (s->has_bad_map)
		return sqlite_query_bad_map(s, err);
	return sqlite_file_error(&s->file, doing, err);
}

int sqlite_query_end(struct sqlite *s, sqlite3_stmt *query, int result, struct err *err)
{
	int failed = 0;
	if (result != SQLITE_DONE)
		failed = sqlite_query_fail(s, sqlite3_stmt_readonly(query) ? "read" : "write", err);
	sqlite3_reset(query);
	return failed;
}

int sqlite_query_run(struct sqlite *s, sqlite3_stmt *query, struct err *err)
{
	return sqlite_query_end(s, query, sqlite3_step(query), err);
}

const char *sqlite_query_text(sqlite3_stmt *query, int at)
{
	const char *text = (const char *)sqlite3_column_text(query, at);
	return text ? text : "";
}

void sqlite_query_key(sqlite3_stmt *query, int at, struct registry_key *ret)
{
	*ret = (struct registry_key){0};
	const void *bytes = sqlite3_column_blob(query, at);
	if (bytes && sqlite3_column_bytes(query, at) == (int)sizeof(ret->bytes))
		memcpy(ret->bytes, bytes, sizeof(ret->bytes));
}

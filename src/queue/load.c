#include "queue/load.h"

#include <errno.h>
#include <sqlite3.h>
#include <string.h>

#define NUMBER_MAX (INT64_MAX / 2) /* there is always a next one */
#define PUSH_COLUMNS                                                               \
	"key, user, token, account_id, topic, aps_version, confirmed, inbox_only," \
	" renewed_ms, apns_id, due_ms, attempts, first_ms, number, doubted"

static bool read_key(sqlite3_stmt *statement, int at, struct registry_key *ret)
{
	if (sqlite3_column_type(statement, at) != SQLITE_BLOB ||
		sqlite3_column_bytes(statement, at) != sizeof(ret->bytes))
		return false;
	memcpy(ret->bytes, sqlite3_column_blob(statement, at), sizeof(ret->bytes));
	return true;
}

static const char *read_text(sqlite3_stmt *statement, int at)
{
	const unsigned char *text = sqlite3_column_text(statement, at);
	return text ? (const char *)text : "";
}

struct loading {
	struct store_file *file;
	const struct store_loader *loader; /* NULL: none */
	void *ctx;
	bool is_salvage;
	sqlite3_stmt *last_push;
	struct registry_key last; /* pushes come in the order of their keys */
	bool has_last;
	int code; /* what went wrong beside the row itself */
	struct err *err;
};

static bool read_last_push(
	struct loading *loading, const struct registry_key *key, int64_t *ret_last_ms)
{
	sqlite3_stmt *statement = loading->last_push;
	sqlite3_bind_blob(statement, 1, key->bytes, sizeof(key->bytes), SQLITE_STATIC);
	int step = sqlite3_step(statement);
	if (step == SQLITE_ROW)
		*ret_last_ms = sqlite3_column_int64(statement, 0);
	else if (step != SQLITE_DONE)
		loading->code = file_fail(loading->file, loading->err, "read");
	sqlite3_reset(statement);
	return !loading->code;
}

/* Each returns false for a row that we never wrote, or with loading->code. */
static bool load_push(struct loading *loading, sqlite3_stmt *row)
{
	struct registry_key key;
	if (!read_key(row, 0, &key) || sqlite3_column_bytes(row, 9) != QUEUE_APNS_ID_SIZE)
		return false;
	int64_t number = sqlite3_column_int64(row, 13);
	if (number < 1 || number > NUMBER_MAX)
		return false;
	if (loading->has_last && !memcmp(&loading->last, &key, sizeof(key)))
		return false;
	loading->last = key;
	loading->has_last = true;
	if (!registry_row_is_possible(read_text(row, 2), read_text(row, 3)))
		return false;
	int64_t last_push_ms = 0;
	if (!loading->is_salvage && !read_last_push(loading, &key, &last_push_ms))
		return false;
	if (!loading->loader)
		return true;
	struct push_target *target = push_target_new(&key, read_text(row, 1), read_text(row, 2),
		read_text(row, 3), read_text(row, 4), sqlite3_column_int(row, 5),
		sqlite3_column_int(row, 6) != 0, sqlite3_column_int(row, 7) != 0,
		sqlite3_column_int64(row, 8));
	loading->loader->push(loading->ctx, number, target, sqlite3_column_blob(row, 9),
		sqlite3_column_int64(row, 10), (unsigned)sqlite3_column_int64(row, 11),
		sqlite3_column_int(row, 14) != 0, sqlite3_column_int64(row, 12), last_push_ms);
	return true;
}

static bool load_news(struct loading *loading, sqlite3_stmt *row)
{
	struct registry_key key = {{0}};
	struct queue_news news = {
		.first_ms = sqlite3_column_int64(row, 2),
		.urgent_ms = sqlite3_column_int64(row, 3),
		.seq = (uint64_t)sqlite3_column_int64(row, 4),
	};
	const char *hash = read_text(row, 1);
	if ((!loading->is_salvage && !read_key(row, 0, &key)) || !registry_hash_is_possible(hash) ||
		news.seq > NUMBER_MAX)
		return false;
	memcpy(news.hash, hash, strlen(hash));
	if (loading->loader)
		loading->loader->news(loading->ctx, &key, sqlite3_column_int64(row, 5), &news);
	return true;
}

static bool load_parked(struct loading *loading, sqlite3_stmt *row)
{
	const char *raw = sqlite3_column_blob(row, 2);
	int64_t id = sqlite3_column_int64(row, 0);
	if (id < 1 || id > NUMBER_MAX)
		return false;
	if (loading->loader)
		loading->loader->parked(loading->ctx, (uint64_t)id, sqlite3_column_int64(row, 1),
			raw ? raw : "", (size_t)sqlite3_column_bytes(row, 2));
	return true;
}

typedef bool load_fn(struct loading *loading, sqlite3_stmt *row);

static int load_rows(struct loading *loading, const char *sql, load_fn *load, struct err *err)
{
	struct store_file *file = loading->file;
	sqlite3_stmt *statement = NULL;
	if (sqlite3_prepare_v2(file_db(file), sql, -1, &statement, NULL) != SQLITE_OK)
		return file_fail(file, err, "read");
	int code = 0;
	int step = SQLITE_DONE;
	while (!code && (step = sqlite3_step(statement)) == SQLITE_ROW) {
		if (load(loading, statement) || loading->is_salvage)
			continue;
		code = loading->code;
		if (!code)
			code = err_set(err, -EBADMSG,
				"cannot read queue '%s': it is damaged, a row is malformed",
				file_path(file));
	}
	if (!code && step != SQLITE_DONE)
		code = file_fail(file, err, "read");
	sqlite3_finalize(statement);
	return code;
}

int store_file_load(
	struct store_file *file, const struct store_loader *loader, void *ctx, struct err *err)
{
	static const struct {
		const char *sql;
		load_fn *load;
	} tables[] = {
		{"SELECT " PUSH_COLUMNS " FROM push ORDER BY key", load_push},
		{"SELECT key, hash, news.first_ms, urgent_ms, seq, number FROM news"
		 " JOIN push USING (number) ORDER BY seq",
			load_news},
		{"SELECT parked_id, received_ms, raw FROM parked ORDER BY parked_id", load_parked},
	};
	struct loading loading = {.file = file, .loader = loader, .ctx = ctx, .err = err};
	if (sqlite3_prepare_v2(file_db(file), "SELECT last_push_ms FROM phone WHERE key = ?", -1,
		    &loading.last_push, NULL) != SQLITE_OK)
		return file_fail(file, err, "read");
	int code = 0;
	for (size_t i = 0; !code && i < sizeof(tables) / sizeof(tables[0]); i++)
		code = load_rows(&loading, tables[i].sql, tables[i].load, err);
	sqlite3_finalize(loading.last_push);
	return code;
}

int load_salvage(
	struct store_file *file, const struct store_loader *loader, void *ctx, struct err *err)
{
	static const struct {
		const char *sql;
		const char *reverse;
		load_fn *load;
	} tables[] = {
		{"SELECT " PUSH_COLUMNS " FROM push ORDER BY number",
			"SELECT " PUSH_COLUMNS " FROM push ORDER BY number DESC", load_push},
		{"SELECT NULL, hash, first_ms, urgent_ms, seq, number FROM news"
		 " ORDER BY number, hash",
			"SELECT NULL, hash, first_ms, urgent_ms, seq, number FROM news"
			" ORDER BY number DESC, hash DESC",
			load_news},
		{"SELECT parked_id, received_ms, raw FROM parked ORDER BY parked_id",
			"SELECT parked_id, received_ms, raw FROM parked ORDER BY parked_id DESC",
			load_parked},
	};
	struct loading loading = {
		.file = file, .loader = loader, .ctx = ctx, .is_salvage = true, .err = err};
	int code = 0;
	for (size_t i = 0; file_db(file) && i < sizeof(tables) / sizeof(tables[0]); i++) {
		code = load_rows(&loading, tables[i].sql, tables[i].load, err);
		if (code == -EBADMSG)
			code = load_rows(&loading, tables[i].reverse, tables[i].load, err);
		if (code && code != -EBADMSG)
			return code;
	}
	return 0;
}

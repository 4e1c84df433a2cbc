#include "sqlite/sqlite.h"

#include "base/mem.h"
#include "sqlite/mapguard.h"
#include "sqlite/schema.h"
#include "sqlite/sqlite_change.h"
#include "sqlite/sqlite_find.h"
#include "sqlite/sqlite_query.h"
#include "sqlite/sqlite_write.h"
#include "sqlite/tombstones.h"

#include <errno.h>
#include <sqlite3.h>
#include <stdio.h>
#include <string.h>

/*
 * mailpushctl reads the file and a backup may copy it: they hold a lock for moments only.  Reads go
 * through the map.  A checkpoint after 8 MB of log keeps each of them short; the log is cut back
 * when a reader had let it grow.
 */
static const struct sqlite_file_kind registry_file = {
	.name = "registry",
	.application_id = 0x4d505247, /* "MPRG" */
	.steps = schema_steps,
	.step_count = SCHEMA_STEPS,
	.mode = 0640,
	.busy_ms = 250,
	.before = "",
	.pragmas = "PRAGMA journal_mode = WAL;"
		   "PRAGMA secure_delete = ON;"
		   "PRAGMA synchronous = FULL;"
		   "PRAGMA mmap_size = 4294967296;"
		   "PRAGMA cache_size = -65536;"
		   "PRAGMA wal_autocheckpoint = 2000;"
		   "PRAGMA journal_size_limit = 67108864;"
		   "PRAGMA temp_store = MEMORY;",
	.damaged = "restore a backup, or move the file away: phones register again within a day or "
		   "two",
	.log_damaged = "restore a backup, or move the log away to go on with what the file holds",
	.replaced = "phones that the new file does not know register again within a day or two",
};

static int begin(struct registry_db *db, enum registry_access access, struct err *err)
{
	struct sqlite *s = sqlite_of(db);
	int failed = sqlite_file_check(&s->file, err);
	if (failed)
		return failed;
	return sqlite_query_run(s,
		s->statements[access == REGISTRY_WRITES ? STATEMENT_BEGIN_WRITE
							: STATEMENT_BEGIN_READ],
		err);
}

static int commit(struct registry_db *db, struct err *err)
{
	struct sqlite *s = sqlite_of(db);
	s->has_bad_map = mapguard_failed() || s->has_bad_map;
	if (s->has_bad_map)
		return sqlite_query_bad_map(s, err);
	int failed = sqlite_query_run(s, s->statements[STATEMENT_COMMIT], err);
	if (!failed && s->empties_log) {
		/* What a reader keeps there goes with a later round of housekeeping. */
		sqlite_file_empty_log(&s->file);
		s->empties_log = false;
	}
	return failed;
}

static void rollback(struct registry_db *db)
{
	struct sqlite *s = sqlite_of(db);
	/* SQLite itself rolls back after some errors. */
	if (!sqlite3_get_autocommit(s->file.db))
		sqlite3_exec(s->file.db, "ROLLBACK", NULL, NULL, NULL);
	if (s->has_bad_map)
		mapguard_give_up_map(s->file.db);
	s->has_bad_map = false;
	s->empties_log = false;
}

static void close_sqlite(struct registry_db *db)
{
	if (!db)
		return;
	struct sqlite *s = sqlite_of(db);
	sqlite_file_drop_statements(s->statements, STATEMENT_COUNT);
	sqlite_file_close(&s->file);
	free(s);
}

static int find_site(struct sqlite *s, const char *site, struct err *err)
{
	static const char *const sql[] = {
		"INSERT INTO site (name) VALUES (?1) ON CONFLICT DO NOTHING",
		"SELECT id FROM site WHERE name = ?1",
	};
	for (size_t i = 0; i < sizeof(sql) / sizeof(sql[0]); i++) {
		sqlite3_stmt *query = NULL;
		int result = sqlite3_prepare_v2(s->file.db, sql[i], -1, &query, NULL);
		if (result == SQLITE_OK) {
			sqlite_query_put_text(query, 1, site);
			result = sqlite3_step(query);
		}
		if (result == SQLITE_ROW)
			s->site = sqlite3_column_int64(query, 0);
		int failed = 0;
		if (result != SQLITE_ROW && result != SQLITE_DONE)
			failed = sqlite_query_fail(s, "open", err);
		sqlite3_finalize(query);
		if (failed)
			return failed;
	}
	return 0;
}

static int prepare(struct sqlite *s, const char *site, struct err *err)
{
	mapguard_watch(s->file.db);
	int failed = sqlite_file_prepare(&s->file, err);
	if (!failed)
		failed = find_site(s, site, err);
	if (!failed)
		failed = sqlite_file_statements(
			&s->file, statement_sql, STATEMENT_COUNT, s->statements, err);
	return mapguard_failed() ? sqlite_query_bad_map(s, err) : failed;
}

/* Whoever may write the file and its folder has all rights. */
static char *schema_of_file(void)
{
	return mem_printf("%s\nPRAGMA application_id = %d;\nPRAGMA user_version = %d;\n",
		schema_steps[0], registry_file.application_id, SCHEMA_STEPS);
}

_Static_assert(SCHEMA_STEPS == 1, "schema_of_file has them all");

static int open_sqlite(const char *place, const struct registry_settings *settings,
	struct registry_db **ret, struct err *err)
{
	struct sqlite *s = mem_alloc_zero(1, sizeof(*s));
	s->db.ops = &sqlite_ops;
	int failed = sqlite_file_open(&s->file, &registry_file, place, err);
	if (!failed)
		failed = prepare(s, settings->site, err);
	if (failed)
		close_sqlite(&s->db);
	else
		*ret = &s->db;
	return failed;
}

static int check_place(const char *place, struct err *err)
{
	size_t size = strlen(place);
	if (*place == '/' && place[size - 1] != '/')
		return 0;
	return err_set(
		err, -EINVAL, "is not the path of a file; write sqlite: and an absolute path");
}

static const char *file_of_place(const char *place)
{
	return place;
}

static char *name_of_place(const char *place)
{
	return mem_printf("sqlite:%s", place);
}

static void describe(struct registry_db *db, struct registry_description *ret)
{
	snprintf(ret->server, sizeof(ret->server), "SQLite %s", sqlite3_libversion());
	snprintf(ret->host, sizeof(ret->host), "%s", sqlite_of(db)->file.path);
}

const struct registry_ops sqlite_ops = {
	.scheme = "sqlite",
	.example = "sqlite:/var/lib/mailpush/registry.sqlite",
	.check = check_place,
	.file = file_of_place,
	.name = name_of_place,
	.schema = schema_of_file,
	.open = open_sqlite,
	.close = close_sqlite,
	.describe = describe,
	.begin = begin,
	.commit = commit,
	.rollback = rollback,
	.match = sqlite_match,
	.load_users = sqlite_load_users,
	.load_lists = sqlite_load_lists,
	.load = ops_load_each,
	.load_keys = sqlite_load_keys,
	.list = sqlite_list,
	.list_tombstones = tombstones_list,
	.count = sqlite_count,
	.put = sqlite_put,
	.put_lists = sqlite_put_lists,
	.remove = sqlite_remove,
	.change_mailboxes = sqlite_change_mailboxes,
	.change_tokens = sqlite_change_tokens,
	.find_suspended = sqlite_find_suspended,
	.resume = sqlite_resume,
	.census = sqlite_census,
	.put_right = sqlite_put_right,
	.put_tidied = sqlite_put_tidied,
	.load_round = sqlite_load_round,
	.claim_round = sqlite_claim_round,
	.remove_tombstones = tombstones_remove,
	.prune_tombstones = tombstones_prune,
	.find_expired = sqlite_find_expired,
	.find_longest_suspended = sqlite_find_longest_suspended,
	.claim_nudges = sqlite_claim_nudges,
};

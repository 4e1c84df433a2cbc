#include "sqlite/sqlite.h"

#include "base/mem.h"
#include "sqlite/mapguard.h"
#include "sqlite/schema.h"
#include "sqlite/sqlite_file.h"
#include "sqlite/statement.h"
#include "sqlite/traces.h"
#include "sqlite/upheaval.h"

#include <assert.h>
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

struct sqlite {
	struct registry_db db;
	struct sqlite_file file;
	bool has_bad_map; /* and what it said in this transaction is not to be believed */
	int64_t site;
	sqlite3_stmt *statements[STATEMENT_COUNT];
};

static struct sqlite *sqlite(struct registry_db *db)
{
	return MEM_CONTAINER(db, struct sqlite, db);
}

/* Binding fails only where memory does, or where the statement has no such parameter. */
static void bind_number(sqlite3_stmt *query, int at, int64_t number)
{
	int failed = sqlite3_bind_int64(query, at, number);
	assert(failed == SQLITE_OK);
}

/* Borrowed until the statement is bound again. */
static void bind_text(sqlite3_stmt *query, int at, const char *text)
{
	int failed = sqlite3_bind_text(query, at, text, -1, SQLITE_STATIC);
	assert(failed == SQLITE_OK);
}

static void bind_key(sqlite3_stmt *query, int at, const struct registry_key *key)
{
	int failed = sqlite3_bind_blob(query, at, key->bytes, sizeof(key->bytes), SQLITE_STATIC);
	assert(failed == SQLITE_OK);
}

static int bad_map(const struct sqlite *s, struct err *err)
{
	return err_set(err, -EIO,
		"cannot read registry '%s': the disk cannot read some of it; look into the "
		"kernel's log and "
		"mend the disk, or restore a backup; until mailpushd is restarted it is read "
		"without a memory map, which is slower",
		s->file.path);
}

static int fail(struct sqlite *s, const char *doing, struct err *err)
{
	s->has_bad_map = mapguard_failed() || s->has_bad_map;
	if (s->has_bad_map)
		return bad_map(s, err);
	return sqlite_file_error(&s->file, doing, err);
}

/* Ends a statement that was stepped to `result`. */
static int finish(struct sqlite *s, sqlite3_stmt *query, int result, struct err *err)
{
	int failed = 0;
	if (result != SQLITE_DONE)
		failed = fail(s, sqlite3_stmt_readonly(query) ? "read" : "write", err);
	sqlite3_reset(query);
	return failed;
}

static int run(struct sqlite *s, sqlite3_stmt *query, struct err *err)
{
	return finish(s, query, sqlite3_step(query), err);
}

/* A damaged file may hold NULL where the schema forbids it. */
static const char *column_text(sqlite3_stmt *query, int at)
{
	const char *text = (const char *)sqlite3_column_text(query, at);
	return text ? text : "";
}

static void column_key(sqlite3_stmt *query, int at, struct registry_key *ret)
{
	*ret = (struct registry_key){0};
	const void *bytes = sqlite3_column_blob(query, at);
	if (bytes && sqlite3_column_bytes(query, at) == (int)sizeof(ret->bytes))
		memcpy(ret->bytes, bytes, sizeof(ret->bytes));
}

/* TARGET_COLUMNS, which begin at `at`; returns the next column. */
static int read_target(sqlite3_stmt *query, int at, struct registry_row *ret)
{
	*ret = (struct registry_row){0};
	column_key(query, at, &ret->key);
	ret->user = column_text(query, at + 1);
	ret->token = column_text(query, at + 2);
	ret->account_id = column_text(query, at + 3);
	ret->topic = column_text(query, at + 4);
	ret->aps_version = sqlite3_column_int(query, at + 5);
	ret->confirmed = sqlite3_column_int(query, at + 6) != 0;
	ret->inbox_only = sqlite3_column_int(query, at + 7) != 0;
	ret->renewed_ms = sqlite3_column_int64(query, at + 8);
	ret->suspended_ms = sqlite3_column_int64(query, at + 9);
	return at + 10;
}

/* Nobody could be pushed to with what such a row says. */
static int check_row(const struct sqlite *s, const struct registry_row *row, struct err *err)
{
	if (push_target_is_possible(row->token, row->account_id))
		return 0;
	return err_set(err, -EIO,
		"cannot read registry '%s': a registration of '%s' is malformed; %s", s->file.path,
		row->user, s->file.kind->damaged);
}

static void read_row(sqlite3_stmt *query, struct registry_row *ret)
{
	int at = read_target(query, 0, ret);
	ret->stopped_reason = (const char *)sqlite3_column_text(query, at);
	ret->subtopic = column_text(query, at + 1);
	ret->created_ms = sqlite3_column_int64(query, at + 2);
	ret->superseded_ms = sqlite3_column_int64(query, at + 3);
	ret->is_nudged = sqlite3_column_int(query, at + 4) != 0;
}

static int match(struct registry_db *db, const struct mailbox *const *mailboxes, size_t count,
	registry_match_fn *on_match, void *ctx, struct err *err)
{
	struct sqlite *s = sqlite(db);
	sqlite3_stmt *query = s->statements[STATEMENT_MATCH];
	bind_number(query, 1, s->site);
	for (size_t i = 0; i < count; i++) {
		bind_text(query, 2, mailboxes[i]->owner);
		bind_text(query, 3, mailboxes[i]->folder);
		int result;
		while ((result = sqlite3_step(query)) == SQLITE_ROW) {
			struct registry_row row;
			read_target(query, 1, &row);
			int malformed = check_row(s, &row, err);
			if (malformed) {
				sqlite3_reset(query);
				return malformed;
			}
			on_match(ctx, i, &row, column_text(query, 0));
		}
		int failed = finish(s, query, result, err);
		if (failed)
			return failed;
	}
	return 0;
}

/* Steps a query for rows to its end; `index` is given, or counts the rows. */
static int give_rows(struct sqlite *s, sqlite3_stmt *query, size_t index, bool counts,
	registry_row_fn *on_row, void *ctx, struct err *err)
{
	int result;
	while ((result = sqlite3_step(query)) == SQLITE_ROW) {
		struct registry_row row;
		read_row(query, &row);
		int malformed = check_row(s, &row, err);
		if (malformed) {
			sqlite3_reset(query);
			return malformed;
		}
		on_row(ctx, counts ? index++ : index, &row);
	}
	return finish(s, query, result, err);
}

static int load_users(struct registry_db *db, const char *const *users, size_t count,
	registry_row_fn *on_row, void *ctx, struct err *err)
{
	struct sqlite *s = sqlite(db);
	sqlite3_stmt *query = s->statements[STATEMENT_LOAD_USER];
	bind_number(query, 1, s->site);
	for (size_t i = 0; i < count; i++) {
		bind_text(query, 2, users[i]);
		int failed = give_rows(s, query, i, false, on_row, ctx, err);
		if (failed)
			return failed;
	}
	return 0;
}

static int load_lists(struct registry_db *db, const struct registry_key *keys, size_t count,
	registry_subscription_fn *on_subscription, void *ctx, struct err *err)
{
	struct sqlite *s = sqlite(db);
	sqlite3_stmt *query = s->statements[STATEMENT_LOAD_LIST];
	for (size_t i = 0; i < count; i++) {
		bind_key(query, 1, &keys[i]);
		int result;
		while ((result = sqlite3_step(query)) == SQLITE_ROW) {
			struct registry_subscription subscription = {
				.name = column_text(query, 0),
				.owner = column_text(query, 1),
				.folder = column_text(query, 2),
			};
			strncpy(subscription.hash, column_text(query, 3), MAILBOX_HASH_SIZE - 1);
			on_subscription(ctx, i, &subscription);
		}
		int failed = finish(s, query, result, err);
		if (failed)
			return failed;
	}
	return 0;
}

static int load_keys(struct registry_db *db, const struct registry_key *keys, size_t count,
	registry_row_fn *on_row, void *ctx, struct err *err)
{
	struct sqlite *s = sqlite(db);
	sqlite3_stmt *query = s->statements[STATEMENT_LOAD_KEY];
	bind_number(query, 1, s->site);
	int failed = 0;
	for (size_t i = 0; i < count && !failed; i++) {
		bind_key(query, 2, &keys[i]);
		failed = give_rows(s, query, i, false, on_row, ctx, err);
	}
	return failed;
}

static int list(struct registry_db *db, const char *user, const struct registry_key *key,
	size_t limit, registry_row_fn *on_row, void *ctx, struct err *err)
{
	struct sqlite *s = sqlite(db);
	sqlite3_stmt *query = s->statements[STATEMENT_LIST];
	bind_number(query, 1, s->site);
	bind_text(query, 2, user);
	bind_key(query, 3, key);
	bind_number(query, 4, (int64_t)limit);
	return give_rows(s, query, 0, true, on_row, ctx, err);
}

static int list_traces(struct registry_db *db, const char *user, int64_t after_id, size_t limit,
	registry_trace_fn *on_trace, void *ctx, struct err *err)
{
	struct sqlite *s = sqlite(db);
	int result = traces_list(s->statements, s->site, user, after_id, limit, on_trace, ctx);
	return result == SQLITE_DONE ? 0 : fail(s, "read", err);
}

static int remove_traces(struct registry_db *db, const char *user, struct err *err)
{
	struct sqlite *s = sqlite(db);
	int result = traces_remove(s->statements, s->site, user);
	return result == SQLITE_DONE ? 0 : fail(s, "write", err);
}

static int prune_traces(struct registry_db *db, int64_t before_ms, struct err *err)
{
	struct sqlite *s = sqlite(db);
	int result = traces_prune(s->statements, s->site, before_ms);
	return result == SQLITE_DONE ? 0 : fail(s, "write", err);
}

/* The numbers of the one row about the site; untouched without one. */
static int read_numbers(
	struct sqlite *s, enum statement statement, int64_t *ret, int count, struct err *err)
{
	sqlite3_stmt *query = s->statements[statement];
	bind_number(query, 1, s->site);
	int result = sqlite3_step(query);
	if (result == SQLITE_ROW) {
		for (int i = 0; i < count; i++)
			ret[i] = sqlite3_column_int64(query, i);
		result = SQLITE_DONE;
	}
	return finish(s, query, result, err);
}

static int count_all(struct registry_db *db, struct registry_totals *ret, struct err *err)
{
	int64_t numbers[REGISTRY_STATES + 1] = {0};
	int failed =
		read_numbers(sqlite(db), STATEMENT_COUNT_ALL, numbers, REGISTRY_STATES + 1, err);
	if (failed)
		return failed;
	*ret = (struct registry_totals){.registrations = (uint64_t)numbers[0]};
	ret->in_state[REGISTRY_ACTIVE] = ret->registrations;
	for (int state = REGISTRY_ACTIVE + 1; state < REGISTRY_STATES; state++) {
		ret->in_state[state] = (uint64_t)numbers[state];
		ret->in_state[REGISTRY_ACTIVE] -= ret->in_state[state];
	}
	ret->bytes = (uint64_t)numbers[REGISTRY_STATES];
	return 0;
}

static int put(
	struct registry_db *db, const struct registry_row *rows, size_t count, struct err *err)
{
	struct sqlite *s = sqlite(db);
	sqlite3_stmt *query = s->statements[STATEMENT_PUT];
	bind_number(query, 1, s->site);
	for (size_t i = 0; i < count; i++) {
		const struct registry_row *row = &rows[i];
		bind_key(query, 2, &row->key);
		bind_text(query, 3, row->user);
		bind_text(query, 4, row->token);
		bind_text(query, 5, row->account_id);
		bind_text(query, 6, row->topic);
		bind_number(query, 7, row->aps_version);
		bind_number(query, 8, row->confirmed);
		bind_number(query, 9, row->inbox_only);
		bind_number(query, 10, row->renewed_ms);
		bind_number(query, 11, row->suspended_ms);
		bind_text(query, 12, row->stopped_reason);
		bind_text(query, 13, row->subtopic);
		bind_number(query, 14, row->created_ms);
		bind_number(query, 15, row->superseded_ms);
		bind_number(query, 16, row->is_nudged);
		int failed = run(s, query, err);
		if (failed)
			return failed;
	}
	return 0;
}

/* 0 for a registration that is not there. */
static int find_id(
	struct sqlite *s, const struct registry_key *key, int64_t *ret_id, struct err *err)
{
	sqlite3_stmt *query = s->statements[STATEMENT_FIND_ID];
	bind_key(query, 1, key);
	int64_t id = 0;
	int result = sqlite3_step(query);
	if (result == SQLITE_ROW) {
		id = sqlite3_column_int64(query, 0);
		result = SQLITE_DONE;
	}
	int failed = finish(s, query, result, err);
	if (!failed)
		*ret_id = id;
	return failed;
}

static int clear_list(struct sqlite *s, int64_t id, struct err *err)
{
	bind_number(s->statements[STATEMENT_CLEAR_LIST], 1, id);
	return run(s, s->statements[STATEMENT_CLEAR_LIST], err);
}

static int put_list(struct sqlite *s, const struct registry_list *list, struct err *err)
{
	int64_t id = 0;
	int failed = find_id(s, &list->key, &id, err);
	if (!failed)
		failed = clear_list(s, id, err);
	sqlite3_stmt *query = s->statements[STATEMENT_SUBSCRIBE];
	bind_number(query, 1, s->site);
	bind_number(query, 2, id);
	for (size_t i = 0; i < list->count && !failed; i++) {
		const struct registry_subscription *subscription = &list->subscriptions[i];
		bind_text(query, 3, subscription->name);
		bind_text(query, 4, subscription->owner);
		bind_text(query, 5, subscription->folder);
		bind_text(query, 6, subscription->hash);
		failed = run(s, query, err);
	}
	return failed;
}

static int put_lists(
	struct registry_db *db, const struct registry_list *lists, size_t count, struct err *err)
{
	int failed = 0;
	for (size_t i = 0; i < count && !failed; i++)
		failed = put_list(sqlite(db), &lists[i], err);
	return failed;
}

static int remove_keys(struct registry_db *db, const struct registry_key *keys, size_t count,
	const struct registry_end *end, struct err *err)
{
	struct sqlite *s = sqlite(db);
	int failed = 0;
	for (size_t i = 0; i < count && !failed; i++) {
		int64_t id = 0;
		if (traces_leave(s->statements, s->site, &keys[i], end) != SQLITE_DONE)
			failed = fail(s, "write", err);
		if (!failed)
			failed = find_id(s, &keys[i], &id, err);
		if (!failed)
			failed = clear_list(s, id, err);
		if (failed)
			break;
		bind_number(s->statements[STATEMENT_REMOVE], 1, id);
		failed = run(s, s->statements[STATEMENT_REMOVE], err);
	}
	return failed;
}

static int change_mailboxes(struct registry_db *db, const struct registry_mailbox_change *changes,
	size_t count, registry_effect_fn *on_effect, void *ctx, struct err *err)
{
	int failed = 0;
	for (size_t i = 0; i < count && !failed; i++) {
		struct sqlite *s = sqlite(db);
		const struct upheaval_teller teller = {on_effect, ctx, i};
		if (upheaval_change(s->statements, s->site, &changes[i], &teller) != SQLITE_DONE)
			failed = fail(s, "write", err);
	}
	return failed;
}

static int change_tokens(struct registry_db *db, const struct registry_token_change *changes,
	size_t count, registry_key_fn *on_gone, void *ctx, struct err *err)
{
	struct sqlite *s = sqlite(db);
	int failed = 0;
	for (size_t i = 0; i < count && !failed; i++) {
		const struct registry_token_change *change = &changes[i];
		if (!change->stop_reason &&
			traces_leave_token(s->statements, s->site, change) != SQLITE_DONE)
			return fail(s, "write", err);
		sqlite3_stmt *query =
			s->statements[change->stop_reason ? STATEMENT_STOP : STATEMENT_FORGET];
		bind_number(query, 1, s->site);
		bind_text(query, 2, change->token);
		bind_text(query, 3, change->topic);
		bind_number(query, 4, change->before_ms);
		if (change->stop_reason)
			bind_text(query, 5, change->stop_reason);
		int result = SQLITE_DONE;
		while (!failed && (result = sqlite3_step(query)) == SQLITE_ROW) {
			struct registry_key key;
			column_key(query, 1, &key);
			if (!change->stop_reason)
				failed = clear_list(s, sqlite3_column_int64(query, 0), err);
			on_gone(ctx, i, &key);
		}
		if (failed)
			sqlite3_reset(query);
		else
			failed = finish(s, query, result, err);
	}
	return failed;
}

static int find_suspended(
	struct registry_db *db, registry_suspended_fn *on_suspended, void *ctx, struct err *err)
{
	struct sqlite *s = sqlite(db);
	sqlite3_stmt *query = s->statements[STATEMENT_FIND_SUSPENDED];
	bind_number(query, 1, s->site);
	int result;
	while ((result = sqlite3_step(query)) == SQLITE_ROW)
		on_suspended(ctx, column_text(query, 0), sqlite3_column_int64(query, 1));
	return finish(s, query, result, err);
}

static int resume(struct registry_db *db, const struct registry_resume *resumes, size_t count,
	registry_effect_fn *on_effect, void *ctx, struct err *err)
{
	struct sqlite *s = sqlite(db);
	int failed = 0;
	for (size_t i = 0; i < count && !failed; i++) {
		const struct upheaval_teller teller = {on_effect, ctx, i};
		if (upheaval_resume(s->statements, s->site, &resumes[i], &teller) != SQLITE_DONE)
			failed = fail(s, "write", err);
	}
	return failed;
}

static int census(struct registry_db *db, struct registry_census *ret, struct err *err)
{
	int64_t numbers[2] = {0};
	int failed = read_numbers(sqlite(db), STATEMENT_CENSUS, numbers, 2, err);
	if (!failed)
		*ret = (struct registry_census){
			.registrations = (uint64_t)numbers[0],
			.newest_renewal_ms = numbers[1],
		};
	return failed;
}

static int load_round(struct registry_db *db, struct registry_round *ret, struct err *err)
{
	int64_t numbers[4] = {0};
	int failed = read_numbers(sqlite(db), STATEMENT_LOAD_ROUND, numbers, 4, err);
	if (!failed)
		*ret = (struct registry_round){
			.seen_ms = numbers[0],
			.spared_until_ms = numbers[1],
			.tidied_day = numbers[2],
			.tidied_count = (uint64_t)numbers[3],
		};
	return failed;
}

static int claim_round(struct registry_db *db, int64_t was_ms, int64_t seen_ms,
	int64_t spared_until_ms, bool *ret_is_ours, struct err *err)
{
	struct sqlite *s = sqlite(db);
	sqlite3_stmt *query = s->statements[STATEMENT_CLAIM_ROUND];
	bind_number(query, 1, s->site);
	bind_number(query, 2, was_ms);
	bind_number(query, 3, seen_ms);
	bind_number(query, 4, spared_until_ms);
	int failed = run(s, query, err);
	if (!failed)
		*ret_is_ours = sqlite3_changes(s->file.db) > 0;
	return failed;
}

static int put_right(struct registry_db *db, int64_t after_ms, int64_t to_ms, struct err *err)
{
	struct sqlite *s = sqlite(db);
	sqlite3_stmt *query = s->statements[STATEMENT_PUT_RIGHT];
	bind_number(query, 1, s->site);
	bind_number(query, 2, after_ms);
	bind_number(query, 3, to_ms);
	int failed = run(s, query, err);
	if (!failed && traces_put_right(s->statements, s->site, after_ms, to_ms) != SQLITE_DONE)
		failed = fail(s, "write", err);
	return failed;
}

static int put_tidied(struct registry_db *db, int64_t day, uint64_t count, struct err *err)
{
	struct sqlite *s = sqlite(db);
	sqlite3_stmt *query = s->statements[STATEMENT_PUT_TIDIED];
	bind_number(query, 1, s->site);
	bind_number(query, 2, day);
	bind_number(query, 3, (int64_t)count);
	return run(s, query, err);
}

static int find_keys(struct sqlite *s, enum statement statement, int64_t before_ms, size_t limit,
	registry_key_fn *on_key, void *ctx, struct err *err)
{
	sqlite3_stmt *query = s->statements[statement];
	bind_number(query, 1, s->site);
	bind_number(query, 2, before_ms);
	bind_number(query, 3, (int64_t)limit);
	int result;
	for (size_t i = 0; (result = sqlite3_step(query)) == SQLITE_ROW; i++) {
		struct registry_key key;
		column_key(query, 0, &key);
		on_key(ctx, i, &key);
	}
	return finish(s, query, result, err);
}

static int find_expired(struct registry_db *db, int64_t before_ms, size_t limit,
	registry_key_fn *on_key, void *ctx, uint64_t *ret_total, struct err *err)
{
	struct sqlite *s = sqlite(db);
	bind_number(s->statements[STATEMENT_COUNT_EXPIRED], 2, before_ms);
	int64_t total = 0;
	int failed = read_numbers(s, STATEMENT_COUNT_EXPIRED, &total, 1, err);
	if (!failed)
		failed = find_keys(s, STATEMENT_FIND_EXPIRED, before_ms, limit, on_key, ctx, err);
	if (!failed)
		*ret_total = (uint64_t)total;
	return failed;
}

static int find_longest_suspended(struct registry_db *db, int64_t before_ms, size_t limit,
	registry_key_fn *on_key, void *ctx, struct err *err)
{
	return find_keys(
		sqlite(db), STATEMENT_FIND_LONGEST_SUSPENDED, before_ms, limit, on_key, ctx, err);
}

static int mark_nudged(struct sqlite *s, const int64_t *ids, size_t count, struct err *err)
{
	int failed = 0;
	for (size_t i = 0; i < count && !failed; i++) {
		bind_number(s->statements[STATEMENT_MARK_NUDGED], 1, ids[i]);
		failed = run(s, s->statements[STATEMENT_MARK_NUDGED], err);
	}
	return failed;
}

static int claim_nudges(struct registry_db *db, int64_t before_ms, size_t limit,
	registry_match_fn *on_match, void *ctx, struct err *err)
{
	struct sqlite *s = sqlite(db);
	sqlite3_stmt *query = s->statements[STATEMENT_FIND_NUDGES];
	bind_number(query, 1, s->site);
	bind_number(query, 2, before_ms);
	bind_number(query, 3, (int64_t)limit);
	mem_auto int64_t *ids = mem_alloc_zero(limit, sizeof(*ids));
	size_t count = 0;
	int result;
	while ((result = sqlite3_step(query)) == SQLITE_ROW) {
		struct registry_row row;
		int64_t id = sqlite3_column_int64(query, read_target(query, 1, &row));
		if (count == 0 || id != ids[count - 1])
			ids[count++] = id;
		on_match(ctx, count - 1, &row, column_text(query, 0));
	}
	int failed = finish(s, query, result, err);
	return failed ? failed : mark_nudged(s, ids, count, err);
}

static int begin(struct registry_db *db, enum registry_access access, struct err *err)
{
	struct sqlite *s = sqlite(db);
	int failed = sqlite_file_check(&s->file, err);
	if (failed)
		return failed;
	return run(s,
		s->statements[access == REGISTRY_WRITES ? STATEMENT_BEGIN_WRITE
							: STATEMENT_BEGIN_READ],
		err);
}

static int commit(struct registry_db *db, struct err *err)
{
	struct sqlite *s = sqlite(db);
	s->has_bad_map = mapguard_failed() || s->has_bad_map;
	if (s->has_bad_map)
		return bad_map(s, err);
	return run(s, s->statements[STATEMENT_COMMIT], err);
}

static void rollback(struct registry_db *db)
{
	struct sqlite *s = sqlite(db);
	/* SQLite itself rolls back after some errors. */
	if (!sqlite3_get_autocommit(s->file.db))
		sqlite3_exec(s->file.db, "ROLLBACK", NULL, NULL, NULL);
	if (s->has_bad_map)
		mapguard_give_up_map(s->file.db);
	s->has_bad_map = false;
}

static void close_sqlite(struct registry_db *db)
{
	if (!db)
		return;
	struct sqlite *s = sqlite(db);
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
			bind_text(query, 1, site);
			result = sqlite3_step(query);
		}
		if (result == SQLITE_ROW)
			s->site = sqlite3_column_int64(query, 0);
		int failed = 0;
		if (result != SQLITE_ROW && result != SQLITE_DONE)
			failed = fail(s, "open", err);
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
	return mapguard_failed() ? bad_map(s, err) : failed;
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
	snprintf(ret->host, sizeof(ret->host), "%s", sqlite(db)->file.path);
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
	.match = match,
	.load_users = load_users,
	.load_lists = load_lists,
	.load = ops_load_each,
	.load_keys = load_keys,
	.list = list,
	.list_traces = list_traces,
	.count = count_all,
	.put = put,
	.put_lists = put_lists,
	.remove = remove_keys,
	.change_mailboxes = change_mailboxes,
	.change_tokens = change_tokens,
	.find_suspended = find_suspended,
	.resume = resume,
	.census = census,
	.put_right = put_right,
	.put_tidied = put_tidied,
	.load_round = load_round,
	.claim_round = claim_round,
	.remove_traces = remove_traces,
	.prune_traces = prune_traces,
	.find_expired = find_expired,
	.find_longest_suspended = find_longest_suspended,
	.claim_nudges = claim_nudges,
};

#include "sqlite/sqlite_write.h"

#include "sqlite/sqlite_query.h"
#include "sqlite/tombstones.h"

int sqlite_put(
	struct registry_db *db, const struct registry_row *rows, size_t count, struct err *err)
{
	struct sqlite *s = sqlite_of(db);
	sqlite3_stmt *query = sqlite_query_of_site(s, STATEMENT_PUT);
	for (size_t i = 0; i < count; i++) {
		const struct registry_row *row = &rows[i];
		sqlite_query_put_key(query, 2, &row->key);
		sqlite_query_put_text(query, 3, row->user);
		sqlite_query_put_text(query, 4, row->token);
		sqlite_query_put_text(query, 5, row->account_id);
		sqlite_query_put_text(query, 6, row->topic);
		sqlite_query_put_number(query, 7, row->aps_version);
		sqlite_query_put_number(query, 8, row->confirmed);
		sqlite_query_put_number(query, 9, row->inbox_only);
		sqlite_query_put_number(query, 10, row->renewed_ms);
		sqlite_query_put_number(query, 11, row->suspended_ms);
		sqlite_query_put_text(query, 12, row->stopped_reason);
		sqlite_query_put_text(query, 13, row->subtopic);
		sqlite_query_put_number(query, 14, row->created_ms);
		sqlite_query_put_number(query, 15, row->superseded_ms);
		sqlite_query_put_number(query, 16, row->is_nudged);
		int failed = sqlite_query_run(s, query, err);
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
	sqlite_query_put_key(query, 1, key);
	int64_t id = 0;
	int result = sqlite3_step(query);
	if (result == SQLITE_ROW) {
		id = sqlite3_column_int64(query, 0);
		result = SQLITE_DONE;
	}
	int failed = sqlite_query_end(s, query, result, err);
	if (!failed)
		*ret_id = id;
	return failed;
}

static int clear_list(struct sqlite *s, int64_t id, struct err *err)
{
	sqlite_query_put_number(s->statements[STATEMENT_CLEAR_LIST], 1, id);
	return sqlite_query_run(s, s->statements[STATEMENT_CLEAR_LIST], err);
}

static int put_list(struct sqlite *s, const struct registry_list *list, struct err *err)
{
	int64_t id = 0;
	int failed = find_id(s, &list->key, &id, err);
	if (!failed)
		failed = clear_list(s, id, err);
	sqlite3_stmt *query = sqlite_query_of_site(s, STATEMENT_SUBSCRIBE);
	sqlite_query_put_number(query, 2, id);
	for (size_t i = 0; i < list->count && !failed; i++) {
		const struct registry_subscription *subscription = &list->subscriptions[i];
		sqlite_query_put_text(query, 3, subscription->name);
		sqlite_query_put_text(query, 4, subscription->owner);
		sqlite_query_put_text(query, 5, subscription->folder);
		sqlite_query_put_text(query, 6, subscription->hash);
		failed = sqlite_query_run(s, query, err);
	}
	return failed;
}

int sqlite_put_lists(
	struct registry_db *db, const struct registry_list *lists, size_t count, struct err *err)
{
	int failed = 0;
	for (size_t i = 0; i < count && !failed; i++)
		failed = put_list(sqlite_of(db), &lists[i], err);
	return failed;
}

int sqlite_remove(struct registry_db *db, const struct registry_key *keys, size_t count,
	const struct registry_end *end, struct err *err)
{
	struct sqlite *s = sqlite_of(db);
	int failed = 0;
	for (size_t i = 0; i < count && !failed; i++) {
		int64_t id = 0;
		failed = tombstones_leave(s, &keys[i], end, err);
		if (!failed)
			failed = find_id(s, &keys[i], &id, err);
		if (!failed)
			failed = clear_list(s, id, err);
		if (failed)
			break;
		sqlite_query_put_number(s->statements[STATEMENT_REMOVE], 1, id);
		failed = sqlite_query_run(s, s->statements[STATEMENT_REMOVE], err);
	}
	return failed;
}

int sqlite_change_tokens(struct registry_db *db, const struct registry_token_change *changes,
	size_t count, registry_key_fn *on_gone, void *ctx, struct err *err)
{
	struct sqlite *s = sqlite_of(db);
	int failed = 0;
	for (size_t i = 0; i < count && !failed; i++) {
		const struct registry_token_change *change = &changes[i];
		if (!change->stop_reason)
			failed = tombstones_leave_token(s, change, err);
		if (failed)
			break;
		sqlite3_stmt *query = sqlite_query_of_site(
			s, change->stop_reason ? STATEMENT_STOP : STATEMENT_FORGET);
		sqlite_query_put_text(query, 2, change->token);
		sqlite_query_put_text(query, 3, change->topic);
		sqlite_query_put_number(query, 4, change->before_ms);
		if (change->stop_reason)
			sqlite_query_put_text(query, 5, change->stop_reason);
		int result = SQLITE_DONE;
		while (!failed && (result = sqlite3_step(query)) == SQLITE_ROW) {
			struct registry_key key;
			sqlite_query_key(query, 1, &key);
			if (!change->stop_reason)
				failed = clear_list(s, sqlite3_column_int64(query, 0), err);
			on_gone(ctx, i, &key);
		}
		if (failed)
			sqlite3_reset(query);
		else
			failed = sqlite_query_end(s, query, result, err);
	}
	return failed;
}

int sqlite_claim_round(struct registry_db *db, int64_t was_ms, int64_t seen_ms,
	int64_t spared_until_ms, bool *ret_is_ours, struct err *err)
{
	struct sqlite *s = sqlite_of(db);
	sqlite3_stmt *query = sqlite_query_of_site(s, STATEMENT_CLAIM_ROUND);
	sqlite_query_put_number(query, 2, was_ms);
	sqlite_query_put_number(query, 3, seen_ms);
	sqlite_query_put_number(query, 4, spared_until_ms);
	int failed = sqlite_query_run(s, query, err);
	if (!failed)
		*ret_is_ours = sqlite3_changes(s->file.db) > 0;
	return failed;
}

int sqlite_put_right(struct registry_db *db, int64_t after_ms, int64_t to_ms, struct err *err)
{
	struct sqlite *s = sqlite_of(db);
	sqlite3_stmt *query = sqlite_query_of_site(s, STATEMENT_PUT_RIGHT);
	sqlite_query_put_number(query, 2, after_ms);
	sqlite_query_put_number(query, 3, to_ms);
	int failed = sqlite_query_run(s, query, err);
	return failed ? failed : tombstones_put_right(s, after_ms, to_ms, err);
}

int sqlite_put_tidied(struct registry_db *db, int64_t day, uint64_t count, struct err *err)
{
	struct sqlite *s = sqlite_of(db);
	sqlite3_stmt *query = sqlite_query_of_site(s, STATEMENT_PUT_TIDIED);
	sqlite_query_put_number(query, 2, day);
	sqlite_query_put_number(query, 3, (int64_t)count);
	return sqlite_query_run(s, query, err);
}

#include "sqlite/sqlite_find.h"

#include "base/mem.h"
#include "driver/malformed.h"
#include "sqlite/sqlite_query.h"

#include <string.h>

/* TARGET_COLUMNS, which begin at `at`; returns the next column. */
static int read_target(sqlite3_stmt *query, int at, struct registry_row *ret)
{
	*ret = (struct registry_row){0};
	sqlite_query_key(query, at, &ret->key);
	ret->user = sqlite_query_text(query, at + 1);
	ret->token = sqlite_query_text(query, at + 2);
	ret->account_id = sqlite_query_text(query, at + 3);
	ret->topic = sqlite_query_text(query, at + 4);
	ret->aps_version = sqlite3_column_int(query, at + 5);
	ret->confirmed = sqlite3_column_int(query, at + 6) != 0;
	ret->inbox_only = sqlite3_column_int(query, at + 7) != 0;
	ret->renewed_ms = sqlite3_column_int64(query, at + 8);
	ret->suspended_ms = sqlite3_column_int64(query, at + 9);
	return at + 10;
}

static void read_row(sqlite3_stmt *query, struct registry_row *ret)
{
	int at = read_target(query, 0, ret);
	ret->stopped_reason = (const char *)sqlite3_column_text(query, at);
	ret->subtopic = sqlite_query_text(query, at + 1);
	ret->created_ms = sqlite3_column_int64(query, at + 2);
	ret->superseded_ms = sqlite3_column_int64(query, at + 3);
	ret->is_nudged = sqlite3_column_int(query, at + 4) != 0;
}

int sqlite_match(struct registry_db *db, const struct mailbox *const *mailboxes, size_t count,
	registry_match_fn *on_match, void *ctx, struct err *err)
{
	struct sqlite *s = sqlite_of(db);
	sqlite3_stmt *query = sqlite_query_of_site(s, STATEMENT_MATCH);
	for (size_t i = 0; i < count; i++) {
		sqlite_query_put_text(query, 2, mailboxes[i]->owner);
		sqlite_query_put_text(query, 3, mailboxes[i]->folder);
		int result;
		while ((result = sqlite3_step(query)) == SQLITE_ROW) {
			struct registry_row row;
			read_target(query, 1, &row);
			const char *hash = sqlite_query_text(query, 0);
			if (!malformed_row(s->file.path, &row) &&
				!malformed_hash(s->file.path, hash))
				on_match(ctx, i, &row, hash);
		}
		int failed = sqlite_query_end(s, query, result, err);
		if (failed)
			return failed;
	}
	return 0;
}

/* Steps a query for rows to its end; `index` is of all. */
static int give_rows(struct sqlite *s, sqlite3_stmt *query, size_t index, registry_row_fn *on_row,
	void *ctx, struct err *err)
{
	int result;
	while ((result = sqlite3_step(query)) == SQLITE_ROW) {
		struct registry_row row;
		read_row(query, &row);
		if (!malformed_row(s->file.path, &row))
			on_row(ctx, index, &row);
	}
	return sqlite_query_end(s, query, result, err);
}

int sqlite_load_users(struct registry_db *db, const char *const *users, size_t count,
	registry_row_fn *on_row, void *ctx, struct err *err)
{
	struct sqlite *s = sqlite_of(db);
	sqlite3_stmt *query = sqlite_query_of_site(s, STATEMENT_LOAD_USER);
	for (size_t i = 0; i < count; i++) {
		sqlite_query_put_text(query, 2, users[i]);
		int failed = give_rows(s, query, i, on_row, ctx, err);
		if (failed)
			return failed;
	}
	return 0;
}

int sqlite_load_lists(struct registry_db *db, const struct registry_key *keys, size_t count,
	registry_subscription_fn *on_subscription, void *ctx, struct err *err)
{
	struct sqlite *s = sqlite_of(db);
	sqlite3_stmt *query = s->statements[STATEMENT_LOAD_LIST];
	for (size_t i = 0; i < count; i++) {
		sqlite_query_put_key(query, 1, &keys[i]);
		int result;
		while ((result = sqlite3_step(query)) == SQLITE_ROW) {
			struct registry_subscription subscription = {
				.name = sqlite_query_text(query, 0),
				.owner = sqlite_query_text(query, 1),
				.folder = sqlite_query_text(query, 2),
			};
			const char *hash = sqlite_query_text(query, 3);
			strncpy(subscription.hash, hash, MAILBOX_HASH_SIZE - 1);
			if (!malformed_hash(s->file.path, hash))
				on_subscription(ctx, i, &subscription);
		}
		int failed = sqlite_query_end(s, query, result, err);
		if (failed)
			return failed;
	}
	return 0;
}

int sqlite_load_keys(struct registry_db *db, const struct registry_key *keys, size_t count,
	registry_row_fn *on_row, void *ctx, struct err *err)
{
	struct sqlite *s = sqlite_of(db);
	sqlite3_stmt *query = sqlite_query_of_site(s, STATEMENT_LOAD_KEY);
	int failed = 0;
	for (size_t i = 0; i < count && !failed; i++) {
		sqlite_query_put_key(query, 2, &keys[i]);
		failed = give_rows(s, query, i, on_row, ctx, err);
	}
	return failed;
}

int sqlite_list(struct registry_db *db, const char *user, const struct registry_key *key,
	size_t limit, registry_row_fn *on_row, void *ctx, struct err *err)
{
	struct sqlite *s = sqlite_of(db);
	sqlite3_stmt *query = sqlite_query_of_site(s, STATEMENT_LIST);
	sqlite_query_put_text(query, 2, user);
	sqlite_query_put_key(query, 3, key);
	int result = SQLITE_DONE;
	for (size_t given = 0; given < limit && (result = sqlite3_step(query)) == SQLITE_ROW;) {
		struct registry_row row;
		read_row(query, &row);
		if (!malformed_row(s->file.path, &row))
			on_row(ctx, given++, &row);
	}
	return sqlite_query_end(s, query, result == SQLITE_ROW ? SQLITE_DONE : result, err);
}

/* The numbers of the one row about the site; untouched without one. */
static int read_numbers(
	struct sqlite *s, enum statement statement, int64_t *ret, int count, struct err *err)
{
	sqlite3_stmt *query = sqlite_query_of_site(s, statement);
	int result = sqlite3_step(query);
	if (result == SQLITE_ROW) {
		for (int i = 0; i < count; i++)
			ret[i] = sqlite3_column_int64(query, i);
		result = SQLITE_DONE;
	}
	return sqlite_query_end(s, query, result, err);
}

int sqlite_count(struct registry_db *db, struct registry_totals *ret, struct err *err)
{
	int64_t numbers[REGISTRY_STATES + 1] = {0};
	int failed =
		read_numbers(sqlite_of(db), STATEMENT_COUNT_ALL, numbers, REGISTRY_STATES + 1, err);
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

int sqlite_find_suspended(
	struct registry_db *db, registry_suspended_fn *on_suspended, void *ctx, struct err *err)
{
	struct sqlite *s = sqlite_of(db);
	sqlite3_stmt *query = sqlite_query_of_site(s, STATEMENT_FIND_SUSPENDED);
	int result;
	while ((result = sqlite3_step(query)) == SQLITE_ROW)
		on_suspended(ctx, sqlite_query_text(query, 0), sqlite3_column_int64(query, 1));
	return sqlite_query_end(s, query, result, err);
}

int sqlite_census(struct registry_db *db, struct registry_census *ret, struct err *err)
{
	int64_t numbers[2] = {0};
	int failed = read_numbers(sqlite_of(db), STATEMENT_CENSUS, numbers, 2, err);
	if (!failed)
		*ret = (struct registry_census){
			.registrations = (uint64_t)numbers[0],
			.newest_renewal_ms = numbers[1],
		};
	return failed;
}

int sqlite_load_round(struct registry_db *db, struct registry_round *ret, struct err *err)
{
	int64_t numbers[4] = {0};
	int failed = read_numbers(sqlite_of(db), STATEMENT_LOAD_ROUND, numbers, 4, err);
	if (!failed)
		*ret = (struct registry_round){
			.seen_ms = numbers[0],
			.spared_until_ms = numbers[1],
			.tidied_day = numbers[2],
			.tidied_count = (uint64_t)numbers[3],
		};
	return failed;
}

static int find_keys(struct sqlite *s, enum statement statement, int64_t before_ms, size_t limit,
	registry_key_fn *on_key, void *ctx, struct err *err)
{
	sqlite3_stmt *query = sqlite_query_of_site(s, statement);
	sqlite_query_put_number(query, 2, before_ms);
	sqlite_query_put_number(query, 3, (int64_t)limit);
	int result;
	for (size_t i = 0; (result = sqlite3_step(query)) == SQLITE_ROW; i++) {
		struct registry_key key;
		sqlite_query_key(query, 0, &key);
		on_key(ctx, i, &key);
	}
	return sqlite_query_end(s, query, result, err);
}

int sqlite_find_expired(struct registry_db *db, int64_t before_ms, size_t limit,
	registry_key_fn *on_key, void *ctx, uint64_t *ret_total, struct err *err)
{
	struct sqlite *s = sqlite_of(db);
	sqlite_query_put_number(s->statements[STATEMENT_COUNT_EXPIRED], 2, before_ms);
	int64_t total = 0;
	int failed = read_numbers(s, STATEMENT_COUNT_EXPIRED, &total, 1, err);
	if (!failed)
		failed = find_keys(s, STATEMENT_FIND_EXPIRED, before_ms, limit, on_key, ctx, err);
	if (!failed)
		*ret_total = (uint64_t)total;
	return failed;
}

int sqlite_find_longest_suspended(struct registry_db *db, int64_t before_ms, size_t limit,
	registry_key_fn *on_key, void *ctx, struct err *err)
{
	return find_keys(sqlite_of(db), STATEMENT_FIND_LONGEST_SUSPENDED, before_ms, limit, on_key,
		ctx, err);
}

static int mark_nudged(struct sqlite *s, const int64_t *ids, size_t count, struct err *err)
{
	int failed = 0;
	for (size_t i = 0; i < count && !failed; i++) {
		sqlite_query_put_number(s->statements[STATEMENT_MARK_NUDGED], 1, ids[i]);
		failed = sqlite_query_run(s, s->statements[STATEMENT_MARK_NUDGED], err);
	}
	return failed;
}

int sqlite_claim_nudges(struct registry_db *db, int64_t before_ms, size_t limit,
	registry_match_fn *on_match, void *ctx, struct err *err)
{
	struct sqlite *s = sqlite_of(db);
	sqlite3_stmt *query = sqlite_query_of_site(s, STATEMENT_FIND_NUDGES);
	sqlite_query_put_number(query, 2, before_ms);
	sqlite_query_put_number(query, 3, (int64_t)limit);
	mem_auto int64_t *ids = mem_alloc_zero(limit, sizeof(*ids));
	size_t count = 0;
	size_t given = 0;
	int64_t given_id = 0; /* they count from 1 */
	int result;
	while ((result = sqlite3_step(query)) == SQLITE_ROW) {
		struct registry_row row;
		int64_t id = sqlite3_column_int64(query, read_target(query, 1, &row));
		const char *hash = sqlite_query_text(query, 0);
		if (count == 0 || id != ids[count - 1])
			ids[count++] = id;
		if (malformed_row(s->file.path, &row) || malformed_hash(s->file.path, hash))
			continue;
		given += id != given_id;
		given_id = id;
		on_match(ctx, given - 1, &row, hash);
	}
	int failed = sqlite_query_end(s, query, result, err);
	return failed ? failed : mark_nudged(s, ids, count, err);
}

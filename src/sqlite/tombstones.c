#include "sqlite/tombstones.h"

#include <string.h>

/* What both ways of leaving a tombstone have in common: parameters 1 to 5. */
static sqlite3_stmt *leaving(
	struct sqlite *s, enum statement statement, const struct registry_end *end)
{
	sqlite3_stmt *query = sqlite_query_of_site(s, statement);
	sqlite_query_put_number(query, 2, end->at_ms);
	sqlite_query_put_text(query, 3, registry_why_names[end->why]);
	sqlite_query_put_number(query, 4, end->status);
	sqlite_query_put_text(query, 5, end->reason ? end->reason : "");
	return query;
}

int tombstones_leave(struct sqlite *s, const struct registry_key *key,
	const struct registry_end *end, struct err *err)
{
	sqlite3_stmt *query = leaving(s, STATEMENT_TOMBSTONE_KEY, end);
	sqlite_query_put_key(query, 6, key);
	return sqlite_query_run(s, query, err);
}

int tombstones_leave_token(
	struct sqlite *s, const struct registry_token_change *change, struct err *err)
{
	sqlite3_stmt *query = leaving(s, STATEMENT_TOMBSTONE_TOKEN, &change->end);
	sqlite_query_put_text(query, 6, change->token);
	sqlite_query_put_text(query, 7, change->topic);
	sqlite_query_put_number(query, 8, change->before_ms);
	return sqlite_query_run(s, query, err);
}

/* A damaged file may hold what is none of them. */
static enum registry_why why_of(const char *name)
{
	int why = 0;
	while (why < REGISTRY_WHYS - 1 && strcmp(registry_why_names[why], name) != 0)
		why++;
	return (enum registry_why)why;
}

static void read_tombstone(sqlite3_stmt *query, struct registry_tombstone *ret)
{
	*ret = (struct registry_tombstone){
		.id = sqlite3_column_int64(query, 0),
		.user = sqlite_query_text(query, 2),
		.token = sqlite_query_text(query, 3),
		.account_id = sqlite_query_text(query, 4),
		.topic = sqlite_query_text(query, 5),
		.renewed_ms = sqlite3_column_int64(query, 6),
		.at_ms = sqlite3_column_int64(query, 7),
		.why = why_of(sqlite_query_text(query, 8)),
		.status = sqlite3_column_int(query, 9),
		.reason = sqlite_query_text(query, 10),
		.is_back = sqlite3_column_int(query, 11) != 0,
	};
	sqlite_query_key(query, 1, &ret->key);
}

int tombstones_list(struct registry_db *db, const char *user, int64_t after_id, size_t limit,
	registry_tombstone_fn *on_tombstone, void *ctx, struct err *err)
{
	struct sqlite *s = sqlite_of(db);
	sqlite3_stmt *query = sqlite_query_of_site(
		s, user ? STATEMENT_LIST_TOMBSTONES_OF : STATEMENT_LIST_TOMBSTONES);
	sqlite_query_put_number(query, 2, after_id ? after_id : INT64_MAX);
	sqlite_query_put_number(query, 3, (int64_t)limit);
	if (user)
		sqlite_query_put_text(query, 4, user);
	int result;
	while ((result = sqlite3_step(query)) == SQLITE_ROW) {
		struct registry_tombstone tombstone;
		read_tombstone(query, &tombstone);
		on_tombstone(ctx, &tombstone);
	}
	return sqlite_query_end(s, query, result, err);
}

int tombstones_remove(struct registry_db *db, const char *user, struct err *err)
{
	struct sqlite *s = sqlite_of(db);
	sqlite3_stmt *query = sqlite_query_of_site(s, STATEMENT_REMOVE_TOMBSTONES);
	sqlite_query_put_text(query, 2, user);
	s->empties_log = true;
	return sqlite_query_run(s, query, err);
}

int tombstones_prune(struct registry_db *db, int64_t before_ms, struct err *err)
{
	struct sqlite *s = sqlite_of(db);
	sqlite3_stmt *query = sqlite_query_of_site(s, STATEMENT_PRUNE_TOMBSTONES);
	sqlite_query_put_number(query, 2, before_ms);
	s->empties_log = true;
	return sqlite_query_run(s, query, err);
}

int tombstones_put_right(struct sqlite *s, int64_t after_ms, int64_t to_ms, struct err *err)
{
	sqlite3_stmt *query = sqlite_query_of_site(s, STATEMENT_PUT_TOMBSTONES_RIGHT);
	sqlite_query_put_number(query, 2, after_ms);
	sqlite_query_put_number(query, 3, to_ms);
	return sqlite_query_run(s, query, err);
}

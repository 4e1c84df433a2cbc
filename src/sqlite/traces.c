#include "sqlite/traces.h"

#include "sqlite/statement.h"

#include <string.h>

static int run(sqlite3_stmt *query)
{
	int result = sqlite3_step(query);
	sqlite3_reset(query);
	return result;
}

/* What both ways of leaving a trace have in common: parameters 1 to 5. */
static sqlite3_stmt *leaving(sqlite3_stmt *query, int64_t site, const struct registry_end *end)
{
	sqlite3_bind_int64(query, 1, site);
	sqlite3_bind_int64(query, 2, end->at_ms);
	sqlite3_bind_text(query, 3, registry_why_names[end->why], -1, SQLITE_STATIC);
	sqlite3_bind_int(query, 4, end->status);
	sqlite3_bind_text(query, 5, end->reason ? end->reason : "", -1, SQLITE_STATIC);
	return query;
}

int traces_leave(sqlite3_stmt *const *statements, int64_t site, const struct registry_key *key,
	const struct registry_end *end)
{
	sqlite3_stmt *query = leaving(statements[STATEMENT_TRACE_KEY], site, end);
	sqlite3_bind_blob(query, 6, key->bytes, sizeof(key->bytes), SQLITE_STATIC);
	return run(query);
}

int traces_leave_token(
	sqlite3_stmt *const *statements, int64_t site, const struct registry_token_change *change)
{
	sqlite3_stmt *query = leaving(statements[STATEMENT_TRACE_TOKEN], site, &change->end);
	sqlite3_bind_text(query, 6, change->token, -1, SQLITE_STATIC);
	sqlite3_bind_text(query, 7, change->topic, -1, SQLITE_STATIC);
	sqlite3_bind_int64(query, 8, change->before_ms);
	return run(query);
}

static const char *text_of(sqlite3_stmt *query, int column)
{
	const char *text = (const char *)sqlite3_column_text(query, column);
	return text ? text : "";
}

/* A damaged file may hold what is none of them. */
static enum registry_why why_of(const char *name)
{
	int why = 0;
	while (why < REGISTRY_WHYS - 1 && strcmp(registry_why_names[why], name) != 0)
		why++;
	return (enum registry_why)why;
}

static void read_trace(sqlite3_stmt *query, struct registry_trace *ret)
{
	*ret = (struct registry_trace){
		.id = sqlite3_column_int64(query, 0),
		.user = text_of(query, 2),
		.token = text_of(query, 3),
		.account_id = text_of(query, 4),
		.topic = text_of(query, 5),
		.renewed_ms = sqlite3_column_int64(query, 6),
		.at_ms = sqlite3_column_int64(query, 7),
		.why = why_of(text_of(query, 8)),
		.status = sqlite3_column_int(query, 9),
		.reason = text_of(query, 10),
		.is_back = sqlite3_column_int(query, 11) != 0,
	};
	const void *bytes = sqlite3_column_blob(query, 1);
	if (bytes && sqlite3_column_bytes(query, 1) == (int)sizeof(ret->key.bytes))
		memcpy(ret->key.bytes, bytes, sizeof(ret->key.bytes));
}

int traces_list(sqlite3_stmt *const *statements, int64_t site, const char *user, int64_t after_id,
	size_t limit, registry_trace_fn *on_trace, void *ctx)
{
	sqlite3_stmt *query = statements[user ? STATEMENT_LIST_TRACES_OF : STATEMENT_LIST_TRACES];
	sqlite3_bind_int64(query, 1, site);
	sqlite3_bind_int64(query, 2, after_id ? after_id : INT64_MAX);
	sqlite3_bind_int64(query, 3, (int64_t)limit);
	if (user)
		sqlite3_bind_text(query, 4, user, -1, SQLITE_STATIC);
	int result;
	while ((result = sqlite3_step(query)) == SQLITE_ROW) {
		struct registry_trace trace;
		read_trace(query, &trace);
		on_trace(ctx, &trace);
	}
	sqlite3_reset(query);
	return result;
}

int traces_remove(sqlite3_stmt *const *statements, int64_t site, const char *user)
{
	sqlite3_stmt *query = statements[STATEMENT_REMOVE_TRACES];
	sqlite3_bind_int64(query, 1, site);
	sqlite3_bind_text(query, 2, user, -1, SQLITE_STATIC);
	return run(query);
}

int traces_prune(sqlite3_stmt *const *statements, int64_t site, int64_t before_ms)
{
	sqlite3_stmt *query = statements[STATEMENT_PRUNE_TRACES];
	sqlite3_bind_int64(query, 1, site);
	sqlite3_bind_int64(query, 2, before_ms);
	return run(query);
}

int traces_put_right(sqlite3_stmt *const *statements, int64_t site, int64_t after_ms, int64_t to_ms)
{
	sqlite3_stmt *query = statements[STATEMENT_PUT_TRACES_RIGHT];
	sqlite3_bind_int64(query, 1, site);
	sqlite3_bind_int64(query, 2, after_ms);
	sqlite3_bind_int64(query, 3, to_ms);
	return run(query);
}

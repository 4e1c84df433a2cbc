#include "sqlite/upheaval.h"

#include "base/mem.h"
#include "sqlite/statement.h"

#include <string.h>

static void bind_text(sqlite3_stmt *query, int at, const char *text)
{
	sqlite3_bind_text(query, at, text, -1, SQLITE_STATIC);
}

/* Runs what gives back the key, and of REGISTRY_EFFECT_LOST the hash, of each row that it touches.
 */
static int run(
	sqlite3_stmt *query, enum registry_effect_kind kind, const struct upheaval_teller *teller)
{
	int result;
	while ((result = sqlite3_step(query)) == SQLITE_ROW) {
		struct registry_key key = {0};
		if (sqlite3_column_bytes(query, 0) == (int)sizeof(key.bytes))
			memcpy(key.bytes, sqlite3_column_blob(query, 0), sizeof(key.bytes));
		const char *hash = kind == REGISTRY_EFFECT_LOST
			? (const char *)sqlite3_column_text(query, 1)
			: NULL;
		teller->on_effect(teller->ctx, teller->index, kind, &key, hash);
	}
	sqlite3_reset(query);
	return result;
}

/* What all changes have in common. */
static sqlite3_stmt *bind_change(
	sqlite3_stmt *query, int64_t site, const struct registry_mailbox_change *change)
{
	sqlite3_bind_int64(query, 1, site);
	sqlite3_bind_int64(query, 2, change->at_ms);
	bind_text(query, 3, change->owner);
	return query;
}

static int lose_owner(sqlite3_stmt *const *statements, int64_t site,
	const struct registry_mailbox_change *change, const struct upheaval_teller *teller)
{
	int result = run(bind_change(statements[STATEMENT_OWNER_SUSPENDED], site, change),
		REGISTRY_EFFECT_SUSPENDED, teller);
	if (result != SQLITE_DONE)
		return result;
	return run(bind_change(statements[STATEMENT_OWNER_DROPPED], site, change),
		REGISTRY_EFFECT_LOST, teller);
}

int upheaval_change(sqlite3_stmt *const *statements, int64_t site,
	const struct registry_mailbox_change *change, const struct upheaval_teller *teller)
{
	if (change->kind == REGISTRY_OWNER_GONE)
		return lose_owner(statements, site, change, teller);
	bool is_move = change->kind == REGISTRY_FOLDER_MOVED;
	sqlite3_stmt *query =
		bind_change(statements[is_move ? STATEMENT_FOLDER_MOVED : STATEMENT_FOLDER_DROPPED],
			site, change);
	bind_text(query, 4, change->folder);
	mem_auto char *below = NULL;
	mem_auto char *beyond = NULL;
	const char separator[] = {change->separator, '\0'};
	if (is_move) {
		below = mem_printf("%s%c", change->folder, change->separator);
		beyond = mem_printf("%s%c", change->folder, change->separator + 1);
		bind_text(query, 5, change->new_owner);
		bind_text(query, 6, change->new_folder);
		bind_text(query, 7, below);
		bind_text(query, 8, beyond);
		bind_text(query, 9, separator);
	}
	return run(query, REGISTRY_EFFECT_LOST, teller);
}

int upheaval_resume(sqlite3_stmt *const *statements, int64_t site,
	const struct registry_resume *resume, const struct upheaval_teller *teller)
{
	sqlite3_stmt *query = statements[STATEMENT_RESUME];
	sqlite3_bind_int64(query, 1, site);
	bind_text(query, 2, resume->user);
	sqlite3_bind_int64(query, 3, resume->upto_ms);
	return run(query, REGISTRY_EFFECT_RESUMED, teller);
}

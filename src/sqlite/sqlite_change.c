#include "sqlite/sqlite_change.h"

#include "base/mem.h"
#include "sqlite/sqlite_query.h"

/* The callback for each row that a statement touches. */
struct teller {
	registry_effect_fn *on_effect;
	void *ctx;
	size_t index;
};

/* Runs what gives back the key, and of REGISTRY_EFFECT_LOST the hash, of each row that it touches.
 */
static int run(struct sqlite *s, sqlite3_stmt *query, enum registry_effect_kind kind,
	const struct teller *teller, struct err *err)
{
	int result;
	while ((result = sqlite3_step(query)) == SQLITE_ROW) {
		struct registry_key key;
		sqlite_query_key(query, 0, &key);
		teller->on_effect(teller->ctx, teller->index, kind, &key,
			kind == REGISTRY_EFFECT_LOST ? sqlite_query_text(query, 1) : NULL);
	}
	return sqlite_query_end(s, query, result, err);
}

/* What all changes have in common. */
static sqlite3_stmt *bind_change(
	struct sqlite *s, enum statement statement, const struct registry_mailbox_change *change)
{
	sqlite3_stmt *query = sqlite_query_of_site(s, statement);
	sqlite_query_put_number(query, 2, change->at_ms);
	sqlite_query_put_text(query, 3, change->owner);
	return query;
}

static int lose_owner(struct sqlite *s, const struct registry_mailbox_change *change,
	const struct teller *teller, struct err *err)
{
	int failed = run(s, bind_change(s, STATEMENT_OWNER_SUSPENDED, change),
		REGISTRY_EFFECT_SUSPENDED, teller, err);
	return failed ? failed
		      : run(s, bind_change(s, STATEMENT_OWNER_DROPPED, change),
				REGISTRY_EFFECT_LOST, teller, err);
}

static int change_folder(struct sqlite *s, const struct registry_mailbox_change *change,
	const struct teller *teller, struct err *err)
{
	bool is_move = change->kind == REGISTRY_FOLDER_MOVED;
	sqlite3_stmt *query =
		bind_change(s, is_move ? STATEMENT_FOLDER_MOVED : STATEMENT_FOLDER_DROPPED, change);
	sqlite_query_put_text(query, 4, change->folder);
	mem_auto char *below = NULL;
	mem_auto char *beyond = NULL;
	const char separator[] = {change->separator, '\0'};
	if (is_move) {
		below = mem_printf("%s%c", change->folder, change->separator);
		beyond = mem_printf("%s%c", change->folder, change->separator + 1);
		sqlite_query_put_text(query, 5, change->new_owner);
		sqlite_query_put_text(query, 6, change->new_folder);
		sqlite_query_put_text(query, 7, below);
		sqlite_query_put_text(query, 8, beyond);
		sqlite_query_put_text(query, 9, separator);
	}
	return run(s, query, REGISTRY_EFFECT_LOST, teller, err);
}

int sqlite_change_mailboxes(struct registry_db *db, const struct registry_mailbox_change *changes,
	size_t count, registry_effect_fn *on_effect, void *ctx, struct err *err)
{
	struct sqlite *s = sqlite_of(db);
	int failed = 0;
	for (size_t i = 0; i < count && !failed; i++) {
		const struct teller teller = {on_effect, ctx, i};
		failed = changes[i].kind == REGISTRY_OWNER_GONE
			? lose_owner(s, &changes[i], &teller, err)
			: change_folder(s, &changes[i], &teller, err);
	}
	return failed;
}

int sqlite_resume(struct registry_db *db, const struct registry_resume *resumes, size_t count,
	registry_effect_fn *on_effect, void *ctx, struct err *err)
{
	struct sqlite *s = sqlite_of(db);
	int failed = 0;
	for (size_t i = 0; i < count && !failed; i++) {
		const struct teller teller = {on_effect, ctx, i};
		sqlite3_stmt *query = sqlite_query_of_site(s, STATEMENT_RESUME);
		sqlite_query_put_text(query, 2, resumes[i].user);
		sqlite_query_put_number(query, 3, resumes[i].upto_ms);
		failed = run(s, query, REGISTRY_EFFECT_RESUMED, &teller, err);
	}
	return failed;
}

#include "postgresql/postgresql_change.h"

#include "base/mem.h"
#include "driver/mailbox_place.h"

#include <string.h>

static const char *tell(const struct postgresql_teller *teller, size_t index,
	enum registry_effect_kind kind, const PGresult *rows)
{
	const char *malformed = pgvalue_check(rows, kind == REGISTRY_EFFECT_LOST ? "kt" : "k");
	for (int i = 0; !malformed && i < PQntuples(rows); i++) {
		struct registry_key key;
		pgvalue_bytes(rows, i, 0, key.bytes, sizeof(key.bytes));
		teller->on_effect(teller->ctx, index, kind, &key,
			kind == REGISTRY_EFFECT_LOST ? pgvalue_text(rows, i, 1) : NULL);
	}
	return malformed;
}

static const char *on_suspended(void *ctx, size_t index, const PGresult *rows)
{
	return tell(ctx, index, REGISTRY_EFFECT_SUSPENDED, rows);
}

static const char *on_lost(void *ctx, size_t index, const PGresult *rows)
{
	return tell(ctx, index, REGISTRY_EFFECT_LOST, rows);
}

static const char *on_resumed(void *ctx, size_t index, const PGresult *rows)
{
	return tell(ctx, index, REGISTRY_EFFECT_RESUMED, rows);
}

/* $1 to $3: not renewed after the change ($3). */
#define NOT_RENEWED_SINCE "r.renewed_ms <= $3"

static void add_change(struct pgvalues *values, const struct postgresql *p,
	const struct registry_mailbox_change *change)
{
	pgvalues_init(values);
	pgvalues_text(values, p->site);
	pgvalues_text(values, change->owner);
	pgvalues_number(values, change->at_ms);
}

static int lose_owner(struct postgresql *p, const struct registry_mailbox_change *change,
	struct postgresql_teller *teller, size_t index, struct err *err)
{
	pgvalues_auto struct pgvalues values;
	add_change(&values, p, change);
	int failed = postgresql_send(p,
		"UPDATE mailpush_registration AS r SET suspended_ms = $3"
		" WHERE r.site = $1 AND r.username = $2 AND " NOT_RENEWED_SINCE
		" AND r.suspended_ms <= $3 RETURNING r.key",
		&values, on_suspended, teller, index, err);
	if (failed)
		return failed;
	return postgresql_send(p,
		"DELETE FROM mailpush_subscription AS s USING mailpush_registration AS r"
		" WHERE s.site = $1 AND s.owner = $2 AND r.key = s.key AND r.username <> $2"
		" AND " NOT_RENEWED_SINCE " RETURNING s.key, s.hash",
		&values, on_lost, teller, index, err);
}

static int lose_folder(struct postgresql *p, const struct registry_mailbox_change *change,
	struct postgresql_teller *teller, size_t index, struct err *err)
{
	pgvalues_auto struct pgvalues values;
	add_change(&values, p, change);
	pgvalues_text(&values, change->folder);
	return postgresql_send(p,
		"DELETE FROM mailpush_subscription AS s USING mailpush_registration AS r"
		" WHERE s.site = $1 AND s.owner = $2 AND s.folder = $4 AND r.key = s.key"
		" AND " NOT_RENEWED_SINCE " RETURNING s.key, s.hash",
		&values, on_lost, teller, index, err);
}

/* What is to be moved, as parameters of the statement that does it. */
struct move {
	const struct postgresql *p;
	const struct registry_mailbox_change *change;
	struct pgvalue *keys;
	struct pgvalue *names;
	struct pgvalue *places;
	struct pgvalue *folders;
};

/* Is it the folder, or below it? */
static bool is_within(const char *folder, const char *top, char separator)
{
	size_t size = strlen(top);
	return strncmp(folder, top, size) == 0 &&
		(folder[size] == '\0' || folder[size] == separator);
}

static const char *on_moved(void *ctx, size_t index, const PGresult *rows)
{
	const char *malformed = pgvalue_check(rows, "ktt");
	struct move *move = ctx;
	const struct registry_mailbox_change *change = move->change;
	bool stays_with_owner = strcmp(change->owner, change->new_owner) == 0;
	(void)index;
	for (int i = 0; !malformed && i < PQntuples(rows); i++) {
		const char *folder = pgvalue_text(rows, i, 2);
		/* What is at the new place was moved before: a rename may lead below itself, and
		   is done again after a crash. */
		if (!is_within(folder, change->folder, change->separator) ||
			(stays_with_owner &&
				is_within(folder, change->new_folder, change->separator)))
			continue;
		mem_auto char *new_folder =
			mem_printf("%s%s", change->new_folder, folder + strlen(change->folder));
		struct mailbox_place place =
			mailbox_place_of(move->p->site, change->new_owner, new_folder);
		struct registry_key key;
		pgvalue_bytes(rows, i, 0, key.bytes, sizeof(key.bytes));
		pgvalue_add_bytes(move->keys, key.bytes, sizeof(key.bytes));
		pgvalue_add_text(move->names, pgvalue_text(rows, i, 1));
		pgvalue_add_bytes(move->places, place.bytes, sizeof(place.bytes));
		pgvalue_add_text(move->folders, new_folder);
	}
	return malformed;
}

static int move_folder(
	struct postgresql *p, const struct registry_mailbox_change *change, struct err *err)
{
	pgvalues_auto struct pgvalues moved;
	pgvalues_init(&moved);
	pgvalues_text(&moved, change->new_owner);
	struct move move = {
		.p = p,
		.change = change,
		.keys = pgvalues_array(&moved, PGVALUE_BYTES),
		.names = pgvalues_array(&moved, PGVALUE_TEXT),
		.places = pgvalues_array(&moved, PGVALUE_BYTES),
		.folders = pgvalues_array(&moved, PGVALUE_TEXT),
	};
	pgvalues_auto struct pgvalues values;
	add_change(&values, p, change);
	mem_auto char *beyond = mem_printf("%s%c", change->folder, change->separator + 1);
	pgvalues_text(&values, change->folder);
	pgvalues_text(&values, beyond);
	int failed = postgresql_ask(p,
		"SELECT s.key, s.name, s.folder FROM mailpush_subscription s"
		" JOIN mailpush_registration r ON r.key = s.key"
		" WHERE s.site = $1 AND s.owner = $2 AND s.folder >= $4"
		" AND s.folder < $5 AND " NOT_RENEWED_SINCE,
		&values, on_moved, &move, err);
	if (failed || move.keys->count == 0)
		return failed;
	return postgresql_send(p,
		"UPDATE mailpush_subscription AS s SET owner = $1, place = q.place,"
		" folder = q.folder FROM unnest($2, $3, $4, $5) AS q (key, name, place, folder)"
		" WHERE s.key = q.key AND s.name = q.name",
		&moved, NULL, NULL, 0, err);
}

int postgresql_change_mailboxes(struct registry_db *db,
	const struct registry_mailbox_change *changes, size_t count, registry_effect_fn *on_effect,
	void *ctx, struct err *err)
{
	struct postgresql *p = postgresql_of(db);
	struct postgresql_teller teller = {on_effect, ctx};
	int failed = 0;
	for (size_t i = 0; i < count && !failed; i++) {
		switch (changes[i].kind) {
		case REGISTRY_OWNER_GONE:
			failed = lose_owner(p, &changes[i], &teller, i, err);
			break;
		case REGISTRY_FOLDER_GONE:
			failed = lose_folder(p, &changes[i], &teller, i, err);
			break;
		case REGISTRY_FOLDER_MOVED:
			failed = move_folder(p, &changes[i], err);
			break;
		}
	}
	return failed ? failed : postgresql_wait(p, err);
}

int postgresql_send_resumes(struct postgresql *p, const struct registry_resume *resumes,
	size_t count, struct postgresql_teller *teller, struct err *err)
{
	int failed = 0;
	for (size_t i = 0; i < count && !failed; i++) {
		pgvalues_auto struct pgvalues values;
		pgvalues_init(&values);
		pgvalues_text(&values, p->site);
		pgvalues_text(&values, resumes[i].user);
		pgvalues_number(&values, resumes[i].upto_ms);
		failed = postgresql_send(p,
			"UPDATE mailpush_registration SET suspended_ms = 0"
			" WHERE site = $1 AND username = $2"
			" AND suspended_ms BETWEEN 1 AND $3 RETURNING key",
			&values, on_resumed, teller, i, err);
	}
	return failed;
}

int postgresql_resume(struct registry_db *db, const struct registry_resume *resumes, size_t count,
	registry_effect_fn *on_effect, void *ctx, struct err *err)
{
	struct postgresql *p = postgresql_of(db);
	struct postgresql_teller teller = {on_effect, ctx};
	int failed = postgresql_send_resumes(p, resumes, count, &teller, err);
	return failed ? failed : postgresql_wait(p, err);
}

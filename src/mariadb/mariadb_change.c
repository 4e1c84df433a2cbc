#include "mariadb/mariadb_change.h"

#include "base/mem.h"
#include "driver/mailbox_place.h"
#include "mariadb/mariadb_transaction.h"

#include <string.h>

struct teller {
	registry_effect_fn *on_effect;
	void *ctx;
};

static const char *tell(const struct teller *teller, size_t index, enum registry_effect_kind kind,
	struct mariarows *rows)
{
	const char *malformed = mariavalue_check(rows, kind == REGISTRY_EFFECT_LOST ? 2 : 1);
	while (!malformed && mariavalue_next_row(rows)) {
		struct registry_key key;
		mariavalue_to_bytes(rows, 0, key.bytes, sizeof(key.bytes));
		teller->on_effect(teller->ctx, index, kind, &key,
			kind == REGISTRY_EFFECT_LOST ? mariavalue_to_text(rows, 1) : NULL);
	}
	return malformed;
}

static const char *on_suspended(void *ctx, size_t index, struct mariarows *rows)
{
	return tell(ctx, index, REGISTRY_EFFECT_SUSPENDED, rows);
}

static const char *on_lost(void *ctx, size_t index, struct mariarows *rows)
{
	return tell(ctx, index, REGISTRY_EFFECT_LOST, rows);
}

static const char *on_resumed(void *ctx, size_t index, struct mariarows *rows)
{
	return tell(ctx, index, REGISTRY_EFFECT_RESUMED, rows);
}

/* ?1 to ?3. */
static void add_change(struct mariavalues *values, const struct mariadb *m,
	const struct registry_mailbox_change *change)
{
	mariavalues_init(values);
	mariavalues_text(values, m->site);
	mariavalues_text(values, change->owner);
	mariavalues_number(values, change->at_ms);
}

/* Of the registration that a subscription belongs to, which is locked meanwhile. */
#define REGISTRATION(condition)                              \
	"(SELECT " condition " FROM mailpush_registration r" \
	" WHERE r.id = mailpush_subscription.registration)"
#define NOT_RENEWED_SINCE REGISTRATION("r.renewed_ms <= ?3")

#define OF_OWNER "site = ?1 AND username = ?2 AND renewed_ms <= ?3 AND suspended_ms <= ?3"

static int lose_owner(struct mariadb *m, const struct registry_mailbox_change *change,
	struct teller *teller, size_t index, struct err *err)
{
	mariavalues_auto struct mariavalues values;
	add_change(&values, m, change);
	int failed = mariadb_send(m,
		"SELECT id FROM mailpush_registration FORCE INDEX (mailpush_registration_user)"
		" WHERE " OF_OWNER " FOR UPDATE",
		&values, on_suspended, teller, index, err);
	if (!failed)
		failed = mariadb_send(m,
			"UPDATE mailpush_registration FORCE INDEX (mailpush_registration_user)"
			" SET suspended_ms = ?3 WHERE " OF_OWNER,
			&values, NULL, NULL, 0, err);
	if (!failed)
		failed = mariadb_send(m,
			"DELETE FROM mailpush_subscription WHERE site = ?1 AND owner = ?2"
			" AND " REGISTRATION(
				"r.username <> ?2 AND r.renewed_ms <= ?3") " RETURNING "
									   "registration, hash",
			&values, on_lost, teller, index, err);
	return failed;
}

static int lose_folder(struct mariadb *m, const struct registry_mailbox_change *change,
	struct teller *teller, size_t index, struct err *err)
{
	struct mailbox_place place = mailbox_place_of(m->site, change->owner, change->folder);
	mariavalues_auto struct mariavalues values;
	add_change(&values, m, change);
	mariavalues_bytes(&values, place.bytes, sizeof(place.bytes));
	return mariadb_send(m,
		"DELETE FROM mailpush_subscription WHERE place = ?4 AND " NOT_RENEWED_SINCE
		" RETURNING registration, hash",
		&values, on_lost, teller, index, err);
}

/*
 * The place is made where the new folder is (mailbox_place.h), and before that changes.  What is at
 * the new place already was moved before: a rename may lead below itself, and is done again after a
 * crash.
 */
static int move_folder(
	struct mariadb *m, const struct registry_mailbox_change *change, struct err *err)
{
	const char separator[] = {change->separator, '\0'};
	mem_auto char *below = mem_printf("%s%c", change->folder, change->separator);
	mem_auto char *beyond = mem_printf("%s%c", change->folder, change->separator + 1);
	mem_auto char *new_below = mem_printf("%s%c", change->new_folder, change->separator);
	bool stays_with_owner = strcmp(change->owner, change->new_owner) == 0;
	mariavalues_auto struct mariavalues values;
	add_change(&values, m, change);
	mariavalues_text(&values, change->folder);
	mariavalues_text(&values, below);
	mariavalues_text(&values, beyond);
	mariavalues_text(&values, change->new_owner);
	mariavalues_text(&values, change->new_folder);
	mariavalues_text(&values, stays_with_owner ? new_below : NULL);
#define NEW_FOLDER "CONCAT(?8, SUBSTRING(folder, LENGTH(?4) + 1))"
	mem_auto char *sql = mem_printf(
		"UPDATE mailpush_subscription FORCE INDEX (mailpush_subscription_owner) SET"
		" place = UNHEX(LEFT(SHA2(CONCAT(?1, x'00', ?7, x'00', " NEW_FOLDER
		", x'00'), 256), 32)), folder = " NEW_FOLDER ", owner = ?7"
		" WHERE site = ?1 AND owner = ?2 AND folder >= ?4 AND folder < ?6"
		" AND (folder = ?4 OR folder >= ?5)"
		" AND (?9 IS NULL OR LEFT(CONCAT(folder, x'%02x'), LENGTH(?9)) <> ?9)"
		" AND " NOT_RENEWED_SINCE,
		(unsigned char)*separator);
	return mariadb_send(m, sql, &values, NULL, NULL, 0, err);
}

int mariadb_change_mailboxes(struct registry_db *db, const struct registry_mailbox_change *changes,
	size_t count, registry_effect_fn *on_effect, void *ctx, struct err *err)
{
	struct mariadb *m = mariadb_of(db);
	struct teller teller = {on_effect, ctx};
	int failed = 0;
	for (size_t i = 0; i < count && !failed; i++) {
		switch (changes[i].kind) {
		case REGISTRY_OWNER_GONE:
			failed = lose_owner(m, &changes[i], &teller, i, err);
			break;
		case REGISTRY_FOLDER_GONE:
			failed = lose_folder(m, &changes[i], &teller, i, err);
			break;
		case REGISTRY_FOLDER_MOVED:
			failed = move_folder(m, &changes[i], err);
			break;
		}
	}
	return failed ? failed : mariadb_wait(m, err);
}

#define TO_RESUME "site = ?1 AND username = ?2 AND suspended_ms BETWEEN 1 AND ?3"

int mariadb_resume(struct registry_db *db, const struct registry_resume *resumes, size_t count,
	registry_effect_fn *on_effect, void *ctx, struct err *err)
{
	struct mariadb *m = mariadb_of(db);
	struct teller teller = {on_effect, ctx};
	int failed = 0;
	for (size_t i = 0; i < count && !failed; i++) {
		mariavalues_auto struct mariavalues values;
		mariavalues_init(&values);
		mariavalues_text(&values, m->site);
		mariavalues_text(&values, resumes[i].user);
		mariavalues_number(&values, resumes[i].upto_ms);
		failed = mariadb_send(m,
			"SELECT id FROM mailpush_registration"
			" FORCE INDEX (mailpush_registration_user)"
			" WHERE " TO_RESUME " FOR UPDATE",
			&values, on_resumed, &teller, i, err);
		if (!failed)
			failed = mariadb_send(m,
				"UPDATE mailpush_registration"
				" FORCE INDEX (mailpush_registration_user)"
				" SET suspended_ms = 0 WHERE " TO_RESUME,
				&values, NULL, NULL, 0, err);
	}
	return failed ? failed : mariadb_wait(m, err);
}

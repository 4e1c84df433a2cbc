#include "postgresql/postgresql_write.h"

#include "base/mem.h"
#include "driver/mailbox_place.h"
#include "postgresql/postgresql_schema.h"
#include "postgresql/postgresql_transaction.h"

/* So many tombstones may be left before the limit of all is looked at again. */
#define TOMBSTONES_UNLOOKED (REGISTRY_TOMBSTONES_MAX / 20)

/* Sends what nobody waits for. */
static int execute(
	struct postgresql *p, const char *sql, const struct pgvalues *values, struct err *err)
{
	return postgresql_send(p, sql, values, NULL, NULL, 0, err);
}

static void add_keys(struct pgvalues *values, const struct registry_key *keys, size_t count)
{
	struct pgvalue *array = pgvalues_array(values, PGVALUE_BYTES);
	for (size_t i = 0; i < count; i++)
		pgvalue_add_bytes(array, keys[i].bytes, sizeof(keys[i].bytes));
}

int postgresql_put(
	struct registry_db *db, const struct registry_row *rows, size_t count, struct err *err)
{
	static const enum pgvalue_type types[] = {PGVALUE_BYTES, PGVALUE_TEXT, PGVALUE_TEXT,
		PGVALUE_TEXT, PGVALUE_TEXT, PGVALUE_TEXT, PGVALUE_NUMBER, PGVALUE_BOOL,
		PGVALUE_BOOL, PGVALUE_BOOL, PGVALUE_NUMBER, PGVALUE_NUMBER, PGVALUE_NUMBER,
		PGVALUE_NUMBER, PGVALUE_TEXT};
	if (count == 0)
		return 0;
	struct postgresql *p = postgresql_of(db);
	pgvalues_auto struct pgvalues values;
	pgvalues_init(&values);
	pgvalues_text(&values, p->site);
	struct pgvalue *columns = &values.values[1];
	for (size_t i = 0; i < sizeof(types) / sizeof(types[0]); i++)
		pgvalues_array(&values, types[i]);
	for (size_t i = 0; i < count; i++) {
		const struct registry_row *row = &rows[i];
		pgvalue_add_bytes(&columns[0], row->key.bytes, sizeof(row->key.bytes));
		pgvalue_add_text(&columns[1], row->user);
		pgvalue_add_text(&columns[2], row->token);
		pgvalue_add_text(&columns[3], row->account_id);
		pgvalue_add_text(&columns[4], row->topic);
		pgvalue_add_text(&columns[5], row->subtopic);
		pgvalue_add_number(&columns[6], row->aps_version);
		pgvalue_add_bool(&columns[7], row->confirmed);
		pgvalue_add_bool(&columns[8], row->inbox_only);
		pgvalue_add_bool(&columns[9], row->is_nudged);
		pgvalue_add_number(&columns[10], row->created_ms);
		pgvalue_add_number(&columns[11], row->renewed_ms);
		pgvalue_add_number(&columns[12], row->suspended_ms);
		pgvalue_add_number(&columns[13], row->superseded_ms);
		pgvalue_add_text(&columns[14], row->stopped_reason);
	}
	return execute(p,
		"INSERT INTO mailpush_registration (site, key, username, device_token, account_id,"
		" topic, subtopic, aps_version, confirmed, inbox_only, is_nudged, created_ms,"
		" renewed_ms, suspended_ms, superseded_ms, stopped_reason)"
		" SELECT $1, q.* FROM unnest($2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13,"
		" $14, $15, $16) AS q"
		" ON CONFLICT (key) DO UPDATE SET site = EXCLUDED.site,"
		" username = EXCLUDED.username,"
		" device_token = EXCLUDED.device_token, account_id = EXCLUDED.account_id,"
		" subtopic = EXCLUDED.subtopic, topic = EXCLUDED.topic,"
		" aps_version = EXCLUDED.aps_version, confirmed = EXCLUDED.confirmed,"
		" inbox_only = EXCLUDED.inbox_only, is_nudged = EXCLUDED.is_nudged,"
		" created_ms = EXCLUDED.created_ms, renewed_ms = EXCLUDED.renewed_ms,"
		" suspended_ms = EXCLUDED.suspended_ms, superseded_ms = EXCLUDED.superseded_ms,"
		" stopped_reason = EXCLUDED.stopped_reason",
		&values, err);
}

static int clear_lists(
	struct postgresql *p, const struct registry_list *lists, size_t count, struct err *err)
{
	pgvalues_auto struct pgvalues values;
	pgvalues_init(&values);
	struct pgvalue *keys = pgvalues_array(&values, PGVALUE_BYTES);
	for (size_t i = 0; i < count; i++)
		pgvalue_add_bytes(keys, lists[i].key.bytes, sizeof(lists[i].key.bytes));
	return execute(p, "DELETE FROM mailpush_subscription WHERE key = ANY ($1)", &values, err);
}

int postgresql_put_lists(
	struct registry_db *db, const struct registry_list *lists, size_t count, struct err *err)
{
	if (count == 0)
		return 0;
	struct postgresql *p = postgresql_of(db);
	int failed = clear_lists(p, lists, count, err);
	if (failed)
		return failed;
	pgvalues_auto struct pgvalues values;
	pgvalues_init(&values);
	pgvalues_text(&values, p->site);
	struct pgvalue *keys = pgvalues_array(&values, PGVALUE_BYTES);
	struct pgvalue *names = pgvalues_array(&values, PGVALUE_TEXT);
	struct pgvalue *places = pgvalues_array(&values, PGVALUE_BYTES);
	struct pgvalue *hashes = pgvalues_array(&values, PGVALUE_TEXT);
	struct pgvalue *owners = pgvalues_array(&values, PGVALUE_TEXT);
	struct pgvalue *folders = pgvalues_array(&values, PGVALUE_TEXT);
	for (size_t i = 0; i < count; i++) {
		for (size_t j = 0; j < lists[i].count; j++) {
			const struct registry_subscription *s = &lists[i].subscriptions[j];
			struct mailbox_place place = mailbox_place_of(p->site, s->owner, s->folder);
			pgvalue_add_bytes(keys, lists[i].key.bytes, sizeof(lists[i].key.bytes));
			pgvalue_add_text(names, s->name);
			pgvalue_add_bytes(places, place.bytes, sizeof(place.bytes));
			pgvalue_add_text(hashes, s->hash);
			pgvalue_add_text(owners, s->owner);
			pgvalue_add_text(folders, s->folder);
		}
	}
	return execute(p,
		"INSERT INTO mailpush_subscription (site, key, name, place, hash, owner, folder)"
		" SELECT $1, q.key, q.name, q.place, q.hash, q.owner, q.folder"
		" FROM unnest($2, $3, $4, $5, $6, $7)"
		" AS q (key, name, place, hash, owner, folder)"
		" JOIN mailpush_registration r ON r.key = q.key",
		&values, err);
}

/* What both ways of leaving a tombstone begin with: $1 to $5. */
static void add_end(
	struct pgvalues *values, const struct postgresql *p, const struct registry_end *end)
{
	pgvalues_init(values);
	pgvalues_text(values, p->site);
	pgvalues_number(values, end->at_ms);
	pgvalues_text(values, registry_why_names[end->why]);
	pgvalues_number(values, end->status);
	pgvalues_text(values, end->reason ? end->reason : "");
}

#define LEAVE_TOMBSTONES(which)                                                                 \
	"INSERT INTO mailpush_forgotten (key, site, username, device_token, account_id, topic," \
	" renewed_ms, at_ms, why, status, reason)"                                              \
	" SELECT r.key, r.site, r.username, r.device_token, r.account_id, r.topic,"             \
	" r.renewed_ms, $2, $3, $4, coalesce(nullif($5, ''), r.stopped_reason, '') FROM " which \
	" ON CONFLICT (key) DO UPDATE SET id = EXCLUDED.id, topic = EXCLUDED.topic,"            \
	" renewed_ms = EXCLUDED.renewed_ms, at_ms = EXCLUDED.at_ms, why = EXCLUDED.why,"        \
	" status = EXCLUDED.status, reason = EXCLUDED.reason"

/* Of each user whose registrations are about to go, all tombstones but the newest: user by user, so
   that no server reads all there are. */
#define TRIM_TOMBSTONES(which)                                                   \
	"DELETE FROM mailpush_forgotten WHERE key IN (SELECT t.key FROM"         \
	" (SELECT DISTINCT r.username FROM mailpush_registration r WHERE " which \
	" ) u CROSS JOIN LATERAL (SELECT f.key FROM mailpush_forgotten f"        \
	"  WHERE f.site = $1 AND f.username = u.username ORDER BY f.id DESC OFFSET 16) t)"

_Static_assert(REGISTRY_TOMBSTONES_PER_USER == 16 && REGISTRY_TOMBSTONES_MAX == 100000,
	"as the statements say");

/* Of the site's all but the newest. */
#define BEYOND_LIMIT(limit) \
	"id <= (SELECT max(id) FROM mailpush_forgotten WHERE site = $1) - " limit

/* Now and then, since each look at it may be in another node's way. */
static int limit_tombstones(struct postgresql *p, size_t left, struct err *err)
{
	p->tombstones += left;
	if (p->tombstones < TOMBSTONES_UNLOOKED)
		return 0;
	p->tombstones = 0;
	pgvalues_auto struct pgvalues values;
	pgvalues_init(&values);
	pgvalues_text(&values, p->site);
	pgvalues_number(&values, REGISTRY_TOMBSTONES_MAX);
	return execute(p, "DELETE FROM mailpush_forgotten WHERE site = $1 AND " BEYOND_LIMIT("$2"),
		&values, err);
}

int postgresql_remove(struct registry_db *db, const struct registry_key *keys, size_t count,
	const struct registry_end *end, struct err *err)
{
	if (count == 0)
		return 0;
	struct postgresql *p = postgresql_of(db);
	pgvalues_auto struct pgvalues values;
	add_end(&values, p, end);
	add_keys(&values, keys, count);
	int failed = execute(p,
		LEAVE_TOMBSTONES("unnest($6) WITH ORDINALITY AS q (key, i)"
				 " JOIN mailpush_registration r ON r.key = q.key"
				 " AND " POSTGRESQL_IS_OF("r.site", "$1") " ORDER BY q.i"),
		&values, err);
	pgvalues_auto struct pgvalues these;
	pgvalues_init(&these);
	pgvalues_text(&these, p->site);
	add_keys(&these, keys, count);
	if (!failed)
		failed = execute(p, TRIM_TOMBSTONES("r.key = ANY ($2)"), &these, err);
	if (!failed)
		failed = execute(p,
			"WITH gone AS (DELETE FROM mailpush_registration WHERE key = ANY ($2)"
			"  AND " POSTGRESQL_IS_OF(
				"site", "$1") " RETURNING key)"
					      " DELETE FROM mailpush_subscription WHERE key IN "
					      "(SELECT key FROM gone)",
			&these, err);
	return failed ? failed : limit_tombstones(p, count, err);
}

struct gone {
	registry_key_fn *on_gone;
	void *ctx;
};

static const char *on_gone_rows(void *ctx, size_t index, const PGresult *rows)
{
	const struct gone *gone = ctx;
	const char *malformed = pgvalue_check(rows, "k");
	for (int i = 0; !malformed && i < PQntuples(rows); i++) {
		struct registry_key key;
		pgvalue_bytes(rows, i, 0, key.bytes, sizeof(key.bytes));
		gone->on_gone(gone->ctx, index, &key);
	}
	return malformed;
}

#define OF_TOKEN(n, m, o) "site = $1 AND device_token = " n " AND topic = " m " AND renewed_ms < " o

/* $1 to $4. */
static void add_change(struct pgvalues *values, const struct postgresql *p,
	const struct registry_token_change *change)
{
	pgvalues_init(values);
	pgvalues_text(values, p->site);
	pgvalues_text(values, change->token);
	pgvalues_text(values, change->topic);
	pgvalues_number(values, change->before_ms);
}

static int stop(struct postgresql *p, const struct registry_token_change *change, struct gone *gone,
	size_t index, struct err *err)
{
	pgvalues_auto struct pgvalues values;
	add_change(&values, p, change);
	pgvalues_text(&values, change->stop_reason);
	return postgresql_send(p,
		"UPDATE mailpush_registration SET stopped_reason = $5"
		" WHERE " OF_TOKEN("$2", "$3", "$4") " RETURNING key",
		&values, on_gone_rows, gone, index, err);
}

static int forget(struct postgresql *p, const struct registry_token_change *change,
	struct gone *gone, size_t index, struct err *err)
{
	pgvalues_auto struct pgvalues ended;
	add_end(&ended, p, &change->end);
	pgvalues_text(&ended, change->token);
	pgvalues_text(&ended, change->topic);
	pgvalues_number(&ended, change->before_ms);
	int failed = execute(p,
		LEAVE_TOMBSTONES("mailpush_registration r WHERE " OF_TOKEN("$6", "$7", "$8")),
		&ended, err);
	pgvalues_auto struct pgvalues values;
	add_change(&values, p, change);
	if (!failed)
		failed = execute(p, TRIM_TOMBSTONES(OF_TOKEN("$2", "$3", "$4")), &values, err);
	if (!failed)
		failed = postgresql_send(p,
			"WITH gone AS (DELETE FROM mailpush_registration WHERE " OF_TOKEN(
				"$2", "$3", "$4") " RETURNING key),"
						  " lists AS (DELETE FROM mailpush_subscription"
						  "  WHERE key IN (SELECT key FROM gone))"
						  " SELECT key FROM gone",
			&values, on_gone_rows, gone, index, err);
	return failed;
}

int postgresql_change_tokens(struct registry_db *db, const struct registry_token_change *changes,
	size_t count, registry_key_fn *on_gone, void *ctx, struct err *err)
{
	struct postgresql *p = postgresql_of(db);
	struct gone gone = {on_gone, ctx};
	int failed = 0;
	for (size_t i = 0; i < count && !failed; i++)
		failed = changes[i].stop_reason ? stop(p, &changes[i], &gone, i, err)
						: forget(p, &changes[i], &gone, i, err);
	if (!failed)
		failed = limit_tombstones(p, count, err);
	return failed ? failed : postgresql_wait(p, err);
}

/* A statement about the site with two numbers. */
static int send_numbers(
	struct registry_db *db, const char *sql, int64_t one, int64_t two, struct err *err)
{
	struct postgresql *p = postgresql_of(db);
	pgvalues_auto struct pgvalues values;
	pgvalues_init(&values);
	pgvalues_text(&values, p->site);
	pgvalues_number(&values, one);
	pgvalues_number(&values, two);
	return execute(p, sql, &values, err);
}

/* What is beyond $2 is from a wrong clock, and becomes $3.  Each part has an index of its own. */
static const char put_right[] =
	"UPDATE mailpush_registration SET"
	" renewed_ms = CASE WHEN renewed_ms > $2 THEN $3 ELSE renewed_ms END,"
	" suspended_ms = CASE WHEN suspended_ms > $2 THEN $3 ELSE suspended_ms END,"
	" created_ms = CASE WHEN created_ms > $2 THEN $3 ELSE created_ms END,"
	" superseded_ms = CASE WHEN superseded_ms > $2 THEN $3 ELSE superseded_ms END"
	" WHERE (site = $1 AND renewed_ms > $2)"
	" OR (site = $1 AND suspended_ms > 0 AND suspended_ms > $2)"
	" OR (site = $1 AND " POSTGRESQL_IS_NOT_ACTIVE " AND superseded_ms > $2)";

int postgresql_put_right(struct registry_db *db, int64_t after_ms, int64_t to_ms, struct err *err)
{
	int failed = send_numbers(db, put_right, after_ms, to_ms, err);
	if (failed)
		return failed;
	return send_numbers(db,
		"UPDATE mailpush_forgotten SET at_ms = $3 WHERE site = $1 AND at_ms > $2", after_ms,
		to_ms, err);
}

int postgresql_put_tidied(struct registry_db *db, int64_t day, uint64_t count, struct err *err)
{
	return send_numbers(db,
		"UPDATE mailpush_site SET tidied_day = $2, tidied_count = $3 WHERE name = $1", day,
		(int64_t)count, err);
}

static const char *on_claimed(void *ctx, size_t index, const PGresult *rows)
{
	bool *is_ours = ctx;
	(void)index;
	*is_ours = PQntuples(rows) > 0;
	return pgvalue_check(rows, "t");
}

int postgresql_claim_round(struct registry_db *db, int64_t was_ms, int64_t seen_ms,
	int64_t spared_until_ms, bool *ret_is_ours, struct err *err)
{
	struct postgresql *p = postgresql_of(db);
	pgvalues_auto struct pgvalues values;
	pgvalues_init(&values);
	pgvalues_text(&values, p->site);
	pgvalues_number(&values, was_ms);
	pgvalues_number(&values, seen_ms);
	pgvalues_number(&values, spared_until_ms);
	return postgresql_ask(p,
		"UPDATE mailpush_site SET seen_ms = $3, spared_until_ms = $4"
		" WHERE name = $1 AND seen_ms = $2 RETURNING name",
		&values, on_claimed, ret_is_ours, err);
}

int postgresql_remove_tombstones(struct registry_db *db, const char *user, struct err *err)
{
	struct postgresql *p = postgresql_of(db);
	pgvalues_auto struct pgvalues values;
	pgvalues_init(&values);
	pgvalues_text(&values, p->site);
	pgvalues_text(&values, user);
	return execute(p, "DELETE FROM mailpush_forgotten WHERE site = $1 AND username = $2",
		&values, err);
}

int postgresql_prune_tombstones(struct registry_db *db, int64_t before_ms, struct err *err)
{
	return send_numbers(db,
		"DELETE FROM mailpush_forgotten WHERE site = $1 AND (at_ms < $2"
		" OR " BEYOND_LIMIT("$3") ")",
		before_ms, REGISTRY_TOMBSTONES_MAX, err);
}

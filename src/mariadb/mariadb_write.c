#include "mariadb/mariadb_write.h"

#include "base/mem.h"
#include "driver/mailbox_place.h"
#include "mariadb/mariadb_transaction.h"

/* Adds what nobody waits for. */
static int execute(
	struct mariadb *m, const char *sql, const struct mariavalues *values, struct err *err)
{
	return mariadb_send(m, sql, values, NULL, NULL, 0, err);
}

static void add_text(struct buf *row, const char *text)
{
	buf_append(row, ",", 1);
	mariavalue_text(row, text);
}

static void add_number(struct buf *row, int64_t number)
{
	buf_append(row, ",", 1);
	mariavalue_number(row, number);
}

static void add_row(struct buf *list, const char *site, const struct registry_row *row)
{
	mariavalue_comma(list);
	buf_append(list, "(", 1);
	mariavalue_text(list, site);
	buf_append(list, ",", 1);
	mariavalue_bytes(list, row->key.bytes, sizeof(row->key.bytes));
	add_text(list, row->user);
	add_text(list, row->token);
	add_text(list, row->account_id);
	add_text(list, row->topic);
	add_text(list, row->subtopic);
	add_number(list, row->aps_version);
	add_number(list, row->confirmed);
	add_number(list, row->inbox_only);
	add_number(list, row->is_nudged);
	add_number(list, row->created_ms);
	add_number(list, row->renewed_ms);
	add_number(list, row->suspended_ms);
	add_number(list, row->superseded_ms);
	add_text(list, row->stopped_reason);
	buf_append(list, ")", 1);
}

/* renewed_ms is compared by all others, so it is the last to change. */
#define UNLESS_OLDER(column) \
	column " = IF(VALUES(renewed_ms) < renewed_ms, " column ", VALUES(" column "))"

static const char put_rows[] =
	"INSERT INTO mailpush_registration (site, id, username, device_token, account_id, topic,"
	" subtopic, aps_version, confirmed, inbox_only, is_nudged, created_ms, renewed_ms,"
	" suspended_ms, superseded_ms, stopped_reason) VALUES ?1 ON DUPLICATE KEY UPDATE"
	" site = VALUES(site), username = VALUES(username), device_token = VALUES(device_token),"
	" account_id = VALUES(account_id), subtopic = VALUES(subtopic),"
	" " UNLESS_OLDER("topic") ", " UNLESS_OLDER("aps_version") ", " UNLESS_OLDER("confirmed") ", " UNLESS_OLDER("inbox_only") ", " UNLESS_OLDER("is_nudged") ", " UNLESS_OLDER(
		"created_ms") ", " UNLESS_OLDER("suspended_ms") ", " UNLESS_OLDER("superseded_ms") ", " UNLESS_OLDER("stopped_reason") ", " UNLESS_OLDER("renewed_ms");

int mariadb_put(
	struct registry_db *db, const struct registry_row *rows, size_t count, struct err *err)
{
	struct mariadb *m = mariadb_of(db);
	int failed = 0;
	for (size_t i = 0; i < count && !failed;) {
		mariavalues_auto struct mariavalues values;
		mariavalues_init(&values);
		struct buf *list = mariavalues_list(&values);
		for (; i < count && list->used < marialink_room(m->link); i++) {
			add_row(list, m->site, &rows[i]);
			mariadb_seen_put(m->seen, &rows[i].key, rows[i].renewed_ms);
		}
		failed = execute(m, put_rows, &values, err);
	}
	return failed;
}

static void add_key(struct buf *list, const struct registry_key *key)
{
	mariavalue_comma(list);
	mariavalue_bytes(list, key->bytes, sizeof(key->bytes));
}

/* What was renewed since this transaction has read it keeps its list: here and below. */
static int clear_lists(
	struct mariadb *m, const struct registry_list *lists, size_t count, struct err *err)
{
	int failed = 0;
	for (size_t i = 0; i < count && !failed;) {
		mariavalues_auto struct mariavalues values;
		mariavalues_init(&values);
		struct buf *rows = mariavalues_list(&values);
		for (; i < count && rows->used < marialink_room(m->link); i++) {
			mariavalue_comma(rows);
			buf_append(rows, "(", 1);
			mariavalue_bytes(rows, lists[i].key.bytes, sizeof(lists[i].key.bytes));
			add_number(rows, mariadb_seen_get(m->seen, &lists[i].key));
			buf_append(rows, ")", 1);
		}
		failed = execute(m,
			"DELETE s FROM (WITH o (registration, seen_ms) AS (VALUES ?1)"
			" SELECT registration, seen_ms FROM o) q"
			" STRAIGHT_JOIN mailpush_registration r FORCE INDEX (PRIMARY)"
			" ON r.id = q.registration AND r.renewed_ms <= q.seen_ms"
			" STRAIGHT_JOIN mailpush_subscription s"
			" FORCE INDEX (mailpush_subscription_registration) ON s.registration = "
			"r.id",
			&values, err);
	}
	return failed;
}

static void add_subscription(struct buf *list, const struct mariadb *m,
	const struct registry_key *key, const struct registry_subscription *subscription)
{
	struct mailbox_place place =
		mailbox_place_of(m->site, subscription->owner, subscription->folder);
	mariavalue_comma(list);
	buf_append(list, "(", 1);
	mariavalue_bytes(list, place.bytes, sizeof(place.bytes));
	buf_append(list, ",", 1);
	mariavalue_bytes(list, key->bytes, sizeof(key->bytes));
	add_text(list, subscription->name);
	add_text(list, subscription->hash);
	add_text(list, m->site);
	add_text(list, subscription->owner);
	add_text(list, subscription->folder);
	add_number(list, mariadb_seen_get(m->seen, key));
	buf_append(list, ")", 1);
}

static int send_subscriptions(struct mariadb *m, const struct mariavalues *values, struct err *err)
{
	return execute(m,
		"INSERT INTO mailpush_subscription"
		" (place, registration, name, hash, site, owner, folder)"
		" WITH q (place, registration, name, hash, site, owner, folder, seen_ms)"
		" AS (VALUES ?1)"
		" SELECT q.place, q.registration, q.name, q.hash, q.site, q.owner, q.folder"
		" FROM q STRAIGHT_JOIN mailpush_registration r"
		" ON r.id = q.registration AND r.site = q.site AND r.renewed_ms <= q.seen_ms",
		values, err);
}

int mariadb_put_lists(
	struct registry_db *db, const struct registry_list *lists, size_t count, struct err *err)
{
	struct mariadb *m = mariadb_of(db);
	int failed = clear_lists(m, lists, count, err);
	mariavalues_auto struct mariavalues values;
	mariavalues_init(&values);
	struct buf *rows = mariavalues_list(&values);
	for (size_t i = 0; i < count && !failed; i++) {
		for (size_t j = 0; j < lists[i].count && !failed; j++) {
			add_subscription(rows, m, &lists[i].key, &lists[i].subscriptions[j]);
			if (rows->used < marialink_room(m->link))
				continue;
			failed = send_subscriptions(m, &values, err);
			buf_clear(rows);
		}
	}
	return failed || rows->used == 0 ? failed : send_subscriptions(m, &values, err);
}

/* What both ways of leaving a tombstone begin with: ?1 to ?5. */
static void add_end(
	struct mariavalues *values, const struct mariadb *m, const struct registry_end *end)
{
	mariavalues_init(values);
	mariavalues_text(values, m->site);
	mariavalues_number(values, end->at_ms);
	mariavalues_text(values, registry_why_names[end->why]);
	mariavalues_number(values, end->status);
	mariavalues_text(values, end->reason && *end->reason ? end->reason : NULL);
}

#define BY_KEY "mailpush_registration r FORCE INDEX (PRIMARY)"
#define BY_TOKEN "mailpush_registration r FORCE INDEX (mailpush_registration_token)"

#define LEAVE_TOMBSTONES(from, which)                                                  \
	"REPLACE INTO mailpush_forgotten (registration, site, username, device_token," \
	" account_id, topic, renewed_ms, at_ms, why, status, reason)"                  \
	" SELECT r.id, r.site, r.username, r.device_token, r.account_id, r.topic,"     \
	" r.renewed_ms, ?2, ?3, ?4, COALESCE(?5, r.stopped_reason, '')"                \
	" FROM " from " WHERE " which

/* Of each user whose registrations are about to go, all tombstones but the newest. */
#define TRIM_TOMBSTONES(from, which)                                                         \
	"DELETE f FROM (SELECT t.id FROM"                                                    \
	" (SELECT o.id, ROW_NUMBER() OVER (PARTITION BY o.username ORDER BY o.id DESC) AS n" \
	"  FROM (SELECT DISTINCT r.site, r.username FROM " from " WHERE " which ") u"        \
	"  STRAIGHT_JOIN mailpush_forgotten o FORCE INDEX (mailpush_forgotten_user)"         \
	"  ON o.site = u.site AND o.username = u.username) t WHERE t.n > 16) x"              \
	" STRAIGHT_JOIN mailpush_forgotten f ON f.id = x.id"

#define DELETE_LISTS(from, which)                                                    \
	"DELETE s FROM " from " STRAIGHT_JOIN mailpush_subscription s"               \
	" FORCE INDEX (mailpush_subscription_registration) ON s.registration = r.id" \
	" WHERE " which

#define DELETE_ROWS(from, which) "DELETE r FROM " from " WHERE " which

_Static_assert(REGISTRY_TOMBSTONES_PER_USER == 16 && REGISTRY_TOMBSTONES_MAX == 100000,
	"as the statements say");

/* So many tombstones may be left before the limit of all is looked at again. */
#define TOMBSTONES_UNLOOKED (REGISTRY_TOMBSTONES_MAX / 20)

/* Of the site's tombstones all but the newest. */
static int cut_tombstones(struct mariadb *m, struct err *err)
{
	mariavalues_auto struct mariavalues values;
	mariavalues_init(&values);
	mariavalues_text(&values, m->site);
	mariavalues_number(&values, REGISTRY_TOMBSTONES_MAX);
	return execute(m,
		"DELETE FROM mailpush_forgotten WHERE site = ?1 AND id <="
		" (SELECT x.id FROM (SELECT o.id FROM mailpush_forgotten o"
		" WHERE o.site = ?1 ORDER BY o.id DESC LIMIT 1 OFFSET ?2) x)",
		&values, err);
}

/* Now and then, since each look at it may be in another node's way. */
static int limit_tombstones(struct mariadb *m, size_t left, struct err *err)
{
	m->tombstones += left;
	if (m->tombstones < TOMBSTONES_UNLOOKED)
		return 0;
	m->tombstones = 0;
	return cut_tombstones(m, err);
}

/* Not renewed since this transaction has read them (?7, in the order of ?6). */
#define OF_KEYS                        \
	"r.site = ?1 AND r.id IN (?6)" \
	" AND r.renewed_ms <= CAST(ELT(FIELD(r.id, ?6), ?7) AS SIGNED)"

int mariadb_remove(struct registry_db *db, const struct registry_key *keys, size_t count,
	const struct registry_end *end, struct err *err)
{
	static const char *const statements[] = {
		LEAVE_TOMBSTONES(BY_KEY, OF_KEYS " ORDER BY FIELD(r.id, ?6)"),
		TRIM_TOMBSTONES(BY_KEY, OF_KEYS),
		DELETE_LISTS(BY_KEY, OF_KEYS),
		DELETE_ROWS(BY_KEY, OF_KEYS),
	};
	struct mariadb *m = mariadb_of(db);
	int failed = 0;
	for (size_t i = 0; i < count && !failed;) {
		mariavalues_auto struct mariavalues values;
		add_end(&values, m, end);
		struct buf *list = mariavalues_list(&values);
		struct buf *seen = mariavalues_list(&values);
		for (; i < count && list->used + seen->used < marialink_room(m->link) / 4; i++) {
			add_key(list, &keys[i]);
			mariavalue_comma(seen);
			mariavalue_number(seen, mariadb_seen_get(m->seen, &keys[i]));
		}
		for (size_t j = 0; j < sizeof(statements) / sizeof(statements[0]) && !failed; j++)
			failed = execute(m, statements[j], &values, err);
	}
	return failed ? failed : limit_tombstones(m, count, err);
}

struct gone {
	registry_key_fn *on_gone;
	void *ctx;
};

static const char *on_gone_rows(void *ctx, size_t index, struct mariarows *rows)
{
	const struct gone *gone = ctx;
	const char *malformed = mariavalue_check(rows, 1);
	while (!malformed && mariavalue_next_row(rows)) {
		struct registry_key key;
		mariavalue_to_bytes(rows, 0, key.bytes, sizeof(key.bytes));
		gone->on_gone(gone->ctx, index, &key);
	}
	return malformed;
}

#define OF_TOKEN "r.site = ?1 AND r.device_token = ?6 AND r.topic = ?7 AND r.renewed_ms < ?8"

/* Those that are reported are locked, so that the same ones are written. */
static int change_token(struct mariadb *m, const struct registry_token_change *change,
	struct gone *gone, size_t index, struct err *err)
{
	static const char *const forgets[] = {LEAVE_TOMBSTONES(BY_TOKEN, OF_TOKEN),
		TRIM_TOMBSTONES(BY_TOKEN, OF_TOKEN), DELETE_LISTS(BY_TOKEN, OF_TOKEN),
		DELETE_ROWS(BY_TOKEN, OF_TOKEN)};
	mariavalues_auto struct mariavalues values;
	add_end(&values, m, &change->end);
	mariavalues_text(&values, change->token);
	mariavalues_text(&values, change->topic);
	mariavalues_number(&values, change->before_ms);
	mariavalues_text(&values, change->stop_reason);
	int failed = mariadb_send(m, "SELECT r.id FROM " BY_TOKEN " WHERE " OF_TOKEN " FOR UPDATE",
		&values, on_gone_rows, gone, index, err);
	if (!failed && change->stop_reason)
		return execute(m, "UPDATE " BY_TOKEN " SET r.stopped_reason = ?9 WHERE " OF_TOKEN,
			&values, err);
	for (size_t i = 0; i < sizeof(forgets) / sizeof(forgets[0]) && !failed; i++)
		failed = execute(m, forgets[i], &values, err);
	return failed;
}

int mariadb_change_tokens(struct registry_db *db, const struct registry_token_change *changes,
	size_t count, registry_key_fn *on_gone, void *ctx, struct err *err)
{
	struct mariadb *m = mariadb_of(db);
	struct gone gone = {on_gone, ctx};
	int failed = 0;
	for (size_t i = 0; i < count && !failed; i++)
		failed = change_token(m, &changes[i], &gone, i, err);
	if (!failed)
		failed = limit_tombstones(m, count, err);
	return failed ? failed : mariadb_wait(m, err);
}

/* A statement about the site with two numbers. */
static int send_numbers(
	struct registry_db *db, const char *sql, int64_t one, int64_t two, struct err *err)
{
	struct mariadb *m = mariadb_of(db);
	mariavalues_auto struct mariavalues values;
	mariavalues_init(&values);
	mariavalues_text(&values, m->site);
	mariavalues_number(&values, one);
	mariavalues_number(&values, two);
	return execute(m, sql, &values, err);
}

struct keys {
	struct registry_key *keys;
	size_t count;
};

static const char *on_wrong(void *ctx, size_t index, struct mariarows *rows)
{
	struct keys *wrong = ctx;
	const char *malformed = mariavalue_check(rows, 1);
	(void)index;
	while (!malformed && mariavalue_next_row(rows)) {
		wrong->keys =
			mem_realloc_array(wrong->keys, wrong->count + 1, sizeof(*wrong->keys));
		mariavalue_to_bytes(
			rows, 0, wrong->keys[wrong->count++].bytes, sizeof(wrong->keys[0].bytes));
	}
	return malformed;
}

/* What is beyond ?2 is from a wrong clock.  Each part has an index of its own. */
static const char find_wrong[] =
	"SELECT id FROM mailpush_registration FORCE INDEX (mailpush_registration_renewed)"
	" WHERE site = ?1 AND renewed_ms > ?2"
	" UNION SELECT id FROM mailpush_registration FORCE INDEX (mailpush_registration_suspended)"
	" WHERE site = ?1 AND suspended_ms > ?2"
	" UNION SELECT id FROM mailpush_registration FORCE INDEX (mailpush_registration_state)"
	" WHERE site = ?1 AND state > 0 AND superseded_ms > ?2";

static const char put_these_right[] =
	"UPDATE mailpush_registration FORCE INDEX (PRIMARY) SET"
	" renewed_ms = IF(renewed_ms > ?2, ?3, renewed_ms),"
	" suspended_ms = IF(suspended_ms > ?2, ?3, suspended_ms),"
	" created_ms = IF(created_ms > ?2, ?3, created_ms),"
	" superseded_ms = IF(superseded_ms > ?2, ?3, superseded_ms) WHERE id IN (?1)";

static int put_keys_right(struct mariadb *m, const struct keys *wrong, int64_t after_ms,
	int64_t to_ms, struct err *err)
{
	int failed = 0;
	for (size_t i = 0; i < wrong->count && !failed;) {
		mariavalues_auto struct mariavalues values;
		mariavalues_init(&values);
		struct buf *list = mariavalues_list(&values);
		mariavalues_number(&values, after_ms);
		mariavalues_number(&values, to_ms);
		for (; i < wrong->count && list->used < marialink_room(m->link); i++)
			add_key(list, &wrong->keys[i]);
		failed = execute(m, put_these_right, &values, err);
	}
	return failed;
}

/* They are looked for without locks, as all that registers goes to the same end of the index. */
int mariadb_put_right(struct registry_db *db, int64_t after_ms, int64_t to_ms, struct err *err)
{
	struct mariadb *m = mariadb_of(db);
	struct keys wrong = {0};
	mariavalues_auto struct mariavalues values;
	mariavalues_init(&values);
	mariavalues_text(&values, m->site);
	mariavalues_number(&values, after_ms);
	int failed = mariadb_ask(m, find_wrong, &values, on_wrong, &wrong, err);
	if (!failed)
		failed = put_keys_right(m, &wrong, after_ms, to_ms, err);
	free(wrong.keys);
	return failed ? failed
		      : send_numbers(db,
				"UPDATE mailpush_forgotten SET at_ms = ?3"
				" WHERE site = ?1 AND at_ms > ?2",
				after_ms, to_ms, err);
}

int mariadb_put_tidied(struct registry_db *db, int64_t day, uint64_t count, struct err *err)
{
	return send_numbers(db,
		"UPDATE mailpush_site SET tidied_day = ?2, tidied_count = ?3 WHERE name = ?1", day,
		(int64_t)count, err);
}

static const char *on_claimed(void *ctx, size_t index, struct mariarows *rows)
{
	bool *is_ours = ctx;
	const char *malformed = mariavalue_check(rows, 1);
	(void)index;
	*is_ours = !malformed && mariavalue_next_row(rows) && mariavalue_to_number(rows, 0) > 0;
	return malformed;
}

int mariadb_claim_round(struct registry_db *db, int64_t was_ms, int64_t seen_ms,
	int64_t spared_until_ms, bool *ret_is_ours, struct err *err)
{
	struct mariadb *m = mariadb_of(db);
	mariavalues_auto struct mariavalues values;
	mariavalues_init(&values);
	mariavalues_text(&values, m->site);
	mariavalues_number(&values, was_ms);
	mariavalues_number(&values, seen_ms);
	mariavalues_number(&values, spared_until_ms);
	int failed = execute(m,
		"UPDATE mailpush_site SET seen_ms = ?3, spared_until_ms = ?4"
		" WHERE name = ?1 AND seen_ms = ?2",
		&values, err);
	/* Of the statement before it: those that were found. */
	return failed ? failed
		      : mariadb_ask(m, "SELECT ROW_COUNT()", NULL, on_claimed, ret_is_ours, err);
}

int mariadb_remove_tombstones(struct registry_db *db, const char *user, struct err *err)
{
	struct mariadb *m = mariadb_of(db);
	mariavalues_auto struct mariavalues values;
	mariavalues_init(&values);
	mariavalues_text(&values, m->site);
	mariavalues_text(&values, user);
	return execute(m, "DELETE FROM mailpush_forgotten WHERE site = ?1 AND username = ?2",
		&values, err);
}

int mariadb_prune_tombstones(struct registry_db *db, int64_t before_ms, struct err *err)
{
	struct mariadb *m = mariadb_of(db);
	mariavalues_auto struct mariavalues values;
	mariavalues_init(&values);
	mariavalues_text(&values, m->site);
	mariavalues_number(&values, before_ms);
	int failed = execute(
		m, "DELETE FROM mailpush_forgotten WHERE site = ?1 AND at_ms < ?2", &values, err);
	return failed ? failed : cut_tombstones(m, err);
}

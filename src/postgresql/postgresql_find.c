#include "postgresql/postgresql_find.h"

#include "base/mem.h"
#include "driver/mailbox_place.h"
#include "driver/malformed.h"
#include "postgresql/postgresql_change.h"
#include "postgresql/postgresql_schema.h"
#include "postgresql/postgresql_transaction.h"

#include <string.h>

#define TARGET_COLUMNS                                                                          \
	"r.key, r.username, r.device_token, r.account_id, r.topic, r.aps_version, r.confirmed," \
	" r.inbox_only, r.renewed_ms, r.suspended_ms"
#define ROW_COLUMNS                                                                      \
	TARGET_COLUMNS ", r.stopped_reason, r.subtopic, r.created_ms, r.superseded_ms, " \
		       "r.is_nudged"

/*
 * For each of what is asked about, `question` is looked up in an index.  OFFSET 0 keeps the planner
 * from making one join of all, for which it reads whole tables once some thousands are asked about,
 * and locks them in a transaction that writes.
 */
#define FOR_EACH(question) " CROSS JOIN LATERAL (" question " OFFSET 0) AS f"
/* The cost of a statement with more would make the server compile it, which takes longer than it
   does. */
#define AT_ONCE 4096

/* Of rows that come, whoever waits for them. */
struct taker {
	registry_row_fn *on_row;
	registry_match_fn *on_match;
	registry_subscription_fn *on_subscription;
	registry_key_fn *on_key;
	registry_tombstone_fn *on_tombstone;
	registry_suspended_fn *on_suspended;
	void *ctx;
	const char *database;
	size_t count; /* of what is asked about */
	size_t seen;  /* rows of `list`, and how many of them were given */
	size_t given;
};

#define TARGET_KINDS "kttttnbbnn"
#define ROW_KINDS TARGET_KINDS "ttnnb"
/* A row that says that it is about none of what was asked. */
#define NO_QUESTION "a row answers no question"

/* For the row's first column: which of those that were asked about, counted from 1 and from `first`
   on. */
static bool find_question(
	const PGresult *rows, int i, const struct taker *taker, size_t first, size_t *ret_index)
{
	if (!pgvalue_ordinal(rows, i, 0, taker->count - first, ret_index))
		return false;
	*ret_index += first;
	return true;
}

/* TARGET_COLUMNS, which begin at `at`; returns the next column. */
static int read_target(const PGresult *rows, int i, int at, struct registry_row *ret)
{
	*ret = (struct registry_row){0};
	pgvalue_bytes(rows, i, at, ret->key.bytes, sizeof(ret->key.bytes));
	ret->user = pgvalue_text(rows, i, at + 1);
	ret->token = pgvalue_text(rows, i, at + 2);
	ret->account_id = pgvalue_text(rows, i, at + 3);
	ret->topic = pgvalue_text(rows, i, at + 4);
	ret->aps_version = (int)pgvalue_number(rows, i, at + 5);
	ret->confirmed = pgvalue_bool(rows, i, at + 6);
	ret->inbox_only = pgvalue_bool(rows, i, at + 7);
	ret->renewed_ms = pgvalue_number(rows, i, at + 8);
	ret->suspended_ms = pgvalue_number(rows, i, at + 9);
	return at + 10;
}

/* ROW_COLUMNS, which begin at `at`. */
static void read_row(const PGresult *rows, int i, int at, struct registry_row *ret)
{
	at = read_target(rows, i, at, ret);
	if (!PQgetisnull(rows, i, at))
		ret->stopped_reason = pgvalue_text(rows, i, at);
	ret->subtopic = pgvalue_text(rows, i, at + 1);
	ret->created_ms = pgvalue_number(rows, i, at + 2);
	ret->superseded_ms = pgvalue_number(rows, i, at + 3);
	ret->is_nudged = pgvalue_bool(rows, i, at + 4);
}

static const char *on_matches(void *ctx, size_t first, const PGresult *rows)
{
	struct taker *taker = ctx;
	const char *malformed = pgvalue_check(rows, "nt" TARGET_KINDS);
	for (int i = 0; !malformed && i < PQntuples(rows); i++) {
		struct registry_row row;
		size_t index;
		read_target(rows, i, 2, &row);
		if (!find_question(rows, i, taker, first, &index))
			malformed = NO_QUESTION;
		else if (!malformed_row(taker->database, &row) &&
			!malformed_hash(taker->database, pgvalue_text(rows, i, 1)))
			taker->on_match(taker->ctx, index, &row, pgvalue_text(rows, i, 1));
	}
	return malformed;
}

/* `is_alone`: they are all that is asked, and go into one statement. */
static int send_places(struct postgresql *p, const struct mailbox *const *mailboxes, size_t count,
	bool is_alone, struct taker *taker, struct err *err)
{
	int failed = 0;
	for (size_t first = 0; first < count && !failed; first += AT_ONCE) {
		pgvalues_auto struct pgvalues values;
		pgvalues_init(&values);
		struct pgvalue *places = pgvalues_array(&values, PGVALUE_BYTES);
		for (size_t i = first; i < count && i < first + AT_ONCE; i++) {
			struct mailbox_place place = mailbox_place_of(
				p->site, mailboxes[i]->owner, mailboxes[i]->folder);
			pgvalue_add_bytes(places, place.bytes, sizeof(place.bytes));
		}
		failed = (is_alone ? postgresql_send_alone : postgresql_send)(p,
			"SELECT q.i, f.* FROM unnest($1) WITH ORDINALITY AS q (place, i)" FOR_EACH(
				"SELECT s.hash, " TARGET_COLUMNS " FROM mailpush_subscription s"
				" JOIN mailpush_registration r ON r.key = s.key"
				" WHERE s.place = q.place AND r.stopped_reason IS NULL") " ORDER "
											 "BY q.i, "
											 "f.key",
			&values, on_matches, taker, first, err);
	}
	return failed;
}

int postgresql_match(struct registry_db *db, const struct mailbox *const *mailboxes, size_t count,
	registry_match_fn *on_match, void *ctx, struct err *err)
{
	const struct registry_load load = {
		.mailboxes = mailboxes,
		.mailbox_count = count,
		.on_match = on_match,
		.mailboxes_ctx = ctx,
	};
	return postgresql_load(db, &load, err);
}

static const char *on_rows(void *ctx, size_t first, const PGresult *rows)
{
	struct taker *taker = ctx;
	const char *malformed = pgvalue_check(rows, "n" ROW_KINDS);
	for (int i = 0; !malformed && i < PQntuples(rows); i++) {
		struct registry_row row;
		size_t index;
		read_row(rows, i, 1, &row);
		if (!find_question(rows, i, taker, first, &index))
			malformed = NO_QUESTION;
		else if (!malformed_row(taker->database, &row))
			taker->on_row(taker->ctx, index, &row);
	}
	return malformed;
}

static int send_users(struct postgresql *p, const char *const *users, size_t count,
	struct taker *taker, struct err *err)
{
	int failed = 0;
	for (size_t first = 0; first < count && !failed; first += AT_ONCE) {
		pgvalues_auto struct pgvalues values;
		pgvalues_init(&values);
		pgvalues_text(&values, p->site);
		struct pgvalue *names = pgvalues_array(&values, PGVALUE_TEXT);
		for (size_t i = first; i < count && i < first + AT_ONCE; i++)
			pgvalue_add_text(names, users[i]);
		failed = postgresql_send(p,
			"SELECT q.i, f.* FROM unnest($2) WITH ORDINALITY AS q (username, "
			"i)" FOR_EACH(
				"SELECT " ROW_COLUMNS " FROM mailpush_registration r"
				" WHERE r.site = $1 AND r.username = q.username") " ORDER BY q.i, "
										  "f.created_ms, "
										  "f.key",
			&values, on_rows, taker, first, err);
	}
	return failed;
}

int postgresql_load_users(struct registry_db *db, const char *const *users, size_t count,
	registry_row_fn *on_row, void *ctx, struct err *err)
{
	struct postgresql *p = postgresql_of(db);
	struct taker taker = {
		.on_row = on_row, .ctx = ctx, .database = pglink_name(p->link), .count = count};
	int failed = send_users(p, users, count, &taker, err);
	return failed ? failed : postgresql_wait(p, err);
}

static const char *on_subscriptions(void *ctx, size_t first, const PGresult *rows)
{
	struct taker *taker = ctx;
	const char *malformed = pgvalue_check(rows, "ntttt");
	for (int i = 0; !malformed && i < PQntuples(rows); i++) {
		size_t index;
		struct registry_subscription subscription = {
			.name = pgvalue_text(rows, i, 1),
			.owner = pgvalue_text(rows, i, 2),
			.folder = pgvalue_text(rows, i, 3),
		};
		const char *hash = pgvalue_text(rows, i, 4);
		strncpy(subscription.hash, hash, MAILBOX_HASH_SIZE - 1);
		if (!find_question(rows, i, taker, first, &index))
			malformed = NO_QUESTION;
		else if (!malformed_hash(taker->database, hash))
			taker->on_subscription(taker->ctx, index, &subscription);
	}
	return malformed;
}

/* `sql`: $1 is the site, $2 the keys. */
static int send_keys(struct postgresql *p, const char *sql, const struct registry_key *keys,
	size_t count, pglink_rows_fn *on_answer, struct taker *taker, struct err *err)
{
	int failed = 0;
	for (size_t first = 0; first < count && !failed; first += AT_ONCE) {
		pgvalues_auto struct pgvalues values;
		pgvalues_init(&values);
		pgvalues_text(&values, p->site);
		struct pgvalue *array = pgvalues_array(&values, PGVALUE_BYTES);
		for (size_t i = first; i < count && i < first + AT_ONCE; i++)
			pgvalue_add_bytes(array, keys[i].bytes, sizeof(keys[i].bytes));
		failed = postgresql_send(p, sql, &values, on_answer, taker, first, err);
	}
	return failed;
}

static int send_lists(struct postgresql *p, const struct registry_key *keys, size_t count,
	struct taker *taker, struct err *err)
{
	return send_keys(p,
		"SELECT q.i, f.* FROM unnest($2) WITH ORDINALITY AS q (key, i)" FOR_EACH(
			"SELECT s.name, s.owner, s.folder, s.hash FROM mailpush_subscription s"
			" WHERE s.key = q.key AND " POSTGRESQL_IS_OF(
				"s.site", "$1")) " ORDER BY q.i, f.name",
		keys, count, on_subscriptions, taker, err);
}

int postgresql_load_lists(struct registry_db *db, const struct registry_key *keys, size_t count,
	registry_subscription_fn *on_subscription, void *ctx, struct err *err)
{
	struct postgresql *p = postgresql_of(db);
	struct taker taker = {.on_subscription = on_subscription,
		.ctx = ctx,
		.database = pglink_name(p->link),
		.count = count};
	int failed = send_lists(p, keys, count, &taker, err);
	return failed ? failed : postgresql_wait(p, err);
}

int postgresql_load(struct registry_db *db, const struct registry_load *load, struct err *err)
{
	struct postgresql *p = postgresql_of(db);
	struct postgresql_teller teller = {load->on_effect, load->resumes_ctx};
	struct taker of_users = {.on_row = load->on_row,
		.ctx = load->users_ctx,
		.database = pglink_name(p->link),
		.count = load->user_count};
	struct taker of_lists = {.on_subscription = load->on_subscription,
		.ctx = load->users_ctx,
		.database = pglink_name(p->link),
		.count = load->user_count};
	struct taker of_places = {.on_match = load->on_match,
		.ctx = load->mailboxes_ctx,
		.database = pglink_name(p->link),
		.count = load->mailbox_count};
	bool is_alone = !load->resume_count && !load->user_count && load->mailbox_count <= AT_ONCE;
	int failed = postgresql_send_resumes(p, load->resumes, load->resume_count, &teller, err);
	if (!failed)
		failed = send_users(p, load->users, load->user_count, &of_users, err);
	if (!failed)
		failed = send_lists(p, load->keys, load->user_count, &of_lists, err);
	if (!failed)
		failed = send_places(
			p, load->mailboxes, load->mailbox_count, is_alone, &of_places, err);
	return failed ? failed : postgresql_wait(p, err);
}

int postgresql_load_keys(struct registry_db *db, const struct registry_key *keys, size_t count,
	registry_row_fn *on_row, void *ctx, struct err *err)
{
	struct postgresql *p = postgresql_of(db);
	struct taker taker = {
		.on_row = on_row, .ctx = ctx, .database = pglink_name(p->link), .count = count};
	int failed = send_keys(p,
		"SELECT q.i, f.* FROM unnest($2) WITH ORDINALITY AS q (key, i)" FOR_EACH(
			"SELECT " ROW_COLUMNS " FROM mailpush_registration r"
			" WHERE r.key = q.key AND " POSTGRESQL_IS_OF(
				"r.site", "$1")) " ORDER BY q.i",
		keys, count, on_rows, &taker, err);
	return failed ? failed : postgresql_wait(p, err);
}

/* The rows of `list`. */
static const char *on_listed(void *ctx, size_t index, const PGresult *rows)
{
	struct taker *taker = ctx;
	const char *malformed = pgvalue_check(rows, ROW_KINDS);
	(void)index;
	for (int i = 0; !malformed && i < PQntuples(rows); i++) {
		struct registry_row row;
		read_row(rows, i, 0, &row);
		taker->seen++;
		if (taker->given == taker->count)
			malformed = "there are more rows than were asked for";
		else if (!malformed_row(taker->database, &row))
			taker->on_row(taker->ctx, taker->given++, &row);
	}
	return malformed;
}

/* As many again as were left out, until there are none or no more rows. */
int postgresql_list(struct registry_db *db, const char *user, const struct registry_key *key,
	size_t limit, registry_row_fn *on_row, void *ctx, struct err *err)
{
	struct postgresql *p = postgresql_of(db);
	struct taker taker = {
		.on_row = on_row, .ctx = ctx, .database = pglink_name(p->link), .count = limit};
	size_t asked = 0;
	int failed = 0;
	while (!failed && taker.seen == asked && taker.given < limit) {
		pgvalues_auto struct pgvalues values;
		pgvalues_init(&values);
		pgvalues_text(&values, p->site);
		pgvalues_text(&values, user);
		pgvalues_bytes(&values, key->bytes, sizeof(key->bytes));
		pgvalues_number(&values, (int64_t)(limit - taker.given));
		pgvalues_number(&values, (int64_t)taker.seen);
		asked = taker.seen + limit - taker.given;
		failed = postgresql_ask(p,
			"SELECT " ROW_COLUMNS " FROM mailpush_registration r"
			" WHERE r.site = $1 AND (r.username, r.key) > ($2, $3)"
			" ORDER BY r.username, r.key LIMIT $4 OFFSET $5",
			&values, on_listed, &taker, err);
	}
	return failed;
}

/* Another program may have written what is none of them. */
static enum registry_why why_of(const char *name)
{
	int why = 0;
	while (why < REGISTRY_WHYS - 1 && strcmp(registry_why_names[why], name) != 0)
		why++;
	return (enum registry_why)why;
}

static const char *on_tombstones(void *ctx, size_t index, const PGresult *rows)
{
	struct taker *taker = ctx;
	const char *malformed = pgvalue_check(rows, "nkttttnntntb");
	(void)index;
	for (int i = 0; !malformed && i < PQntuples(rows); i++) {
		struct registry_tombstone tombstone = {
			.id = pgvalue_number(rows, i, 0),
			.user = pgvalue_text(rows, i, 2),
			.token = pgvalue_text(rows, i, 3),
			.account_id = pgvalue_text(rows, i, 4),
			.topic = pgvalue_text(rows, i, 5),
			.renewed_ms = pgvalue_number(rows, i, 6),
			.at_ms = pgvalue_number(rows, i, 7),
			.why = why_of(pgvalue_text(rows, i, 8)),
			.status = (int)pgvalue_number(rows, i, 9),
			.reason = pgvalue_text(rows, i, 10),
			.is_back = pgvalue_bool(rows, i, 11),
		};
		pgvalue_bytes(rows, i, 1, tombstone.key.bytes, sizeof(tombstone.key.bytes));
		taker->on_tombstone(taker->ctx, &tombstone);
	}
	return malformed;
}

#define LIST_TOMBSTONES(condition)                                                             \
	"SELECT f.id, f.key, f.username, f.device_token, f.account_id, f.topic, f.renewed_ms," \
	" f.at_ms, f.why, f.status, f.reason,"                                                 \
	" EXISTS (SELECT 1 FROM mailpush_registration r WHERE r.key = f.key)"                  \
	" FROM mailpush_forgotten f WHERE f.site = $1 AND f.id < $2" condition                 \
	" ORDER BY f.id DESC LIMIT $3"

int postgresql_list_tombstones(struct registry_db *db, const char *user, int64_t after_id,
	size_t limit, registry_tombstone_fn *on_tombstone, void *ctx, struct err *err)
{
	struct postgresql *p = postgresql_of(db);
	pgvalues_auto struct pgvalues values;
	pgvalues_init(&values);
	pgvalues_text(&values, p->site);
	pgvalues_number(&values, after_id ? after_id : INT64_MAX);
	pgvalues_number(&values, (int64_t)limit);
	if (user)
		pgvalues_text(&values, user);
	struct taker taker = {.on_tombstone = on_tombstone, .ctx = ctx};
	return postgresql_ask_alone(p,
		user ? LIST_TOMBSTONES(" AND f.username = $4") : LIST_TOMBSTONES(""), &values,
		on_tombstones, &taker, err);
}

static const char *on_totals(void *ctx, size_t index, const PGresult *rows)
{
	struct registry_totals *totals = ctx;
	const char *malformed = pgvalue_check_one(rows, "nnnn");
	(void)index;
	if (malformed)
		return malformed;
	*totals = (struct registry_totals){.registrations = (uint64_t)pgvalue_number(rows, 0, 0)};
	totals->in_state[REGISTRY_ACTIVE] = totals->registrations;
	for (int state = REGISTRY_ACTIVE + 1; state < REGISTRY_STATES; state++) {
		totals->in_state[state] = (uint64_t)pgvalue_number(rows, 0, state);
		totals->in_state[REGISTRY_ACTIVE] -= totals->in_state[state];
	}
	return NULL;
}

int postgresql_count(struct registry_db *db, struct registry_totals *ret, struct err *err)
{
	struct postgresql *p = postgresql_of(db);
	pgvalues_auto struct pgvalues values;
	pgvalues_init(&values);
	pgvalues_text(&values, p->site);
	return postgresql_ask_alone(p,
		"SELECT (SELECT count(*) FROM mailpush_registration WHERE site = $1),"
		" count(*) FILTER (WHERE " POSTGRESQL_STATE " = 1),"
		" count(*) FILTER (WHERE " POSTGRESQL_STATE " = 2),"
		" count(*) FILTER (WHERE " POSTGRESQL_STATE " = 3)"
		" FROM mailpush_registration WHERE site = $1 AND " POSTGRESQL_IS_NOT_ACTIVE,
		&values, on_totals, ret, err);
}

static const char *on_suspended_users(void *ctx, size_t index, const PGresult *rows)
{
	struct taker *taker = ctx;
	const char *malformed = pgvalue_check(rows, "tn");
	(void)index;
	for (int i = 0; !malformed && i < PQntuples(rows); i++)
		taker->on_suspended(
			taker->ctx, pgvalue_text(rows, i, 0), pgvalue_number(rows, i, 1));
	return malformed;
}

int postgresql_find_suspended(
	struct registry_db *db, registry_suspended_fn *on_suspended, void *ctx, struct err *err)
{
	struct postgresql *p = postgresql_of(db);
	pgvalues_auto struct pgvalues values;
	pgvalues_init(&values);
	pgvalues_text(&values, p->site);
	struct taker taker = {.on_suspended = on_suspended, .ctx = ctx};
	return postgresql_ask_alone(p,
		"SELECT username, max(suspended_ms) FROM mailpush_registration"
		" WHERE site = $1 AND suspended_ms > 0 GROUP BY username",
		&values, on_suspended_users, &taker, err);
}

static const char *on_census(void *ctx, size_t index, const PGresult *rows)
{
	struct registry_census *census = ctx;
	const char *malformed = pgvalue_check_one(rows, "nn");
	(void)index;
	if (!malformed)
		*census = (struct registry_census){
			.registrations = (uint64_t)pgvalue_number(rows, 0, 0),
			.newest_renewal_ms = pgvalue_number(rows, 0, 1),
		};
	return malformed;
}

int postgresql_census(struct registry_db *db, struct registry_census *ret, struct err *err)
{
	struct postgresql *p = postgresql_of(db);
	pgvalues_auto struct pgvalues values;
	pgvalues_init(&values);
	pgvalues_text(&values, p->site);
	return postgresql_ask(p,
		"SELECT (SELECT count(*) FROM mailpush_registration WHERE site = $1),"
		" (SELECT coalesce(max(renewed_ms), 0) FROM mailpush_registration"
		"  WHERE site = $1)",
		&values, on_census, ret, err);
}

static const char *on_round(void *ctx, size_t index, const PGresult *rows)
{
	struct registry_round *round = ctx;
	const char *malformed = pgvalue_check(rows, "nnnn");
	(void)index;
	if (!malformed && PQntuples(rows) > 0)
		*round = (struct registry_round){
			.seen_ms = pgvalue_number(rows, 0, 0),
			.spared_until_ms = pgvalue_number(rows, 0, 1),
			.tidied_day = pgvalue_number(rows, 0, 2),
			.tidied_count = (uint64_t)pgvalue_number(rows, 0, 3),
		};
	return malformed;
}

int postgresql_load_round(struct registry_db *db, struct registry_round *ret, struct err *err)
{
	struct postgresql *p = postgresql_of(db);
	pgvalues_auto struct pgvalues values;
	pgvalues_init(&values);
	pgvalues_text(&values, p->site);
	*ret = (struct registry_round){0};
	return postgresql_ask(p,
		"SELECT seen_ms, spared_until_ms, tidied_day, tidied_count"
		" FROM mailpush_site WHERE name = $1",
		&values, on_round, ret, err);
}

static const char *on_keys(void *ctx, size_t index, const PGresult *rows)
{
	struct taker *taker = ctx;
	const char *malformed = pgvalue_check(rows, "k");
	(void)index;
	for (int i = 0; !malformed && i < PQntuples(rows); i++) {
		struct registry_key key;
		pgvalue_bytes(rows, i, 0, key.bytes, sizeof(key.bytes));
		taker->on_key(taker->ctx, (size_t)i, &key);
	}
	return malformed;
}

static const char *on_number(void *ctx, size_t index, const PGresult *rows)
{
	uint64_t *number = ctx;
	const char *malformed = pgvalue_check_one(rows, "n");
	(void)index;
	if (!malformed)
		*number = (uint64_t)pgvalue_number(rows, 0, 0);
	return malformed;
}

static void add_bounds(
	struct pgvalues *values, const struct postgresql *p, int64_t before_ms, size_t limit)
{
	pgvalues_init(values);
	pgvalues_text(values, p->site);
	pgvalues_number(values, before_ms);
	pgvalues_number(values, (int64_t)limit);
}

int postgresql_find_expired(struct registry_db *db, int64_t before_ms, size_t limit,
	registry_key_fn *on_key, void *ctx, uint64_t *ret_total, struct err *err)
{
	struct postgresql *p = postgresql_of(db);
	pgvalues_auto struct pgvalues all;
	pgvalues_init(&all);
	pgvalues_text(&all, p->site);
	pgvalues_number(&all, before_ms);
	int failed = postgresql_send(p,
		"SELECT count(*) FROM mailpush_registration WHERE site = $1 AND renewed_ms < $2",
		&all, on_number, ret_total, 0, err);
	if (failed)
		return failed;
	pgvalues_auto struct pgvalues values;
	add_bounds(&values, p, before_ms, limit);
	struct taker taker = {.on_key = on_key, .ctx = ctx};
	return postgresql_ask(p,
		"SELECT key FROM mailpush_registration WHERE site = $1 AND renewed_ms < $2"
		" ORDER BY renewed_ms LIMIT $3",
		&values, on_keys, &taker, err);
}

int postgresql_find_longest_suspended(struct registry_db *db, int64_t before_ms, size_t limit,
	registry_key_fn *on_key, void *ctx, struct err *err)
{
	struct postgresql *p = postgresql_of(db);
	pgvalues_auto struct pgvalues values;
	add_bounds(&values, p, before_ms, limit);
	struct taker taker = {.on_key = on_key, .ctx = ctx};
	return postgresql_ask(p,
		"SELECT key FROM mailpush_registration"
		" WHERE site = $1 AND suspended_ms > 0 AND suspended_ms < $2"
		" ORDER BY suspended_ms LIMIT $3",
		&values, on_keys, &taker, err);
}

/* Registrations side by side, each with a row for each subscription. */
static const char *on_nudges(void *ctx, size_t index, const PGresult *rows)
{
	struct taker *taker = ctx;
	const char *malformed = pgvalue_check(rows, "t" TARGET_KINDS);
	struct registry_key before = {0};
	for (int i = 0; !malformed && i < PQntuples(rows); i++) {
		struct registry_row row;
		read_target(rows, i, 1, &row);
		if (malformed_row(taker->database, &row) ||
			malformed_hash(taker->database, pgvalue_text(rows, i, 0)))
			continue;
		taker->given += memcmp(&before, &row.key, sizeof(before)) != 0;
		before = row.key;
		taker->on_match(taker->ctx, taker->given - 1, &row, pgvalue_text(rows, i, 0));
	}
	(void)index;
	return malformed;
}

int postgresql_claim_nudges(struct registry_db *db, int64_t before_ms, size_t limit,
	registry_match_fn *on_match, void *ctx, struct err *err)
{
	struct postgresql *p = postgresql_of(db);
	pgvalues_auto struct pgvalues values;
	add_bounds(&values, p, before_ms, limit);
	struct taker taker = {.on_match = on_match, .ctx = ctx, .database = pglink_name(p->link)};
	return postgresql_ask(p,
		"WITH claimed AS (UPDATE mailpush_registration AS r SET is_nudged = TRUE"
		"  WHERE r.renewed_ms < $2 AND NOT r.is_nudged AND r.key IN"
		"  (SELECT o.key FROM mailpush_registration o"
		"   WHERE o.site = $1 AND o.renewed_ms < $2 AND NOT o.is_nudged"
		"   AND o.suspended_ms = 0 AND o.stopped_reason IS NULL AND EXISTS"
		"    (SELECT 1 FROM mailpush_subscription e WHERE e.key = o.key)"
		"   ORDER BY o.renewed_ms LIMIT $3) RETURNING r.*)"
		" SELECT s.hash, " TARGET_COLUMNS
		" FROM claimed r JOIN mailpush_subscription s ON s.key = r.key"
		" ORDER BY r.renewed_ms, r.key, s.name",
		&values, on_nudges, &taker, err);
}

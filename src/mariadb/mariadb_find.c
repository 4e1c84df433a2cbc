#include "mariadb/mariadb_find.h"

#include "base/map.h"
#include "base/mem.h"
#include "base/random.h"
#include "driver/mailbox_place.h"
#include "driver/malformed.h"
#include "mariadb/mariadb_transaction.h"

#include <string.h>

#define TARGET_COLUMNS                                                                         \
	"r.id, r.username, r.device_token, r.account_id, r.topic, r.aps_version, r.confirmed," \
	" r.inbox_only, r.renewed_ms, r.suspended_ms"
#define ROW_COLUMNS                                                                      \
	TARGET_COLUMNS ", r.stopped_reason, r.subtopic, r.created_ms, r.superseded_ms, " \
		       "r.is_nudged"
#define TARGET_COUNT 10
#define ROW_COUNT (TARGET_COUNT + 5)

/* Of rows that come, whoever waits for them. */
struct taker {
	registry_row_fn *on_row;
	registry_match_fn *on_match;
	registry_subscription_fn *on_subscription;
	registry_key_fn *on_key;
	registry_tombstone_fn *on_tombstone;
	registry_suspended_fn *on_suspended;
	void *ctx;
	struct mariadb_seen *seen; /* NULL: nothing will be removed because of it */
	const char *database;
	/* Rows of `list`, and how many of them were given. */
	size_t seen_count;
	size_t given;
	size_t limit;
};

/* TARGET_COLUMNS, which begin at `at`; returns the next column. */
static unsigned read_target(const struct mariarows *rows, unsigned at, struct registry_row *ret)
{
	*ret = (struct registry_row){0};
	mariavalue_to_bytes(rows, at, ret->key.bytes, sizeof(ret->key.bytes));
	ret->user = mariavalue_to_text(rows, at + 1);
	ret->token = mariavalue_to_text(rows, at + 2);
	ret->account_id = mariavalue_to_text(rows, at + 3);
	ret->topic = mariavalue_to_text(rows, at + 4);
	ret->aps_version = (int)mariavalue_to_number(rows, at + 5);
	ret->confirmed = mariavalue_to_number(rows, at + 6) != 0;
	ret->inbox_only = mariavalue_to_number(rows, at + 7) != 0;
	ret->renewed_ms = mariavalue_to_number(rows, at + 8);
	ret->suspended_ms = mariavalue_to_number(rows, at + 9);
	return at + 10;
}

static struct mariadb_seen *seen_of(const struct mariadb *m)
{
	return m->writes ? m->seen : NULL;
}

/* Many questions in one statement: what each asks for stands in the first column of its rows. */
struct questions {
	struct taker *taker;
	size_t count;
	const uint8_t **asked;
	size_t *sizes;
	/* The questions of the statement that is out: from here, so many. */
	size_t first;
	size_t length;
	unsigned columns;
	/* Tells of the row, for that question. */
	void (*tell)(struct taker *taker, size_t index, const struct mariarows *rows);
};

static bool is_for(const struct mariarows *rows, const struct questions *questions, size_t i)
{
	return rows->row[0] && rows->sizes[0] == questions->sizes[i] &&
		memcmp(rows->row[0], questions->asked[i], questions->sizes[i]) == 0;
}

/* Where the rows for each thing that was asked about begin; a row that names none is for none. */
static struct map *index_rows(struct mariarows *rows)
{
	uint8_t seed[RANDOM_SEED_SIZE];
	random_seed(seed);
	struct map *starts = map_new(seed);
	MYSQL_ROW_OFFSET at = mysql_row_tell(rows->result);
	while (mariavalue_next_row(rows)) {
		if (rows->row[0] && !map_get(starts, rows->row[0], rows->sizes[0]))
			map_add(starts, rows->row[0], rows->sizes[0], at);
		at = mysql_row_tell(rows->result);
	}
	return starts;
}

static const char *on_answers(void *ctx, size_t index, struct mariarows *rows)
{
	const struct questions *questions = ctx;
	const char *malformed = mariavalue_check(rows, questions->columns);
	(void)index;
	if (malformed)
		return malformed;
	struct map *starts = index_rows(rows);
	for (size_t i = questions->first; i < questions->first + questions->length; i++) {
		MYSQL_ROW_OFFSET start = map_get(starts, questions->asked[i], questions->sizes[i]);
		if (start)
			mysql_row_seek(rows->result, start);
		while (start && mariavalue_next_row(rows) && is_for(rows, questions, i))
			questions->tell(questions->taker, i, rows);
	}
	map_free(starts);
	return NULL;
}

/* `sql`: ?1 is the site, ?2 the list of what is asked about. */
static int ask_all(struct mariadb *m, struct questions *questions, const char *sql, struct err *err)
{
	int failed = 0;
	questions->first = 0;
	while (questions->first < questions->count && !failed) {
		mariavalues_auto struct mariavalues values;
		mariavalues_init(&values);
		mariavalues_text(&values, m->site);
		struct buf *list = mariavalues_list(&values);
		size_t i = questions->first;
		for (; i < questions->count && list->used < marialink_room(m->link); i++) {
			mariavalue_comma(list);
			mariavalue_bytes(list, questions->asked[i], questions->sizes[i]);
		}
		questions->length = i - questions->first;
		bool is_single = questions->first == 0 && i == questions->count;
		failed = is_single ? mariadb_ask_alone(m, sql, &values, on_answers, questions, err)
				   : mariadb_ask(m, sql, &values, on_answers, questions, err);
		questions->first = i;
	}
	return failed;
}

static void tell_match(struct taker *taker, size_t index, const struct mariarows *rows)
{
	struct registry_row row;
	read_target(rows, 2, &row);
	if (!malformed_row(taker->database, &row) &&
		!malformed_hash(taker->database, mariavalue_to_text(rows, 1)))
		taker->on_match(taker->ctx, index, &row, mariavalue_to_text(rows, 1));
}

int mariadb_match(struct registry_db *db, const struct mailbox *const *mailboxes, size_t count,
	registry_match_fn *on_match, void *ctx, struct err *err)
{
	struct mariadb *m = mariadb_of(db);
	mem_auto struct mailbox_place *places = mem_alloc_zero(count, sizeof(*places));
	mem_auto const uint8_t **asked = mem_alloc_zero(count, sizeof(*asked));
	mem_auto size_t *sizes = mem_alloc_zero(count, sizeof(*sizes));
	for (size_t i = 0; i < count; i++) {
		places[i] = mailbox_place_of(m->site, mailboxes[i]->owner, mailboxes[i]->folder);
		asked[i] = places[i].bytes;
		sizes[i] = sizeof(places[i].bytes);
	}
	struct taker taker = {
		.on_match = on_match, .ctx = ctx, .database = marialink_name(m->link)};
	struct questions questions = {
		&taker, count, asked, sizes, .columns = 2 + TARGET_COUNT, .tell = tell_match};
	mem_auto char *sql = mem_printf(
		"SELECT s.place, s.hash, " TARGET_COLUMNS
		" FROM mailpush_subscription s STRAIGHT_JOIN mailpush_registration r"
		" ON r.id = s.registration WHERE s.place IN (?2) AND r.stopped_reason IS NULL"
		" ORDER BY s.place, s.registration, s.name%s",
		mariadb_lock_shared(m));
	return ask_all(m, &questions, sql, err);
}

/* ROW_COLUMNS, which begin at `at`. */
static void read_row(const struct mariarows *rows, unsigned at, struct registry_row *ret)
{
	at = read_target(rows, at, ret);
	if (rows->row[at])
		ret->stopped_reason = mariavalue_to_text(rows, at);
	ret->subtopic = mariavalue_to_text(rows, at + 1);
	ret->created_ms = mariavalue_to_number(rows, at + 2);
	ret->superseded_ms = mariavalue_to_number(rows, at + 3);
	ret->is_nudged = mariavalue_to_number(rows, at + 4) != 0;
}

static void tell_row(struct taker *taker, size_t index, const struct mariarows *rows)
{
	struct registry_row row;
	read_row(rows, 1, &row);
	if (taker->seen)
		mariadb_seen_put(taker->seen, &row.key, row.renewed_ms);
	if (!malformed_row(taker->database, &row))
		taker->on_row(taker->ctx, index, &row);
}

int mariadb_load_users(struct registry_db *db, const char *const *users, size_t count,
	registry_row_fn *on_row, void *ctx, struct err *err)
{
	struct mariadb *m = mariadb_of(db);
	mem_auto const uint8_t **asked = mem_alloc_zero(count, sizeof(*asked));
	mem_auto size_t *sizes = mem_alloc_zero(count, sizeof(*sizes));
	for (size_t i = 0; i < count; i++) {
		asked[i] = (const uint8_t *)users[i];
		sizes[i] = strlen(users[i]);
	}
	struct taker taker = {.on_row = on_row,
		.ctx = ctx,
		.database = marialink_name(m->link),
		.seen = seen_of(m)};
	struct questions questions = {
		&taker, count, asked, sizes, .columns = 1 + ROW_COUNT, .tell = tell_row};
	mem_auto char *sql =
		mem_printf("SELECT r.username, " ROW_COLUMNS
			   " FROM mailpush_registration r FORCE INDEX (mailpush_registration_user)"
			   " WHERE r.site = ?1 AND r.username IN (?2)"
			   " ORDER BY r.username, r.created_ms, r.id%s",
			mariadb_lock_for_update(m));
	return ask_all(m, &questions, sql, err);
}

static void tell_subscription(struct taker *taker, size_t index, const struct mariarows *rows)
{
	struct registry_subscription subscription = {
		.name = mariavalue_to_text(rows, 1),
		.owner = mariavalue_to_text(rows, 2),
		.folder = mariavalue_to_text(rows, 3),
	};
	const char *hash = mariavalue_to_text(rows, 4);
	strncpy(subscription.hash, hash, MAILBOX_HASH_SIZE - 1);
	if (!malformed_hash(taker->database, hash))
		taker->on_subscription(taker->ctx, index, &subscription);
}

static int ask_of_keys(struct mariadb *m, const struct registry_key *keys, size_t count,
	struct questions *questions, const char *sql, struct err *err)
{
	mem_auto const uint8_t **asked = mem_alloc_zero(count, sizeof(*asked));
	mem_auto size_t *sizes = mem_alloc_zero(count, sizeof(*sizes));
	for (size_t i = 0; i < count; i++) {
		asked[i] = keys[i].bytes;
		sizes[i] = sizeof(keys[i].bytes);
	}
	questions->count = count;
	questions->asked = asked;
	questions->sizes = sizes;
	return ask_all(m, questions, sql, err);
}

int mariadb_load_lists(struct registry_db *db, const struct registry_key *keys, size_t count,
	registry_subscription_fn *on_subscription, void *ctx, struct err *err)
{
	struct mariadb *m = mariadb_of(db);
	struct taker taker = {.on_subscription = on_subscription,
		.ctx = ctx,
		.database = marialink_name(m->link)};
	struct questions questions = {.taker = &taker, .columns = 5, .tell = tell_subscription};
	mem_auto char *sql = mem_printf(
		"SELECT s.registration, s.name, s.owner, s.folder, s.hash"
		" FROM mailpush_subscription s FORCE INDEX (mailpush_subscription_registration)"
		" WHERE s.registration IN (?2) ORDER BY s.registration, s.name%s",
		mariadb_lock_for_update(m));
	return ask_of_keys(m, keys, count, &questions, sql, err);
}

int mariadb_load_keys(struct registry_db *db, const struct registry_key *keys, size_t count,
	registry_row_fn *on_row, void *ctx, struct err *err)
{
	struct mariadb *m = mariadb_of(db);
	struct taker taker = {.on_row = on_row,
		.ctx = ctx,
		.database = marialink_name(m->link),
		.seen = seen_of(m)};
	struct questions questions = {.taker = &taker, .columns = 1 + ROW_COUNT, .tell = tell_row};
	mem_auto char *sql = mem_printf("SELECT r.id, " ROW_COLUMNS
					" FROM mailpush_registration r FORCE INDEX (PRIMARY)"
					" WHERE r.id IN (?2) AND r.site = ?1 ORDER BY r.id%s",
		mariadb_lock_for_update(m));
	return ask_of_keys(m, keys, count, &questions, sql, err);
}

/* The rows of `list`. */
static const char *on_listed(void *ctx, size_t index, struct mariarows *rows)
{
	struct taker *taker = ctx;
	const char *malformed = mariavalue_check(rows, ROW_COUNT);
	(void)index;
	while (!malformed && mariavalue_next_row(rows)) {
		struct registry_row row;
		read_row(rows, 0, &row);
		taker->seen_count++;
		if (taker->given == taker->limit)
			malformed = "there are more rows than were asked for";
		else if (!malformed_row(taker->database, &row))
			taker->on_row(taker->ctx, taker->given++, &row);
	}
	return malformed;
}

/* As many again as were left out, until there are none or no more rows. */
int mariadb_list(struct registry_db *db, const char *user, const struct registry_key *key,
	size_t limit, registry_row_fn *on_row, void *ctx, struct err *err)
{
	struct mariadb *m = mariadb_of(db);
	struct taker taker = {
		.on_row = on_row, .ctx = ctx, .database = marialink_name(m->link), .limit = limit};
	size_t asked = 0;
	int failed = 0;
	mem_auto char *sql = mem_printf(
		"SELECT " ROW_COLUMNS
		" FROM mailpush_registration r FORCE INDEX (mailpush_registration_user)"
		" WHERE r.site = ?1 AND r.username >= ?2 AND (r.username > ?2 OR r.id > ?3)"
		" ORDER BY r.username, r.id LIMIT ?4 OFFSET ?5%s",
		mariadb_lock_shared(m));
	while (!failed && taker.seen_count == asked && taker.given < limit) {
		mariavalues_auto struct mariavalues values;
		mariavalues_init(&values);
		mariavalues_text(&values, m->site);
		mariavalues_text(&values, user);
		mariavalues_bytes(&values, key->bytes, sizeof(key->bytes));
		mariavalues_number(&values, (int64_t)(limit - taker.given));
		mariavalues_number(&values, (int64_t)taker.seen_count);
		asked = taker.seen_count + limit - taker.given;
		failed = mariadb_ask(m, sql, &values, on_listed, &taker, err);
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

static const char *on_tombstones(void *ctx, size_t index, struct mariarows *rows)
{
	struct taker *taker = ctx;
	const char *malformed = mariavalue_check(rows, 12);
	(void)index;
	while (!malformed && mariavalue_next_row(rows)) {
		struct registry_tombstone tombstone = {
			.id = mariavalue_to_number(rows, 0),
			.user = mariavalue_to_text(rows, 2),
			.token = mariavalue_to_text(rows, 3),
			.account_id = mariavalue_to_text(rows, 4),
			.topic = mariavalue_to_text(rows, 5),
			.renewed_ms = mariavalue_to_number(rows, 6),
			.at_ms = mariavalue_to_number(rows, 7),
			.why = why_of(mariavalue_to_text(rows, 8)),
			.status = (int)mariavalue_to_number(rows, 9),
			.reason = mariavalue_to_text(rows, 10),
			.is_back = mariavalue_to_number(rows, 11) != 0,
		};
		mariavalue_to_bytes(rows, 1, tombstone.key.bytes, sizeof(tombstone.key.bytes));
		taker->on_tombstone(taker->ctx, &tombstone);
	}
	return malformed;
}

/* Each part is locked for itself. */
static const char list_tombstones[] =
	"SELECT f.id, f.registration, f.username, f.device_token, f.account_id, f.topic,"
	" f.renewed_ms, f.at_ms, f.why, f.status, f.reason,"
	" (SELECT COUNT(*) FROM mailpush_registration r WHERE r.id = f.registration%s)"
	" FROM mailpush_forgotten f WHERE f.site = ?1 AND f.id < ?2%s"
	" ORDER BY f.id DESC LIMIT ?3%s";

int mariadb_list_tombstones(struct registry_db *db, const char *user, int64_t after_id,
	size_t limit, registry_tombstone_fn *on_tombstone, void *ctx, struct err *err)
{
	struct mariadb *m = mariadb_of(db);
	mariavalues_auto struct mariavalues values;
	mariavalues_init(&values);
	mariavalues_text(&values, m->site);
	mariavalues_number(&values, after_id ? after_id : INT64_MAX);
	mariavalues_number(&values, (int64_t)limit);
	if (user)
		mariavalues_text(&values, user);
	struct taker taker = {.on_tombstone = on_tombstone, .ctx = ctx};
	const char *lock = mariadb_lock_shared(m);
	mem_auto char *sql =
		mem_printf(list_tombstones, lock, user ? " AND f.username = ?4" : "", lock);
	return mariadb_ask(m, sql, &values, on_tombstones, &taker, err);
}

static const char *on_totals(void *ctx, size_t index, struct mariarows *rows)
{
	struct registry_totals *totals = ctx;
	const char *malformed = mariavalue_check(rows, 2);
	(void)index;
	*totals = (struct registry_totals){0};
	while (!malformed && mariavalue_next_row(rows)) {
		int64_t state = mariavalue_to_number(rows, 0);
		uint64_t count = (uint64_t)mariavalue_to_number(rows, 1);
		if (state >= 0 && state < REGISTRY_STATES)
			totals->in_state[state] = count;
		totals->registrations += count;
	}
	return malformed;
}

int mariadb_count(struct registry_db *db, struct registry_totals *ret, struct err *err)
{
	struct mariadb *m = mariadb_of(db);
	mariavalues_auto struct mariavalues values;
	mariavalues_init(&values);
	mariavalues_text(&values, m->site);
	mem_auto char *sql = mem_printf(
		"SELECT state, COUNT(*) FROM mailpush_registration"
		" FORCE INDEX (mailpush_registration_state) WHERE site = ?1 GROUP BY state%s",
		mariadb_lock_shared(m));
	return mariadb_ask_alone(m, sql, &values, on_totals, ret, err);
}

static const char *on_suspended_users(void *ctx, size_t index, struct mariarows *rows)
{
	struct taker *taker = ctx;
	const char *malformed = mariavalue_check(rows, 2);
	(void)index;
	while (!malformed && mariavalue_next_row(rows))
		taker->on_suspended(
			taker->ctx, mariavalue_to_text(rows, 0), mariavalue_to_number(rows, 1));
	return malformed;
}

int mariadb_find_suspended(
	struct registry_db *db, registry_suspended_fn *on_suspended, void *ctx, struct err *err)
{
	struct mariadb *m = mariadb_of(db);
	mariavalues_auto struct mariavalues values;
	mariavalues_init(&values);
	mariavalues_text(&values, m->site);
	struct taker taker = {.on_suspended = on_suspended, .ctx = ctx};
	mem_auto char *sql =
		mem_printf("SELECT username, MAX(suspended_ms) FROM mailpush_registration"
			   " FORCE INDEX (mailpush_registration_suspended)"
			   " WHERE site = ?1 AND suspended_ms > 0 GROUP BY username%s",
			mariadb_lock_shared(m));
	return mariadb_ask_alone(m, sql, &values, on_suspended_users, &taker, err);
}

static const char *on_round(void *ctx, size_t index, struct mariarows *rows)
{
	struct registry_round *round = ctx;
	const char *malformed = mariavalue_check(rows, 4);
	(void)index;
	if (malformed || !mariavalue_next_row(rows))
		return malformed;
	*round = (struct registry_round){
		.seen_ms = mariavalue_to_number(rows, 0),
		.spared_until_ms = mariavalue_to_number(rows, 1),
		.tidied_day = mariavalue_to_number(rows, 2),
		.tidied_count = (uint64_t)mariavalue_to_number(rows, 3),
	};
	return malformed;
}

int mariadb_load_round(struct registry_db *db, struct registry_round *ret, struct err *err)
{
	struct mariadb *m = mariadb_of(db);
	mariavalues_auto struct mariavalues values;
	mariavalues_init(&values);
	mariavalues_text(&values, m->site);
	*ret = (struct registry_round){0};
	mem_auto char *sql = mem_printf(
		"SELECT seen_ms, spared_until_ms, tidied_day, tidied_count FROM mailpush_site"
		" WHERE name = ?1%s",
		mariadb_lock_for_update(m));
	return mariadb_ask(m, sql, &values, on_round, ret, err);
}

static const char *on_census(void *ctx, size_t index, struct mariarows *rows)
{
	struct registry_census *census = ctx;
	const char *malformed = mariavalue_check(rows, 2);
	(void)index;
	if (malformed || !mariavalue_next_row(rows))
		return malformed;
	*census = (struct registry_census){
		.registrations = (uint64_t)mariavalue_to_number(rows, 0),
		.newest_renewal_ms = mariavalue_to_number(rows, 1),
	};
	return malformed;
}

/* Whoever registers meanwhile is not locked out for it: the numbers are those of a moment ago. */
int mariadb_census(struct registry_db *db, struct registry_census *ret, struct err *err)
{
	struct mariadb *m = mariadb_of(db);
	mariavalues_auto struct mariavalues values;
	mariavalues_init(&values);
	mariavalues_text(&values, m->site);
	*ret = (struct registry_census){0};
	return mariadb_ask(m,
		"SELECT COUNT(*), MAX(renewed_ms) FROM mailpush_registration"
		" FORCE INDEX (mailpush_registration_renewed) WHERE site = ?1",
		&values, on_census, ret, err);
}

static const char *on_keys(void *ctx, size_t index, struct mariarows *rows)
{
	struct taker *taker = ctx;
	const char *malformed = mariavalue_check(rows, 2);
	while (!malformed && mariavalue_next_row(rows)) {
		struct registry_key key;
		mariavalue_to_bytes(rows, 0, key.bytes, sizeof(key.bytes));
		if (taker->seen)
			mariadb_seen_put(taker->seen, &key, mariavalue_to_number(rows, 1));
		taker->on_key(taker->ctx, index++, &key);
	}
	return malformed;
}

static const char *on_number(void *ctx, size_t index, struct mariarows *rows)
{
	uint64_t *number = ctx;
	const char *malformed = mariavalue_check(rows, 1);
	(void)index;
	if (!malformed && mariavalue_next_row(rows))
		*number = (uint64_t)mariavalue_to_number(rows, 0);
	return malformed;
}

/* ?1 to ?3. */
static void add_bounds(
	struct mariavalues *values, const struct mariadb *m, int64_t before_ms, size_t limit)
{
	mariavalues_init(values);
	mariavalues_text(values, m->site);
	mariavalues_number(values, before_ms);
	mariavalues_number(values, (int64_t)limit);
}

int mariadb_find_expired(struct registry_db *db, int64_t before_ms, size_t limit,
	registry_key_fn *on_key, void *ctx, uint64_t *ret_total, struct err *err)
{
	struct mariadb *m = mariadb_of(db);
	mariavalues_auto struct mariavalues values;
	add_bounds(&values, m, before_ms, limit);
	int failed = mariadb_send(m,
		"SELECT COUNT(*) FROM mailpush_registration"
		" FORCE INDEX (mailpush_registration_renewed)"
		" WHERE site = ?1 AND renewed_ms < ?2",
		&values, on_number, ret_total, 0, err);
	if (failed)
		return failed;
	struct taker taker = {.on_key = on_key, .ctx = ctx, .seen = seen_of(m)};
	mem_auto char *sql =
		mem_printf("SELECT id, renewed_ms FROM mailpush_registration"
			   " FORCE INDEX (mailpush_registration_renewed)"
			   " WHERE site = ?1 AND renewed_ms < ?2 ORDER BY renewed_ms LIMIT ?3%s",
			mariadb_lock_for_update(m));
	return mariadb_ask(m, sql, &values, on_keys, &taker, err);
}

int mariadb_find_longest_suspended(struct registry_db *db, int64_t before_ms, size_t limit,
	registry_key_fn *on_key, void *ctx, struct err *err)
{
	struct mariadb *m = mariadb_of(db);
	mariavalues_auto struct mariavalues values;
	add_bounds(&values, m, before_ms, limit);
	struct taker taker = {.on_key = on_key, .ctx = ctx, .seen = seen_of(m)};
	mem_auto char *sql =
		mem_printf("SELECT id, renewed_ms FROM mailpush_registration"
			   " FORCE INDEX (mailpush_registration_suspended)"
			   " WHERE site = ?1 AND suspended_ms > 0 AND suspended_ms < ?2"
			   " ORDER BY suspended_ms LIMIT ?3%s",
			mariadb_lock_for_update(m));
	return mariadb_ask(m, sql, &values, on_keys, &taker, err);
}

/* Registrations side by side, each with a row for each subscription; all are to be marked. */
struct nudges {
	struct taker taker;
	struct mariavalues values;
	struct buf *keys;
};

static const char *on_nudges(void *ctx, size_t index, struct mariarows *rows)
{
	struct nudges *nudges = ctx;
	struct taker *taker = &nudges->taker;
	const char *malformed = mariavalue_check(rows, 1 + TARGET_COUNT);
	struct registry_key before = {0};
	struct registry_key given = {0};
	while (!malformed && mariavalue_next_row(rows)) {
		struct registry_row row;
		read_target(rows, 1, &row);
		if (memcmp(&before, &row.key, sizeof(before)) != 0) {
			mariavalue_comma(nudges->keys);
			mariavalue_bytes(nudges->keys, row.key.bytes, sizeof(row.key.bytes));
		}
		before = row.key;
		if (malformed_row(taker->database, &row) ||
			malformed_hash(taker->database, mariavalue_to_text(rows, 0)))
			continue;
		taker->given += memcmp(&given, &row.key, sizeof(given)) != 0;
		given = row.key;
		taker->on_match(taker->ctx, taker->given - 1, &row, mariavalue_to_text(rows, 0));
	}
	(void)index;
	return malformed;
}

static int mark(struct mariadb *m, const struct nudges *nudges, struct err *err)
{
	if (nudges->keys->used == 0)
		return 0;
	return mariadb_send(m,
		"UPDATE mailpush_registration SET is_nudged = 1"
		" WHERE id IN (?1) AND is_nudged = 0 AND renewed_ms < ?2",
		&nudges->values, NULL, NULL, 0, err);
}

int mariadb_claim_nudges(struct registry_db *db, int64_t before_ms, size_t limit,
	registry_match_fn *on_match, void *ctx, struct err *err)
{
	struct mariadb *m = mariadb_of(db);
	mariavalues_auto struct mariavalues values;
	add_bounds(&values, m, before_ms, limit);
	struct nudges nudges = {
		.taker = {.on_match = on_match, .ctx = ctx, .database = marialink_name(m->link)}};
	mariavalues_init(&nudges.values);
	nudges.keys = mariavalues_list(&nudges.values);
	mariavalues_number(&nudges.values, before_ms);
	int failed = mariadb_ask(m,
		"SELECT s.hash, " TARGET_COLUMNS " FROM (SELECT o.* FROM mailpush_registration o"
		"  FORCE INDEX (mailpush_registration_renewed)"
		"  WHERE o.site = ?1 AND o.renewed_ms < ?2 AND o.is_nudged = 0"
		"  AND o.suspended_ms = 0 AND o.stopped_reason IS NULL"
		"  AND (SELECT COUNT(*) FROM mailpush_subscription e"
		"   WHERE e.registration = o.id LOCK IN SHARE MODE) > 0"
		"  ORDER BY o.renewed_ms LIMIT ?3 FOR UPDATE) r"
		" STRAIGHT_JOIN mailpush_subscription s ON s.registration = r.id"
		" ORDER BY r.renewed_ms, r.id, s.name LOCK IN SHARE MODE",
		&values, on_nudges, &nudges, err);
	if (!failed)
		failed = mark(m, &nudges, err);
	mariavalues_fini(&nudges.values);
	return failed;
}

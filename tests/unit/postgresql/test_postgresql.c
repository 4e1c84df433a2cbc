/*
 * What is PostgreSQL's alone: connections that are lost, statements that hang, two that write.  The
 * argument is the url of a server that is there for this test.
 */
#include "base/clock.h"
#include "base/mem.h"
#include "postgresql/postgresql.h"

#include <endian.h>
#include <errno.h>
#include <libpq-fe.h>
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#define NOW (INT64_C(20000) * CLOCK_DAY_MS)
#define TOKEN "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"
/* For what is answered, and for what is not. */
#define PATIENT_MS 60000
#define SHORT_MS 1000

static const char *url;

struct world {
	char site[64];
	struct registry_db *one;
	struct registry_db *other;
	PGconn *beside;
	struct err err;
};

static const struct registry_ops *ops = &postgresql_ops;

static struct registry_db *open_db(struct world *w, int64_t timeout_ms)
{
	const struct registry_settings settings = {.site = w->site, .timeout_ms = timeout_ms};
	struct registry_db *db = NULL;
	assert_int_equal(ops->open(strchr(url, ':') + 1, &settings, &db, &w->err), 0);
	return db;
}

static int set_up(void **state)
{
	static unsigned number;
	struct world *w = mem_alloc_zero(1, sizeof(*w));
	snprintf(w->site, sizeof(w->site), "trouble-%u", number++);
	w->one = open_db(w, PATIENT_MS);
	w->other = open_db(w, PATIENT_MS);
	w->beside = PQconnectdb(url);
	assert_int_equal(PQstatus(w->beside), CONNECTION_OK);
	*state = w;
	return 0;
}

static int tear_down(void **state)
{
	struct world *w = *state;
	ops->close(w->one);
	ops->close(w->other);
	PQfinish(w->beside);
	free(w);
	return 0;
}

static void execute(struct world *w, const char *sql)
{
	PGresult *result = PQexec(w->beside, sql);
	ExecStatusType status = PQresultStatus(result);
	PQclear(result);
	if (status != PGRES_COMMAND_OK && status != PGRES_TUPLES_OK)
		fail_msg("%s: %s", sql, PQerrorMessage(w->beside));
}

static void begin(struct world *w, struct registry_db *db)
{
	if (ops->begin(db, REGISTRY_WRITES, &w->err) != 0)
		fail_msg("%s", w->err.text);
}

static int put(struct world *w, struct registry_db *db, const char *user, int64_t renewed_ms)
{
	const struct registry_row row = {
		.key = registry_key_make(w->site, user, TOKEN, "account", "mail"),
		.user = user,
		.token = TOKEN,
		.account_id = "account",
		.topic = "topic",
		.subtopic = "mail",
		.renewed_ms = renewed_ms,
	};
	return ops->put(db, &row, 1, &w->err);
}

static void put_well(struct world *w, const char *user)
{
	begin(w, w->one);
	assert_int_equal(put(w, w->one, user, NOW), 0);
	assert_int_equal(ops->commit(w->one, &w->err), 0);
}

/* However long the server takes to be itself again. */
static void put_in_the_end(struct world *w, const char *user)
{
	while (ops->begin(w->one, REGISTRY_WRITES, &w->err) || put(w, w->one, user, NOW) ||
		ops->commit(w->one, &w->err))
		ops->rollback(w->one);
}

static uint64_t count_in(struct world *w, struct registry_db *db)
{
	struct registry_totals totals = {0};
	if (ops->count(db, &totals, &w->err))
		fail_msg("%s", w->err.text);
	return totals.registrations;
}

static uint64_t count(struct world *w)
{
	if (ops->begin(w->other, REGISTRY_READS, &w->err))
		fail_msg("%s", w->err.text);
	uint64_t registrations = count_in(w, w->other);
	assert_int_equal(ops->commit(w->other, &w->err), 0);
	return registrations;
}

static void on_row(void *ctx, size_t index, const struct registry_row *row)
{
	size_t *rows = ctx;
	(void)index;
	(void)row;
	(*rows)++;
}

static int load(struct world *w, struct registry_db *db, const char *user, size_t *ret_rows)
{
	*ret_rows = 0;
	return ops->load_users(db, &user, 1, on_row, ret_rows, &w->err);
}

static void a_rollback_leaves_nothing(void **state)
{
	struct world *w = *state;
	size_t rows;
	begin(w, w->one);
	assert_int_equal(put(w, w->one, "alice", NOW), 0);
	assert_int_equal(load(w, w->one, "alice", &rows), 0);
	assert_int_equal(rows, 1);
	ops->rollback(w->one);
	assert_int_equal(count(w), 0);
	begin(w, w->one);
	assert_int_equal(put(w, w->one, "alice", NOW), 0);
	ops->rollback(w->one);
	assert_int_equal(count(w), 0);
	put_well(w, "alice");
	assert_int_equal(count(w), 1);
}

/* Each reads what the other writes. */
static void one_of_two_writers_in_conflict_is_to_be_done_again(void **state)
{
	struct world *w = *state;
	size_t rows;
	put_well(w, "alice");
	put_well(w, "bob");
	begin(w, w->one);
	begin(w, w->other);
	assert_int_equal(load(w, w->one, "alice", &rows), 0);
	assert_int_equal(load(w, w->other, "bob", &rows), 0);
	assert_int_equal(put(w, w->one, "bob", NOW + 1), 0);
	assert_int_equal(put(w, w->other, "alice", NOW + 1), 0);
	assert_int_equal(ops->commit(w->one, &w->err), 0);
	assert_int_equal(ops->commit(w->other, &w->err), -EAGAIN);
	ops->rollback(w->other);
	begin(w, w->other);
	assert_int_equal(put(w, w->other, "alice", NOW + 1), 0);
	assert_int_equal(ops->commit(w->other, &w->err), 0);
}

static bool claim(struct world *w, struct registry_db *db, int64_t was_ms, int *ret_failed)
{
	bool is_ours = false;
	*ret_failed = ops->claim_round(db, was_ms, NOW, 0, &is_ours, &w->err);
	return is_ours;
}

static void one_of_two_nodes_that_come_at_once_has_the_round(void **state)
{
	struct world *w = *state;
	struct registry_round round = {0};
	int failed = 0;
	begin(w, w->one);
	begin(w, w->other);
	assert_int_equal(ops->load_round(w->one, &round, &w->err), 0);
	assert_int_equal(ops->load_round(w->other, &round, &w->err), 0);
	assert_true(claim(w, w->one, 0, &failed));
	assert_int_equal(ops->commit(w->one, &w->err), 0);
	assert_false(claim(w, w->other, 0, &failed));
	assert_int_equal(failed, -EAGAIN);
	ops->rollback(w->other);
	begin(w, w->other);
	assert_false(claim(w, w->other, 0, &failed));
	assert_int_equal(failed, 0);
	assert_int_equal(ops->commit(w->other, &w->err), 0);
}

static void on_nudge(void *ctx, size_t index, const struct registry_row *row, const char *hash)
{
	size_t *nudges = ctx;
	(void)index;
	(void)row;
	(void)hash;
	(*nudges)++;
}

static int claim_nudges(struct world *w, struct registry_db *db, size_t *ret_count)
{
	*ret_count = 0;
	return ops->claim_nudges(db, NOW + 1, 10, on_nudge, ret_count, &w->err);
}

static void a_phone_is_nudged_by_one_of_two_nodes_that_find_it_at_once(void **state)
{
	struct world *w = *state;
	size_t nudges;
	const struct registry_subscription inbox = {.name = "INBOX",
		.owner = "alice",
		.folder = "",
		.hash = "0123456789abcdef0123456789abcdef"};
	const struct registry_list list = {
		.key = registry_key_make(w->site, "alice", TOKEN, "account", "mail"),
		.subscriptions = &inbox,
		.count = 1};
	put_well(w, "alice");
	begin(w, w->one);
	assert_int_equal(ops->put_lists(w->one, &list, 1, &w->err), 0);
	assert_int_equal(ops->commit(w->one, &w->err), 0);
	begin(w, w->one);
	begin(w, w->other);
	assert_int_equal(count_in(w, w->other), 1);
	assert_int_equal(claim_nudges(w, w->one, &nudges), 0);
	assert_int_equal(nudges, 1);
	assert_int_equal(ops->commit(w->one, &w->err), 0);
	assert_int_equal(claim_nudges(w, w->other, &nudges), -EAGAIN);
	assert_int_equal(nudges, 0);
	ops->rollback(w->other);
	begin(w, w->other);
	assert_int_equal(claim_nudges(w, w->other, &nudges), 0);
	assert_int_equal(nudges, 0);
	assert_int_equal(ops->commit(w->other, &w->err), 0);
}

static void a_connection_cut_in_the_middle_leaves_nothing_and_is_made_again(void **state)
{
	struct world *w = *state;
	size_t rows;
	begin(w, w->one);
	assert_int_equal(put(w, w->one, "alice", NOW), 0);
	assert_int_equal(load(w, w->one, "alice", &rows), 0);
	execute(w,
		"SELECT pg_terminate_backend(pid) FROM pg_stat_activity"
		" WHERE application_name = 'mailpush'");
	assert_int_equal(ops->commit(w->one, &w->err), -ENOTCONN);
	ops->rollback(w->one);
	assert_int_equal(count(w), 0);
	put_well(w, "alice");
	assert_int_equal(count(w), 1);
}

static void a_statement_that_hangs_is_given_up(void **state)
{
	struct world *w = *state;
	put_well(w, "alice");
	ops->close(w->one);
	w->one = open_db(w, SHORT_MS);
	while (ops->begin(w->one, REGISTRY_WRITES, &w->err))
		ops->rollback(w->one);
	execute(w, "BEGIN");
	execute(w, "SELECT 1 FROM mailpush_registration FOR UPDATE");
	assert_int_equal(put(w, w->one, "alice", NOW + 1), 0);
	assert_int_equal(ops->commit(w->one, &w->err), -ETIMEDOUT);
	ops->rollback(w->one);
	execute(w, "ROLLBACK");
	put_in_the_end(w, "alice");
	assert_int_equal(count(w), 1);
}

/* The byte behind a short key is 0, so that it looks like alice's. */
static void a_key_of_another_size_is_nobodys(void **state)
{
	struct world *w = *state;
	const struct registry_mailbox_change moved = {.kind = REGISTRY_FOLDER_MOVED,
		.at_ms = NOW,
		.owner = "bob",
		.folder = "Old",
		.new_owner = "bob",
		.new_folder = "New",
		.separator = '.'};
	mem_auto char *shorten = mem_printf(
		"UPDATE mailpush_registration SET key = decode(repeat('61', 15)"
		" || CASE username WHEN 'alice' THEN '00' ELSE '' END, 'hex') WHERE site = '%s'",
		w->site);
	mem_auto char *subscribe = mem_printf(
		"INSERT INTO mailpush_subscription (key, name, place, hash, site, owner, folder)"
		" SELECT key, 'Old', '', '0123', site, username, 'Old' FROM mailpush_registration"
		" WHERE site = '%s'",
		w->site);
	mem_auto char *ask = mem_printf("SELECT owner, folder FROM mailpush_subscription"
					" WHERE site = '%s' ORDER BY key DESC",
		w->site);
	put_well(w, "alice");
	put_well(w, "bob");
	execute(w, shorten);
	execute(w, subscribe);
	begin(w, w->one);
	assert_int_equal(ops->change_mailboxes(w->one, &moved, 1, NULL, NULL, &w->err), 0);
	assert_int_equal(ops->commit(w->one, &w->err), 0);
	PGresult *rows = PQexec(w->beside, ask);
	assert_int_equal(PQntuples(rows), 2);
	assert_string_equal(PQgetvalue(rows, 0, 0), "alice");
	assert_string_equal(PQgetvalue(rows, 0, 1), "Old");
	PQclear(rows);
}

static void a_schema_that_is_newer_is_left_alone(void **state)
{
	struct world *w = *state;
	put_well(w, "alice");
	execute(w, "UPDATE mailpush_schema SET version = version + 1");
	int failed = ops->begin(w->other, REGISTRY_READS, &w->err);
	execute(w, "UPDATE mailpush_schema SET version = version - 1");
	assert_int_equal(failed, -ENOTSUP);
	assert_non_null(strstr(w->err.text, "install the newer mailpushd again"));
	assert_int_equal(count(w), 1);
}

static void drop_tables(struct world *w)
{
	execute(w,
		"DROP TABLE IF EXISTS mailpush_schema, mailpush_site, mailpush_registration,"
		" mailpush_subscription, mailpush_forgotten");
}

static void tables_that_are_missing_are_made(void **state)
{
	struct world *w = *state;
	drop_tables(w);
	put_well(w, "alice");
	assert_int_equal(count(w), 1);
}

static void tables_that_go_under_a_connection_are_made_again(void **state)
{
	struct world *w = *state;
	size_t rows;
	put_well(w, "alice");
	drop_tables(w);
	begin(w, w->one);
	assert_int_equal(load(w, w->one, "alice", &rows), -ENOTSUP);
	ops->rollback(w->one);
	put_well(w, "alice");
	assert_int_equal(count(w), 1);
}

static int64_t number(struct world *w, const char *sql)
{
	PGresult *result = PQexec(w->beside, sql);
	if (PQresultStatus(result) != PGRES_TUPLES_OK)
		fail_msg("%s: %s", sql, PQerrorMessage(w->beside));
	int64_t found = atoll(PQgetvalue(result, 0, 0));
	PQclear(result);
	return found;
}

/* Phones of as many users, whose keys are numbers. */
static void crowd(struct world *w, int64_t first, int64_t last)
{
	mem_auto char *sql = mem_printf(
		"INSERT INTO mailpush_registration SELECT decode(lpad(to_hex(i), 32, '0'), 'hex'),"
		" '%s', 'user' || i, 'token' || i, 'account', 'topic', 'mail', 2, TRUE, TRUE,"
		" FALSE, 1, %lld, 0, 0 FROM generate_series(%lld, %lld) AS i",
		w->site, (long long)NOW, (long long)first, (long long)last);
	execute(w, sql);
}

static void remove_crowd(struct world *w, int64_t first, size_t count)
{
	const struct registry_end end = {.why = REGISTRY_WHY_REMOVED, .at_ms = NOW};
	mem_auto struct registry_key *keys = mem_alloc_zero(count, sizeof(*keys));
	for (size_t i = 0; i < count; i++) {
		uint64_t wire = htobe64((uint64_t)first + i);
		memcpy(keys[i].bytes + 8, &wire, sizeof(wire));
	}
	begin(w, w->one);
	if (ops->remove(w->one, keys, count, &end, &w->err) || ops->commit(w->one, &w->err))
		fail_msg("%s", w->err.text);
}

static void a_flood_of_phones_that_go_leaves_so_many_tombstones_only(void **state)
{
	struct world *w = *state;
	put_well(w, "alice"); /* the tables are there */
	mem_auto char *tombstones = mem_printf(
		"INSERT INTO mailpush_forgotten (key, site, username, device_token, account_id,"
		" topic, renewed_ms, at_ms, why, status, reason)"
		" SELECT decode('ff' || lpad(to_hex(i), 30, '0'), 'hex'), '%s', 'gone' || i, "
		"'token',"
		" 'account', 'topic', 0, %lld, 'removed', 0, '' FROM generate_series(1, %d) AS i",
		w->site, (long long)NOW, REGISTRY_TOMBSTONES_MAX);
	execute(w, tombstones);
	const size_t at_once = 500;
	crowd(w, 1, (int64_t)(25 * at_once));
	for (size_t i = 0; i < 25; i++)
		remove_crowd(w, (int64_t)(1 + i * at_once), at_once);
	mem_auto char *how_many =
		mem_printf("SELECT count(*) FROM mailpush_forgotten WHERE site = '%s'", w->site);
	assert_int_in_range(number(w, how_many), REGISTRY_TOMBSTONES_MAX,
		REGISTRY_TOMBSTONES_MAX + REGISTRY_TOMBSTONES_MAX / 10);
	execute(w, "TRUNCATE mailpush_forgotten, mailpush_registration");
}

/* Counters of the server are complete when the connection that they are of has ended. */
static void end_connections(struct world *w)
{
	ops->close(w->one);
	ops->close(w->other);
	while (number(
		w, "SELECT count(*) FROM pg_stat_activity WHERE application_name = 'mailpush'"))
		execute(w, "SELECT pg_sleep(0.01)");
	execute(w, "SELECT pg_stat_clear_snapshot()");
	w->one = open_db(w, PATIENT_MS);
	w->other = open_db(w, PATIENT_MS);
}

static int64_t rows_read(struct world *w)
{
	end_connections(w);
	return number(w,
		"SELECT sum(seq_tup_read + idx_tup_fetch) FROM pg_stat_user_tables"
		" WHERE relname IN ('mailpush_registration', 'mailpush_forgotten')");
}

static void put_right(struct world *w)
{
	begin(w, w->one);
	if (ops->put_right(w->one, NOW + 1, NOW, &w->err) || ops->commit(w->one, &w->err))
		fail_msg("%s", w->err.text);
}

static void times_are_put_right_without_a_look_at_all_that_are(void **state)
{
	struct world *w = *state;
	put_well(w, "alice");
	crowd(w, 1, 10000);
	for (int64_t i = 5001; i < 10000; i += 500)
		remove_crowd(w, i, 500);
	execute(w, "ANALYZE");
	put_right(w); /* the first of a connection reads more */
	int64_t before = rows_read(w);
	put_right(w);
	assert_int_in_range(rows_read(w) - before, 0, 100);
	execute(w, "TRUNCATE mailpush_forgotten, mailpush_registration");
}

static void nothing(void *ctx, size_t index, const struct registry_row *row)
{
	(void)ctx;
	(void)index;
	(void)row;
}

static void what_is_too_large_for_a_statement_is_left_to_smaller_batches(void **state)
{
	struct world *w = *state;
	const size_t count = 70;
	const size_t size = 1 << 20;
	mem_auto char *name = mem_alloc_zero(1, size + 1);
	memset(name, 'a', size);
	mem_auto const char **names = mem_alloc_zero(count, sizeof(*names));
	for (size_t i = 0; i < count; i++)
		names[i] = name;
	begin(w, w->one);
	assert_int_equal(ops->load_users(w->one, names, count, nothing, NULL, &w->err), -EILSEQ);
	ops->rollback(w->one);
	begin(w, w->one);
	assert_int_equal(ops->load_users(w->one, names, 3, nothing, NULL, &w->err), 0);
	ops->rollback(w->one);
}

/* Once somebody waits for what it has locked. */
static void *commit_when_waited_for(void *ctx)
{
	struct world *w = ctx;
	for (bool is_waited_for = false; !is_waited_for;) {
		PGresult *result = PQexec(w->beside, "SELECT 1 FROM pg_locks WHERE NOT granted");
		is_waited_for = PQntuples(result) > 0;
		PQclear(result);
	}
	execute(w, "COMMIT");
	return NULL;
}

static void nodes_that_make_the_tables_at_once_all_come_to_have_them(void **state)
{
	struct world *w = *state;
	pthread_t other;
	execute(w,
		"DROP TABLE IF EXISTS mailpush_schema, mailpush_site, mailpush_registration,"
		" mailpush_subscription, mailpush_forgotten");
	execute(w, "BEGIN");
	execute(w,
		"CREATE TABLE mailpush_schema (one INTEGER PRIMARY KEY CHECK (one = 1),"
		" version INTEGER NOT NULL)");
	pthread_create(&other, NULL, commit_when_waited_for, w);
	int failed = ops->begin(w->one, REGISTRY_WRITES, &w->err);
	pthread_join(other, NULL);
	assert_true(failed == -EAGAIN || failed == -EEXIST);
	ops->rollback(w->one);
	put_well(w, "alice");
	assert_int_equal(count(w), 1);
}

static struct registry_db *open_with(struct world *w, const char *parameters)
{
	const struct registry_settings settings = {.site = w->site, .timeout_ms = PATIENT_MS};
	mem_auto char *at = mem_printf("%s&%s", strchr(url, ':') + 1, parameters);
	struct registry_db *db = NULL;
	assert_int_equal(ops->open(at, &settings, &db, &w->err), 0);
	return db;
}

/* Also one that database_has_password does not know by its name. */
static void what_the_library_hides_is_no_part_of_a_url(void **state)
{
	static const char *const places[] = {"//me@db/mail?pass%77ord=geheim",
		"//me:geheim@db/mail", "//me@db/mail?sslpassword=geheim"};
	struct world *w = *state;
	for (size_t i = 0; i < sizeof(places) / sizeof(places[0]); i++) {
		assert_int_equal(ops->check(places[i], &w->err), -EINVAL);
		assert_non_null(strstr(w->err.text, "registry_password_file"));
		assert_null(strstr(w->err.text, "geheim"));
		mem_auto char *name = ops->name(places[i]);
		assert_string_equal(name, "postgresql:");
	}
}

static void write_file(const char *path, const char *text)
{
	FILE *file = fopen(path, "w");
	assert_non_null(file);
	fputs(text, file);
	fclose(file);
}

static void check_pipe_refused(struct world *w, struct registry_db *db, const char *path)
{
	assert_int_equal(ops->begin(db, REGISTRY_READS, &w->err), -ENOTCONN);
	assert_non_null(strstr(w->err.text, path));
	assert_non_null(strstr(w->err.text, "not a regular file"));
}

static void a_pipe_in_the_place_of_a_file_is_refused_at_once(void **state)
{
	static const char *const names[] = {
		"sslrootcert", "sslcert", "sslkey", "sslcrl", "passfile"};
	struct world *w = *state;
	char path[64];
	snprintf(path, sizeof(path), "/tmp/mailpush-pipe-%ld", (long)getpid());
	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
		mem_auto char *parameters = mem_printf("%s=%s", names[i], path);
		struct registry_db *db = open_with(w, parameters);
		assert_int_equal(mkfifo(path, 0666), 0);
		check_pipe_refused(w, db, path);
		unlink(path);
		write_file(path, "");
		begin(w, db);
		assert_int_equal(ops->commit(db, &w->err), 0);
		unlink(path);
		ops->close(db);
	}
}

static void a_pipe_in_the_place_of_the_service_file_is_refused_at_once(void **state)
{
	struct world *w = *state;
	char path[64];
	snprintf(path, sizeof(path), "/tmp/mailpush-service-%ld", (long)getpid());
	setenv("PGSERVICEFILE", path, 1);
	assert_int_equal(mkfifo(path, 0666), 0);
	assert_int_equal(ops->check("///mail?service=mail", &w->err), 0);
	struct registry_db *db = open_with(w, "service=mail");
	check_pipe_refused(w, db, path);
	unlink(path);
	write_file(path, "[mail]\nconnect_timeout=9\n");
	begin(w, db);
	assert_int_equal(ops->commit(db, &w->err), 0);
	ops->close(db);

	/* What the service names is looked at too. */
	char key[80];
	snprintf(key, sizeof(key), "%s.key", path);
	assert_int_equal(mkfifo(key, 0666), 0);
	mem_auto char *service = mem_printf("[mail]\nsslkey=%s\n", key);
	write_file(path, service);
	db = open_with(w, "service=mail");
	check_pipe_refused(w, db, key);
	ops->close(db);
	unlink(key);
	unlink(path);
	unsetenv("PGSERVICEFILE");
}

#define RULE(test) cmocka_unit_test_setup_teardown(test, set_up, tear_down)

int main(int argc, char **argv)
{
	if (argc < 2)
		return 77;
	url = argv[1];
	const struct CMUnitTest tests[] = {
		RULE(a_rollback_leaves_nothing),
		RULE(one_of_two_writers_in_conflict_is_to_be_done_again),
		RULE(one_of_two_nodes_that_come_at_once_has_the_round),
		RULE(a_phone_is_nudged_by_one_of_two_nodes_that_find_it_at_once),
		RULE(a_connection_cut_in_the_middle_leaves_nothing_and_is_made_again),
		RULE(a_statement_that_hangs_is_given_up),
		RULE(a_key_of_another_size_is_nobodys),
		RULE(a_schema_that_is_newer_is_left_alone),
		RULE(tables_that_are_missing_are_made),
		RULE(tables_that_go_under_a_connection_are_made_again),
		RULE(nodes_that_make_the_tables_at_once_all_come_to_have_them),
		RULE(what_the_library_hides_is_no_part_of_a_url),
		RULE(a_pipe_in_the_place_of_a_file_is_refused_at_once),
		RULE(a_pipe_in_the_place_of_the_service_file_is_refused_at_once),
		RULE(a_flood_of_phones_that_go_leaves_so_many_tombstones_only),
		RULE(times_are_put_right_without_a_look_at_all_that_are),
		RULE(what_is_too_large_for_a_statement_is_left_to_smaller_batches),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}

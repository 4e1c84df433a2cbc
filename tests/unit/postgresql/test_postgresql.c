/*
 * What is PostgreSQL's alone: connections that are lost, statements that hang, two that write.  The
 * argument is the url of a server that is there for this test.
 */
#include "base/clock.h"
#include "base/mem.h"
#include "postgresql/postgresql.h"

#include <errno.h>
#include <libpq-fe.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#define NOW (INT64_C(20000) * CLOCK_DAY_MS)
#define TOKEN "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"
#define TIMEOUT_MS 500

static const char *url;

struct world {
	char site[64];
	struct registry_db *one;
	struct registry_db *other;
	PGconn *beside;
	struct err err;
};

static const struct registry_ops *ops = &postgresql_ops;

static struct registry_db *open_db(struct world *w)
{
	const struct registry_settings settings = {.site = w->site, .timeout_ms = TIMEOUT_MS};
	struct registry_db *db = NULL;
	assert_int_equal(ops->open(strchr(url, ':') + 1, &settings, &db, &w->err), 0);
	return db;
}

static int set_up(void **state)
{
	static unsigned number;
	struct world *w = mem_alloc_zero(1, sizeof(*w));
	snprintf(w->site, sizeof(w->site), "trouble-%u", number++);
	w->one = open_db(w);
	w->other = open_db(w);
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
	if (ops->begin(db, true, &w->err) != 0)
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

static uint64_t count_in(struct world *w, struct registry_db *db)
{
	struct registry_totals totals = {0};
	if (ops->count(db, &totals, &w->err))
		fail_msg("%s", w->err.text);
	return totals.registrations;
}

static uint64_t count(struct world *w)
{
	if (ops->begin(w->other, false, &w->err))
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
static void of_two_writers_in_conflict_one_is_to_be_done_again(void **state)
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

static void of_two_nodes_that_come_at_once_one_has_the_round(void **state)
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
	const struct registry_subscription inbox = {
		.name = "INBOX", .owner = "alice", .folder = "", .hash = "0123"};
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
	execute(w, "BEGIN");
	execute(w, "SELECT 1 FROM mailpush_registration FOR UPDATE");
	begin(w, w->one);
	assert_int_equal(put(w, w->one, "alice", NOW + 1), 0);
	assert_int_equal(ops->commit(w->one, &w->err), -ETIMEDOUT);
	ops->rollback(w->one);
	execute(w, "ROLLBACK");
	put_well(w, "alice");
	assert_int_equal(count(w), 1);
}

static void a_schema_that_is_newer_is_left_alone(void **state)
{
	struct world *w = *state;
	put_well(w, "alice");
	execute(w, "UPDATE mailpush_schema SET version = version + 1");
	int failed = ops->begin(w->other, false, &w->err);
	execute(w, "UPDATE mailpush_schema SET version = version - 1");
	assert_int_equal(failed, -ENOTSUP);
	assert_non_null(strstr(w->err.text, "install the newer mailpushd again"));
	assert_int_equal(count(w), 1);
}

static void tables_that_are_missing_are_made(void **state)
{
	struct world *w = *state;
	execute(w,
		"DROP TABLE IF EXISTS mailpush_schema, mailpush_site, mailpush_registration,"
		" mailpush_subscription, mailpush_forgotten");
	put_well(w, "alice");
	assert_int_equal(count(w), 1);
}

#define RULE(test) cmocka_unit_test_setup_teardown(test, set_up, tear_down)

int main(int argc, char **argv)
{
	if (argc < 2)
		return 77;
	url = argv[1];
	const struct CMUnitTest tests[] = {
		RULE(a_rollback_leaves_nothing),
		RULE(of_two_writers_in_conflict_one_is_to_be_done_again),
		RULE(of_two_nodes_that_come_at_once_one_has_the_round),
		RULE(a_phone_is_nudged_by_one_of_two_nodes_that_find_it_at_once),
		RULE(a_connection_cut_in_the_middle_leaves_nothing_and_is_made_again),
		RULE(a_statement_that_hangs_is_given_up),
		RULE(a_schema_that_is_newer_is_left_alone),
		RULE(tables_that_are_missing_are_made),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}

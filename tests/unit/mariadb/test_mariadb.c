/*
 * What is MariaDB's alone: connections that are lost, statements that hang, two that write.  The
 * argument is the url of a server that is there for this test, by its socket.
 */
#include "base/clock.h"
#include "base/mem.h"
#include "mariadb/mariadb.h"
#include "mariadb/mariadb_schema.h"
#include "mariadb/mariadb_transaction.h"
#include "mariadb/mariaurl.h"
#include "relay.h"

#include <endian.h>
#include <errno.h>
#include <mysql.h>
#include <pthread.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#define NOW (INT64_C(20000) * CLOCK_DAY_MS)
#define TOKEN "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"
/* For what is answered; and for what is not. */
#define PATIENT_MS 60000
#define SHORT_MS 2000
/* A lock is waited for half as long as PATIENT_MS; and no longer than it takes to wait at all. */
#define LOCK_WAIT "innodb_lock_wait_timeout = 30"
#define LOCK_WAIT_SHORT "innodb_lock_wait_timeout =  1"
/* So many places are more than a socket holds. */
#define MANY 40000

static const char *place;
static struct mariaurl *url;

struct world {
	char site[64];
	char relayed[256];
	struct relay *relay;
	atomic_int_least64_t end_by_ms;
	struct registry_db *one;
	struct registry_db *other;
	MYSQL *root;
	struct err err;
};

static const struct registry_ops *ops = &mariadb_ops;

static struct registry_db *open_for(
	struct world *w, const char *at, const char *password_file, int64_t timeout_ms)
{
	const struct registry_settings settings = {
		.site = w->site,
		.timeout_ms = timeout_ms,
		.password_file = password_file,
		.end_by_ms = &w->end_by_ms,
	};
	struct registry_db *db = NULL;
	assert_int_equal(ops->open(at, &settings, &db, &w->err), 0);
	return db;
}

static struct registry_db *open_at(struct world *w, const char *at, const char *password_file)
{
	return open_for(w, at, password_file, PATIENT_MS);
}

static void reopen_one(struct world *w, int64_t timeout_ms)
{
	ops->close(w->one);
	w->one = open_for(w, place, NULL, timeout_ms);
}

static void relay_to(struct world *w, struct registry_db **db, int64_t timeout_ms)
{
	char path[64];
	snprintf(path, sizeof(path), "/tmp/mailpush-relay-%ld", (long)getpid());
	w->relay = relay_new(path, url->socket);
	snprintf(w->relayed, sizeof(w->relayed), "//mailpush@/%s?socket=%s", url->database, path);
	ops->close(*db);
	*db = open_for(w, w->relayed, NULL, timeout_ms);
}

/* It has all the time that it needs, but for locks, of which the server is told otherwise. */
static void wait_for_no_lock(struct world *w, struct registry_db **db)
{
	relay_to(w, db, PATIENT_MS);
	relay_replace(w->relay, LOCK_WAIT, LOCK_WAIT_SHORT);
}

static int set_up(void **state)
{
	static unsigned number;
	struct world *w = mem_alloc_zero(1, sizeof(*w));
	snprintf(w->site, sizeof(w->site), "trouble-%u", number++);
	w->one = open_at(w, place, NULL);
	w->other = open_at(w, place, NULL);
	w->root = mysql_init(NULL);
	if (!mysql_real_connect(w->root, NULL, "root", NULL, url->database, 0, url->socket, 0))
		fail_msg("%s", mysql_error(w->root));
	*state = w;
	return 0;
}

static int tear_down(void **state)
{
	struct world *w = *state;
	ops->close(w->one);
	ops->close(w->other);
	mysql_close(w->root);
	if (w->relay)
		relay_free(w->relay);
	free(w);
	return 0;
}

static void execute(struct world *w, const char *sql)
{
	if (mysql_query(w->root, sql))
		fail_msg("%s: %s", sql, mysql_error(w->root));
	mysql_free_result(mysql_store_result(w->root));
}

static void ask(struct world *w, const char *sql, char *ret, size_t size)
{
	if (mysql_query(w->root, sql))
		fail_msg("%s: %s", sql, mysql_error(w->root));
	MYSQL_RES *result = mysql_store_result(w->root);
	MYSQL_ROW row = mysql_fetch_row(result);
	snprintf(ret, size, "%s", row ? row[0] : "");
	mysql_free_result(result);
}

/* Those of ours; it returns when the server has closed them. */
static void kill_connections(struct world *w)
{
	char id[32];
	for (;;) {
		ask(w,
			"SELECT id FROM information_schema.processlist WHERE user = 'mailpush'"
			" LIMIT 1",
			id, sizeof(id));
		if (!*id)
			return;
		mem_auto char *sql = mem_printf("KILL %s", id);
		mysql_query(w->root, sql);
	}
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

static void commit_well(struct world *w, struct registry_db *db)
{
	if (ops->commit(db, &w->err) != 0)
		fail_msg("%s", w->err.text);
}

static void put_well(struct world *w, const char *user)
{
	begin(w, w->one);
	assert_int_equal(put(w, w->one, user, NOW), 0);
	commit_well(w, w->one);
}

/* However long the server takes to be itself again. */
static void put_in_the_end(struct world *w, const char *user)
{
	while (ops->begin(w->one, REGISTRY_WRITES, &w->err) || put(w, w->one, user, NOW) ||
		ops->commit(w->one, &w->err))
		ops->rollback(w->one);
}

static void begin_in_the_end(struct world *w)
{
	while (ops->begin(w->one, REGISTRY_WRITES, &w->err))
		ops->rollback(w->one);
}

static uint64_t count(struct world *w)
{
	struct registry_totals totals = {0};
	if (ops->begin(w->other, REGISTRY_READS, &w->err) ||
		ops->count(w->other, &totals, &w->err) || ops->commit(w->other, &w->err))
		fail_msg("%s", w->err.text);
	return totals.registrations;
}

struct seen {
	size_t rows;
	int64_t renewed_ms;
};

static void on_row(void *ctx, size_t index, const struct registry_row *row)
{
	struct seen *seen = ctx;
	(void)index;
	seen->rows++;
	seen->renewed_ms = row->renewed_ms;
}

static int load(struct world *w, struct registry_db *db, const char *user, struct seen *ret)
{
	*ret = (struct seen){0};
	return ops->load_users(db, &user, 1, on_row, ret, &w->err);
}

static void a_rollback_leaves_nothing(void **state)
{
	struct world *w = *state;
	struct seen seen;
	begin(w, w->one);
	assert_int_equal(put(w, w->one, "alice", NOW), 0);
	assert_int_equal(load(w, w->one, "alice", &seen), 0);
	assert_int_equal(seen.rows, 1);
	ops->rollback(w->one);
	assert_int_equal(count(w), 0);
	begin(w, w->one);
	assert_int_equal(put(w, w->one, "alice", NOW), 0);
	ops->rollback(w->one);
	assert_int_equal(count(w), 0);
	put_well(w, "alice");
	assert_int_equal(count(w), 1);
}

static void *commit_other(void *of)
{
	struct world *w = of;
	struct err err;
	return (void *)(intptr_t)ops->commit(w->other, &err);
}

/* Each reads what the other writes. */
static void one_of_two_writers_in_conflict_is_to_be_done_again(void **state)
{
	struct world *w = *state;
	struct seen seen;
	put_well(w, "alice");
	put_well(w, "bob");
	begin(w, w->one);
	begin(w, w->other);
	assert_int_equal(load(w, w->one, "alice", &seen), 0);
	assert_int_equal(load(w, w->other, "bob", &seen), 0);
	assert_int_equal(put(w, w->one, "bob", NOW + 1), 0);
	assert_int_equal(put(w, w->other, "alice", NOW + 1), 0);
	pthread_t thread;
	assert_int_equal(pthread_create(&thread, NULL, commit_other, w), 0);
	int of_one = ops->commit(w->one, &w->err);
	/* Else the other would wait for the lock. */
	if (of_one)
		ops->rollback(w->one);
	void *of_other;
	pthread_join(thread, &of_other);
	if (of_other)
		ops->rollback(w->other);
	assert_int_equal(of_one + (int)(intptr_t)of_other, -EAGAIN);
	begin(w, w->other);
	assert_int_equal(put(w, w->other, "alice", NOW + 2), 0);
	assert_int_equal(ops->commit(w->other, &w->err), 0);
}

static void whoever_waits_for_a_lock_too_long_is_in_conflict(void **state)
{
	struct world *w = *state;
	put_well(w, "alice");
	wait_for_no_lock(w, &w->other);
	begin(w, w->one);
	struct seen seen;
	assert_int_equal(load(w, w->one, "alice", &seen), 0);
	begin(w, w->other);
	assert_int_equal(load(w, w->other, "alice", &seen), -EAGAIN);
	assert_true(relay_has_replaced(w->relay));
	ops->rollback(w->other);
	commit_well(w, w->one);
	assert_int_equal(count(w), 1);
}

/* Neither has a row yet, so it is the gap that both have seen. */
static void two_that_register_the_first_phone_of_a_user_see_each_other(void **state)
{
	struct world *w = *state;
	struct seen seen;
	wait_for_no_lock(w, &w->one);
	begin(w, w->one);
	begin(w, w->other);
	assert_int_equal(load(w, w->one, "alice", &seen), 0);
	assert_int_equal(load(w, w->other, "alice", &seen), 0);
	assert_int_equal(put(w, w->one, "alice", NOW), 0);
	assert_int_equal(ops->commit(w->one, &w->err), -EAGAIN);
	assert_true(relay_has_replaced(w->relay));
	ops->rollback(w->one);
	assert_int_equal(put(w, w->other, "alice", NOW + 1), 0);
	commit_well(w, w->other);
	begin(w, w->one);
	assert_int_equal(load(w, w->one, "alice", &seen), 0);
	assert_int_equal(seen.renewed_ms, NOW + 1);
	commit_well(w, w->one);
}

/* All that registers goes to the same end of the index. */
static void a_look_for_times_of_a_wrong_clock_keeps_nobody_from_registering(void **state)
{
	struct world *w = *state;
	put_well(w, "alice");
	begin(w, w->one);
	assert_int_equal(ops->put_right(w->one, NOW + 10, NOW, &w->err), 0);
	struct registry_census census;
	assert_int_equal(ops->census(w->one, &census, &w->err), 0);
	begin(w, w->other);
	assert_int_equal(put(w, w->other, "alice", NOW + 1), 0);
	commit_well(w, w->other);
	commit_well(w, w->one);
	assert_int_equal(count(w), 1);
}

static void an_older_write_never_undoes_a_newer_one(void **state)
{
	struct world *w = *state;
	struct seen seen;
	begin(w, w->one);
	assert_int_equal(put(w, w->one, "alice", NOW + 5), 0);
	assert_int_equal(put(w, w->one, "alice", NOW), 0);
	assert_int_equal(load(w, w->one, "alice", &seen), 0);
	assert_int_equal(seen.renewed_ms, NOW + 5);
	assert_int_equal(put(w, w->one, "alice", NOW + 6), 0);
	assert_int_equal(load(w, w->one, "alice", &seen), 0);
	assert_int_equal(seen.renewed_ms, NOW + 6);
	commit_well(w, w->one);
}

/* As where a cluster lost the lock: the transaction has read an older state. */
static void what_was_renewed_since_it_was_read_is_not_removed(void **state)
{
	struct world *w = *state;
	struct seen seen;
	const struct registry_end end = {.why = REGISTRY_WHY_EXPIRED, .at_ms = NOW + 9};
	put_well(w, "alice");
	put_well(w, "bob");
	const struct registry_key keys[] = {
		registry_key_make(w->site, "alice", TOKEN, "account", "mail"),
		registry_key_make(w->site, "bob", TOKEN, "account", "mail"),
	};
	begin(w, w->one);
	assert_int_equal(load(w, w->one, "alice", &seen), 0);
	assert_int_equal(load(w, w->one, "bob", &seen), 0);
	mariadb_seen_clear(mariadb_of(w->one)->seen);
	mariadb_seen_put(mariadb_of(w->one)->seen, &keys[0], NOW - 1);
	mariadb_seen_put(mariadb_of(w->one)->seen, &keys[1], NOW);
	assert_int_equal(ops->remove(w->one, keys, 2, &end, &w->err), 0);
	commit_well(w, w->one);
	begin(w, w->one);
	assert_int_equal(load(w, w->one, "alice", &seen), 0);
	assert_int_equal(seen.rows, 1);
	assert_int_equal(load(w, w->one, "bob", &seen), 0);
	assert_int_equal(seen.rows, 0);
	assert_int_equal(ops->remove(w->one, keys, 1, &end, &w->err), 0);
	commit_well(w, w->one);
	assert_int_equal(count(w), 0);
}

static void on_subscription(
	void *ctx, size_t index, const struct registry_subscription *subscription)
{
	char *names = ctx;
	(void)index;
	strcat(names, subscription->name);
}

static int put_list(struct world *w, const char *name)
{
	const struct registry_subscription box = {.name = name,
		.owner = "alice",
		.folder = name,
		.hash = "0123456789abcdef0123456789abcdef"};
	const struct registry_list list = {
		.key = registry_key_make(w->site, "alice", TOKEN, "account", "mail"),
		.subscriptions = &box,
		.count = 1};
	return ops->put_lists(w->one, &list, 1, &w->err);
}

/* Of a transaction that has read an older state too. */
static void an_older_list_never_replaces_a_newer_one(void **state)
{
	struct world *w = *state;
	struct seen seen;
	char names[64] = "";
	const struct registry_key key =
		registry_key_make(w->site, "alice", TOKEN, "account", "mail");
	put_well(w, "alice");
	begin(w, w->one);
	assert_int_equal(load(w, w->one, "alice", &seen), 0);
	assert_int_equal(put_list(w, "new"), 0);
	mariadb_seen_clear(mariadb_of(w->one)->seen);
	mariadb_seen_put(mariadb_of(w->one)->seen, &key, NOW - 1);
	assert_int_equal(put_list(w, "old"), 0);
	commit_well(w, w->one);
	begin(w, w->one);
	assert_int_equal(ops->load_lists(w->one, &key, 1, on_subscription, names, &w->err), 0);
	assert_string_equal(names, "new");
	commit_well(w, w->one);
}

static void on_tombstone(void *ctx, const struct registry_tombstone *tombstone)
{
	int *is_back = ctx;
	*is_back = tombstone->is_back;
}

static void on_nudge(void *ctx, size_t index, const struct registry_row *row, const char *hash)
{
	size_t *nudges = ctx;
	(void)index;
	(void)row;
	(void)hash;
	(*nudges)++;
}

/* Also within another question, although the batch has a snapshot from before. */
static void a_batch_that_writes_reads_what_it_locks(void **state)
{
	struct world *w = *state;
	const struct registry_key key =
		registry_key_make(w->site, "alice", TOKEN, "account", "mail");
	const struct registry_end end = {.why = REGISTRY_WHY_REMOVED, .at_ms = NOW};
	struct registry_census census;
	int is_back = -1;
	size_t nudges = 0;
	put_well(w, "alice");
	begin(w, w->one);
	assert_int_equal(ops->remove(w->one, &key, 1, &end, &w->err), 0);
	commit_well(w, w->one);
	begin(w, w->other);
	assert_int_equal(ops->census(w->other, &census, &w->err), 0);
	begin(w, w->one);
	assert_int_equal(put(w, w->one, "alice", NOW), 0);
	assert_int_equal(put_list(w, "Notes"), 0);
	commit_well(w, w->one);
	int status = ops->list_tombstones(w->other, "alice", 0, 1, on_tombstone, &is_back, &w->err);
	if (status == -EAGAIN) {
		/* With innodb_snapshot_isolation, on since 11.6.2: what its snapshot does not have
		   is a conflict. */
		ops->rollback(w->other);
		return;
	}
	assert_int_equal(status, 0);
	assert_int_equal(is_back, 1);
	assert_int_equal(ops->claim_nudges(w->other, NOW + 1, 1, on_nudge, &nudges, &w->err), 0);
	assert_int_equal(nudges, 1);
	commit_well(w, w->other);
}

static void a_batch_that_only_reads_sees_one_state(void **state)
{
	struct world *w = *state;
	struct seen seen;
	put_well(w, "alice");
	struct registry_key key = registry_key_make(w->site, "alice", TOKEN, "account", "mail");
	assert_int_equal(ops->begin(w->other, REGISTRY_READS, &w->err), 0);
	assert_int_equal(load(w, w->other, "alice", &seen), 0);
	begin(w, w->one);
	assert_int_equal(put(w, w->one, "alice", NOW + 5), 0);
	assert_int_equal(put(w, w->one, "bob", NOW), 0);
	commit_well(w, w->one);
	struct seen later = {0};
	assert_int_equal(ops->load_keys(w->other, &key, 1, on_row, &later, &w->err), 0);
	assert_int_equal(seen.renewed_ms, NOW);
	assert_int_equal(later.renewed_ms, NOW);
	struct registry_totals totals;
	assert_int_equal(ops->count(w->other, &totals, &w->err), 0);
	assert_int_equal(totals.registrations, 1);
	commit_well(w, w->other);
	assert_int_equal(count(w), 2);
}

static void a_connection_cut_in_the_middle_leaves_nothing_and_is_made_again(void **state)
{
	struct world *w = *state;
	struct seen seen;
	begin(w, w->one);
	assert_int_equal(put(w, w->one, "alice", NOW), 0);
	assert_int_equal(load(w, w->one, "alice", &seen), 0);
	kill_connections(w);
	assert_int_equal(ops->commit(w->one, &w->err), -ENOTCONN);
	ops->rollback(w->one);
	assert_int_equal(count(w), 0);
	put_well(w, "alice");
	kill_connections(w);
	assert_int_equal(count(w), 1);
}

static void a_statement_that_hangs_is_given_up(void **state)
{
	struct world *w = *state;
	put_well(w, "alice");
	execute(w,
		"CREATE TRIGGER slow BEFORE INSERT ON mailpush_registration FOR EACH ROW"
		" SET @slept = SLEEP(600)");
	reopen_one(w, SHORT_MS);
	begin_in_the_end(w);
	assert_int_equal(put(w, w->one, "bob", NOW), 0);
	assert_int_equal(ops->commit(w->one, &w->err), -ETIMEDOUT);
	ops->rollback(w->one);
	execute(w, "DROP TRIGGER slow");
	assert_int_equal(count(w), 1);
	put_in_the_end(w, "bob");
	assert_int_equal(count(w), 2);
}

static pid_t pid_of_server(struct world *w)
{
	char path[256];
	ask(w, "SELECT @@pid_file", path, sizeof(path));
	FILE *file = fopen(path, "r");
	assert_non_null(file);
	int pid = 0;
	assert_int_equal(fscanf(file, "%d", &pid), 1);
	fclose(file);
	assert_true(pid > 1);
	return pid;
}

static void a_server_that_stands_still_is_given_up_and_found_again(void **state)
{
	struct world *w = *state;
	put_well(w, "alice");
	pid_t pid = pid_of_server(w);
	reopen_one(w, SHORT_MS);
	begin_in_the_end(w);
	assert_int_equal(put(w, w->one, "bob", NOW), 0);
	kill(pid, SIGSTOP);
	/* Its threads stop one after the other. */
	int failed = ops->commit(w->one, &w->err);
	while (!failed) {
		begin(w, w->one);
		assert_int_equal(put(w, w->one, "bob", NOW), 0);
		failed = ops->commit(w->one, &w->err);
	}
	ops->rollback(w->one);
	int again = ops->begin(w->one, REGISTRY_WRITES, &w->err);
	kill(pid, SIGCONT);
	assert_int_equal(failed, -ETIMEDOUT);
	assert_int_equal(again, -ETIMEDOUT);
	assert_non_null(strstr(w->err.text, url->socket));
	put_in_the_end(w, "alice");
}

/* Nobody is answered as long as the tables are locked; the link alone would wait for a minute. */
static void no_wait_lasts_longer_than_the_registry(void **state)
{
	struct world *w = *state;
	put_well(w, "alice");
	begin(w, w->one);
	assert_int_equal(put(w, w->one, "bob", NOW), 0);
	execute(w, "LOCK TABLES mailpush_registration WRITE");
	atomic_store(&w->end_by_ms, clock_monotonic_ms());
	int of_commit = ops->commit(w->one, &w->err);
	ops->rollback(w->one);
	int of_begin = ops->begin(w->one, REGISTRY_WRITES, &w->err);
	atomic_store(&w->end_by_ms, 0);
	kill_connections(w);
	execute(w, "UNLOCK TABLES");
	assert_int_equal(of_commit, -ETIMEDOUT);
	assert_int_equal(of_begin, -ETIMEDOUT);
	put_well(w, "alice");
}

static void on_no_match(void *ctx, size_t index, const struct registry_row *row, const char *hash)
{
	(void)ctx;
	(void)index;
	(void)row;
	fail_msg("%s", hash);
}

/* More than the socket takes is on its way, and so the farewell of the connection does not go. */
static void a_server_that_reads_nothing_is_left_in_time(void **state)
{
	struct world *w = *state;
	relay_to(w, &w->one, SHORT_MS);
	begin(w, w->one);
	assert_int_equal(put(w, w->one, "alice", NOW), 0);
	struct mailbox *mailboxes = mem_alloc_zero(MANY, sizeof(*mailboxes));
	const struct mailbox **asked = mem_alloc_zero(MANY, sizeof(*asked));
	for (size_t i = 0; i < MANY; i++) {
		mailboxes[i] = (struct mailbox){.owner = "alice", .folder = "A"};
		asked[i] = &mailboxes[i];
	}
	relay_read_no_more(w->relay);
	int failed = ops->match(w->one, asked, MANY, on_no_match, NULL, &w->err);
	ops->rollback(w->one);
	free(mailboxes);
	free(asked);
	assert_int_equal(failed, -ETIMEDOUT);
	ops->close(w->one);
	w->one = open_at(w, place, NULL);
}

static void what_a_server_says_of_its_bounds_is_checked(void **state)
{
	static const char *const sizes[] = {"-6777216", "    -1  ", "00000000", "nonsense"};
	struct world *w = *state;
	execute(w, "SET GLOBAL max_allowed_packet = 16777216");
	relay_to(w, &w->one, PATIENT_MS);
	for (size_t i = 0; i < sizeof(sizes) / sizeof(sizes[0]); i++) {
		relay_replace(w->relay, "16777216", sizes[i]);
		assert_int_equal(ops->begin(w->one, REGISTRY_READS, &w->err), -ENOTSUP);
		assert_non_null(strstr(w->err.text, "max_allowed_packet"));
		ops->rollback(w->one);
	}
	relay_replace(w->relay, "16777216", "99999999");
	begin(w, w->one);
	commit_well(w, w->one);
	ops->close(w->one);
	w->one = open_at(w, place, NULL);
}

static int ask_matches(struct world *w)
{
	const struct mailbox mailbox = {.owner = "alice", .folder = "new"};
	const struct mailbox *const asked[] = {&mailbox};
	return ops->match(w->one, asked, 1, on_no_match, NULL, &w->err);
}

static int ask_users(struct world *w)
{
	struct seen seen;
	return load(w, w->one, "alice", &seen);
}

static int ask_keys(struct world *w)
{
	struct seen seen = {0};
	const struct registry_key key = {0};
	return ops->load_keys(w->one, &key, 1, on_row, &seen, &w->err);
}

static int ask_lists(struct world *w)
{
	char names[64] = "";
	const struct registry_key key =
		registry_key_make(w->site, "alice", TOKEN, "account", "mail");
	return ops->load_lists(w->one, &key, 1, on_subscription, names, &w->err);
}

static int ask_totals(struct world *w)
{
	struct registry_totals totals;
	return ops->count(w->one, &totals, &w->err);
}

static int ask_round(struct world *w)
{
	struct registry_round round;
	return ops->load_round(w->one, &round, &w->err);
}

/* The relay changes what the server is asked, so that it answers something else. */
static void an_answer_without_its_columns_is_the_loss_of_the_connection(void **state)
{
	static const struct {
		int (*ask)(struct world *w);
		const char *asked;
		const char *instead;
		const char *what;
	} rows[] = {
		{ask_matches, "s.hash, r.id, ", "s.hash, /* */ ", "number of columns"},
		{ask_users, "SELECT r.username, ", "SELECT /*       */ ", "number of columns"},
		{ask_keys, "SELECT r.id, r.id, ", "SELECT r.id, /* */ ", "number of columns"},
		{ask_lists, "s.owner, s.folder", "s.owner/* older*/", "number of columns"},
		{ask_totals, "SELECT state, ", "SELECT /*  */ ", "number of columns"},
		{ask_round, "SELECT seen_ms, ", "SELECT 1, 1, 1, ", "number of columns"},
		{ask_round, "SELECT seen_ms, ", "DO 1; -- en_ms, ", "it has no columns"},
		{ask_round, "SELECT seen_ms, ", "DO 1; SELECT 1, ", "it has no columns"},
		{ask_round, " FOR UPDATE", "; DO 1     ", "not one answer"},
	};
	struct world *w = *state;
	put_well(w, "alice");
	begin(w, w->one);
	assert_int_equal(put_list(w, "new"), 0);
	commit_well(w, w->one);
	relay_to(w, &w->one, PATIENT_MS);
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		begin(w, w->one);
		relay_replace(w->relay, rows[i].asked, rows[i].instead);
		int failed = rows[i].ask(w);
		relay_replace(w->relay, "nothing", "nothing");
		ops->rollback(w->one);
		if (failed != -ENOTCONN || !strstr(w->err.text, "answer is malformed") ||
			!strstr(w->err.text, rows[i].what))
			fail_msg("%s: %d, %s", rows[i].instead, failed, w->err.text);
	}
	ops->close(w->one);
	w->one = open_at(w, place, NULL);
}

static void a_row_for_no_question_is_left_out(void **state)
{
	struct world *w = *state;
	put_well(w, "alice");
	begin(w, w->one);
	assert_int_equal(put_list(w, "new"), 0);
	commit_well(w, w->one);
	relay_to(w, &w->one, PATIENT_MS);
	begin(w, w->one);
	relay_replace(w->relay, "SELECT s.place, ", "SELECT NULL,    ");
	if (ask_matches(w) != 0)
		fail_msg("%s", w->err.text);
	assert_true(relay_has_replaced(w->relay));
	commit_well(w, w->one);
	ops->close(w->one);
	w->one = open_at(w, place, NULL);
}

static void a_commit_whose_answer_is_lost_is_done_again_in_peace(void **state)
{
	struct world *w = *state;
	relay_to(w, &w->one, PATIENT_MS);
	begin(w, w->one);
	assert_int_equal(put(w, w->one, "alice", NOW), 0);
	relay_lose_next_commit(w->relay);
	assert_int_equal(ops->commit(w->one, &w->err), -ENOTCONN);
	ops->rollback(w->one);
	/* The server had it before the connection was closed. */
	assert_int_equal(count(w), 1);
	put_well(w, "alice");
	assert_int_equal(count(w), 1);
	ops->close(w->one);
	w->one = open_at(w, place, NULL);
}

static void a_server_that_is_read_only_is_not_taken(void **state)
{
	struct world *w = *state;
	put_well(w, "alice");
	assert_int_equal(count(w), 1);
	execute(w, "SET GLOBAL read_only = 1");
	struct registry_db *third = open_at(w, place, NULL);
	int of_new = ops->begin(third, REGISTRY_READS, &w->err);
	ops->close(third);
	bool is_said = strstr(w->err.text, "read-only") != NULL;
	struct registry_totals totals;
	int of_old = ops->begin(w->other, REGISTRY_READS, &w->err);
	if (!of_old)
		of_old = ops->count(w->other, &totals, &w->err);
	ops->rollback(w->other);
	execute(w, "SET GLOBAL read_only = 0");
	assert_int_equal(of_new, -ENOTCONN);
	assert_true(is_said);
	assert_int_equal(of_old, -ENOTCONN);
	assert_non_null(strstr(w->err.text, "become read-only"));
	assert_int_equal(count(w), 1);
}

/* ProxySQL says so over a connection that stays, while it finds no writer. */
static void a_proxy_without_a_server_is_away(void **state)
{
	struct world *w = *state;
	put_well(w, "alice");
	execute(w,
		"CREATE TRIGGER proxy BEFORE INSERT ON mailpush_registration FOR EACH ROW"
		" SIGNAL SQLSTATE 'HY000' SET MYSQL_ERRNO = 9001,"
		" MESSAGE_TEXT = 'Max connect timeout reached while reaching hostgroup 0'");
	begin(w, w->one);
	int failed = put(w, w->one, "bob", NOW);
	if (!failed)
		failed = ops->commit(w->one, &w->err);
	ops->rollback(w->one);
	execute(w, "DROP TRIGGER proxy");
	assert_int_equal(failed, -ENOTCONN);
	put_well(w, "bob");
}

static void a_host_that_is_not_there_is_named(void **state)
{
	struct world *w = *state;
	struct registry_db *db = open_at(w, "//me@127.0.0.1:1,127.0.0.2:1/mail", NULL);
	assert_int_equal(ops->begin(db, REGISTRY_WRITES, &w->err), -ENOTCONN);
	assert_non_null(strstr(w->err.text, "127.0.0.2:1"));
	assert_int_equal(ops->begin(db, REGISTRY_WRITES, &w->err), -ENOTCONN);
	ops->close(db);
}

static void write_file(const char *path, const char *text)
{
	FILE *file = fopen(path, "w");
	assert_non_null(file);
	fputs(text, file);
	fclose(file);
}

static void a_password_comes_from_a_file_and_stands_in_no_text(void **state)
{
	struct world *w = *state;
	char path[64];
	snprintf(path, sizeof(path), "/tmp/mailpush-password-%ld", (long)getpid());
	execute(w, "CREATE OR REPLACE USER guarded@localhost IDENTIFIED BY 'right one'");
	execute(w, "GRANT ALL ON mailpush.* TO guarded@localhost");
	mem_auto char *at = mem_printf("//guarded@/%s?socket=%s", url->database, url->socket);
	write_file(path, "right one\n");
	struct registry_db *db = open_at(w, at, path);
	begin(w, db);
	commit_well(w, db);
	ops->close(db);

	write_file(path, "wrong one\n");
	db = open_at(w, at, path);
	assert_int_equal(ops->begin(db, REGISTRY_WRITES, &w->err), -EACCES);
	assert_null(strstr(w->err.text, "wrong one"));
	unlink(path);
	assert_int_equal(ops->begin(db, REGISTRY_WRITES, &w->err), -ENOTCONN);
	assert_non_null(strstr(w->err.text, path));
	ops->close(db);
	mem_auto char *with_options = mem_printf("%s&option_file=%s&option_group=db", at, path);
	write_file(path, "[db]\npassword=\"right one\"\n");
	db = open_at(w, with_options, NULL);
	begin(w, db);
	commit_well(w, db);
	ops->close(db);
	unlink(path);
}

/* The server lets it in, but takes nothing else of a connection whose password had expired. */
static void a_connection_whose_session_cannot_be_begun_is_not_kept(void **state)
{
	struct world *w = *state;
	execute(w, "CREATE OR REPLACE USER expired@localhost PASSWORD EXPIRE");
	execute(w, "GRANT ALL ON mailpush.* TO expired@localhost");
	mem_auto char *at = mem_printf("//expired@/%s?socket=%s", url->database, url->socket);
	struct registry_db *db = open_at(w, at, NULL);
	assert_int_equal(ops->begin(db, REGISTRY_WRITES, &w->err), -EACCES);
	assert_int_equal(ops->begin(db, REGISTRY_WRITES, &w->err), -EACCES);
	execute(w, "ALTER USER expired@localhost IDENTIFIED BY ''");
	begin(w, db);
	commit_well(w, db);
	ops->close(db);
}

/* A connection has the rights on its database that the user had when it was made. */
static void rights_that_are_given_later_are_noticed(void **state)
{
	struct world *w = *state;
	execute(w, "CREATE OR REPLACE USER poor@localhost");
	execute(w, "GRANT SELECT ON mailpush.* TO poor@localhost");
	mem_auto char *at = mem_printf("//poor@/%s?socket=%s", url->database, url->socket);
	struct registry_db *db = open_at(w, at, NULL);
	assert_int_equal(ops->begin(db, REGISTRY_WRITES, &w->err), -EACCES);
	execute(w, "GRANT ALL ON mailpush.* TO poor@localhost");
	begin(w, db);
	commit_well(w, db);
	ops->close(db);
}

static void a_pipe_in_the_place_of_a_file_is_refused_at_once(void **state)
{
	static const char *const names[] = {
		"option_file", "ssl_ca", "ssl_cert=/nowhere&ssl_key", "ssl_key=/nowhere&ssl_cert"};
	struct world *w = *state;
	char path[64];
	snprintf(path, sizeof(path), "/tmp/mailpush-pipe-%ld", (long)getpid());
	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
		mem_auto char *at = mem_printf("%s&%s=%s", place, names[i], path);
		struct registry_db *db = open_at(w, at, NULL);
		assert_int_equal(mkfifo(path, 0666), 0);
		assert_int_equal(ops->begin(db, REGISTRY_READS, &w->err), -ENOTCONN);
		assert_non_null(strstr(w->err.text, path));
		assert_non_null(strstr(w->err.text, "not a regular file"));
		unlink(path);
		ops->close(db);
	}
	mem_auto char *at = mem_printf("%s&option_file=%s", place, path);
	struct registry_db *db = open_at(w, at, NULL);
	assert_int_equal(mkfifo(path, 0666), 0);
	assert_int_equal(ops->begin(db, REGISTRY_READS, &w->err), -ENOTCONN);
	unlink(path);
	write_file(path, "[client]\n");
	begin(w, db);
	commit_well(w, db);
	ops->close(db);
	unlink(path);
}

static void what_is_more_than_the_server_takes_at_once_goes_in_parts(void **state)
{
	enum { ROWS = 1000 };
	struct world *w = *state;
	execute(w, "SET GLOBAL max_allowed_packet = 65536");
	ops->close(w->one);
	w->one = open_at(w, place, NULL);
	mem_auto struct registry_row *rows = mem_alloc_zero(ROWS, sizeof(*rows));
	mem_auto const char **users = mem_alloc_zero(ROWS, sizeof(*users));
	for (size_t i = 0; i < ROWS; i++) {
		char *user = mem_printf("user%0200zu", i);
		users[i] = user;
		rows[i] = (struct registry_row){
			.key = registry_key_make(w->site, user, TOKEN, "account", "mail"),
			.user = user,
			.token = TOKEN,
			.account_id = "account",
			.topic = "topic",
			.subtopic = "mail",
			.renewed_ms = NOW,
		};
	}
	begin(w, w->one);
	int failed = ops->put(w->one, rows, ROWS, &w->err);
	struct seen seen = {0};
	if (!failed)
		failed = ops->load_users(w->one, users, ROWS, on_row, &seen, &w->err);
	if (!failed)
		failed = ops->commit(w->one, &w->err);
	execute(w, "SET GLOBAL max_allowed_packet = 16777216");
	for (size_t i = 0; i < ROWS; i++)
		free((char *)users[i]);
	if (failed)
		fail_msg("%s", w->err.text);
	assert_int_equal(seen.rows, ROWS);
	assert_int_equal(count(w), ROWS);
}

static int64_t number(struct world *w, const char *sql)
{
	char text[32];
	ask(w, sql, text, sizeof(text));
	return atoll(text);
}

/* Phones of as many users, whose keys are numbers. */
static void crowd(struct world *w, unsigned count)
{
	mem_auto char *sql = mem_printf(
		"INSERT INTO mailpush_registration (id, site, username, device_token, account_id,"
		" topic, subtopic, aps_version, confirmed, inbox_only, is_nudged, created_ms,"
		" renewed_ms, suspended_ms, superseded_ms)"
		" SELECT UNHEX(LPAD(HEX(seq), 32, '0')), '%s', CONCAT('user', seq),"
		" LOWER(LPAD(HEX(seq), 64, '0')), 'account', 'topic', 'mail', 2, 1, 1, 0, 1, %lld, "
		"0, 0"
		" FROM seq_1_to_%u",
		w->site, (long long)NOW, count);
	execute(w, sql);
}

static void empty(struct world *w)
{
	execute(w, "DELETE FROM mailpush_forgotten");
	execute(w, "DELETE FROM mailpush_registration");
}

static int remove_crowd(struct world *w, uint64_t first, size_t count)
{
	const struct registry_end end = {.why = REGISTRY_WHY_REMOVED, .at_ms = NOW};
	mem_auto struct registry_key *keys = mem_alloc_zero(count, sizeof(*keys));
	for (size_t i = 0; i < count; i++) {
		uint64_t wire = htobe64(first + i);
		memcpy(keys[i].bytes + 8, &wire, sizeof(wire));
	}
	return ops->remove(w->one, keys, count, &end, &w->err);
}

static void a_flood_of_phones_that_go_leaves_so_many_tombstones_only(void **state)
{
	struct world *w = *state;
	const size_t at_once = 500;
	put_well(w, "alice"); /* the tables are there */
	mem_auto char *tombstones = mem_printf(
		"INSERT INTO mailpush_forgotten (registration, site, username, device_token,"
		" account_id, topic, renewed_ms, at_ms, why, status, reason)"
		" SELECT UNHEX(CONCAT('ff', LPAD(HEX(seq), 30, '0'))), '%s', CONCAT('gone', seq),"
		" 'token', 'account', 'topic', 0, %lld, 'removed', 0, '' FROM seq_1_to_%d",
		w->site, (long long)NOW, REGISTRY_TOMBSTONES_MAX);
	execute(w, tombstones);
	crowd(w, (unsigned)(25 * at_once));
	for (size_t i = 0; i < 25; i++) {
		begin(w, w->one);
		if (remove_crowd(w, 1 + i * at_once, at_once))
			fail_msg("%s", w->err.text);
		commit_well(w, w->one);
	}
	mem_auto char *how_many =
		mem_printf("SELECT count(*) FROM mailpush_forgotten WHERE site = '%s'", w->site);
	assert_int_in_range(number(w, how_many), REGISTRY_TOMBSTONES_MAX,
		REGISTRY_TOMBSTONES_MAX + REGISTRY_TOMBSTONES_MAX / 10);
	empty(w);
}

static int64_t rows_read(struct world *w)
{
	return number(w,
		"SELECT SUM(variable_value) FROM information_schema.global_status"
		" WHERE variable_name IN ('HANDLER_READ_NEXT', 'HANDLER_READ_RND_NEXT',"
		" 'HANDLER_READ_PREV')");
}

static void on_gone(void *ctx, size_t index, const struct registry_key *key)
{
	size_t *gone = ctx;
	(void)index;
	(void)key;
	(*gone)++;
}

static int forget_one(struct world *w)
{
	const struct registry_token_change change = {
		.token = "0000000000000000000000000000000000000000000000000000000000001388",
		.topic = "topic",
		.before_ms = NOW + 1,
		.end = {.why = REGISTRY_WHY_APPLE, .at_ms = NOW}};
	size_t gone = 0;
	int failed = ops->change_tokens(w->one, &change, 1, on_gone, &gone, &w->err);
	assert_true(failed || gone == 1);
	return failed;
}

/* The tables have no statistics that tell of the crowd. */
static void what_concerns_a_few_does_not_read_all(void **state)
{
	struct world *w = *state;
	put_well(w, "alice");
	crowd(w, 10000);
	begin(w, w->one);
	int64_t before = rows_read(w);
	int failed = ops->put_right(w->one, NOW + 1, NOW, &w->err);
	failed = failed ? failed : remove_crowd(w, 1, 3);
	failed = failed ? failed : forget_one(w);
	struct seen seen;
	failed = failed ? failed : load(w, w->one, "user17", &seen);
	if (failed)
		fail_msg("%s", w->err.text);
	assert_int_in_range(rows_read(w) - before, 0, 1000);
	commit_well(w, w->one);
	empty(w);
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

static void tables_that_go_under_a_connection_are_made_again(void **state)
{
	struct world *w = *state;
	struct seen seen;
	put_well(w, "alice");
	drop_tables(w);
	begin(w, w->one);
	assert_int_equal(load(w, w->one, "alice", &seen), -ENOTSUP);
	ops->rollback(w->one);
	put_well(w, "alice");
	assert_int_equal(count(w), 1);
}

/* The registry does it again then. */
static bool is_conflict(int failed)
{
	return failed == -EAGAIN || failed == -EEXIST;
}

static void *begin_other(void *of)
{
	struct world *w = of;
	struct err err;
	int failed;
	while (is_conflict(failed = ops->begin(w->other, REGISTRY_WRITES, &err)))
		ops->rollback(w->other);
	return (void *)(intptr_t)failed;
}

static void two_that_begin_at_once_make_the_tables_together(void **state)
{
	struct world *w = *state;
	drop_tables(w);
	pthread_t thread;
	assert_int_equal(pthread_create(&thread, NULL, begin_other, w), 0);
	int failed;
	while (is_conflict(failed = ops->begin(w->one, REGISTRY_WRITES, &w->err)))
		ops->rollback(w->one);
	void *of_other;
	pthread_join(thread, &of_other);
	if (failed)
		fail_msg("%s", w->err.text);
	assert_int_equal((int)(intptr_t)of_other, 0);
	ops->rollback(w->one);
	ops->rollback(w->other);
	put_well(w, "alice");
	assert_int_equal(count(w), 1);
}

static void one_that_comes_while_tables_are_made_waits(void **state)
{
	struct world *w = *state;
	put_well(w, "alice");
	wait_for_no_lock(w, &w->other);
	execute(w, "UPDATE mailpush_schema SET version = 0");
	execute(w, "START TRANSACTION");
	execute(w, "SELECT version FROM mailpush_schema FOR UPDATE");
	assert_int_equal(ops->begin(w->other, REGISTRY_WRITES, &w->err), -EAGAIN);
	assert_true(relay_has_replaced(w->relay));
	execute(w, "ROLLBACK");
	assert_int_equal(ops->begin(w->other, REGISTRY_WRITES, &w->err), 0);
	ops->rollback(w->other);
	char version[16];
	ask(w, "SELECT version FROM mailpush_schema", version, sizeof(version));
	assert_string_equal(version, "1");
}

static void tables_that_another_began_to_make_are_completed(void **state)
{
	struct world *w = *state;
	put_well(w, "alice");
	execute(w, "UPDATE mailpush_schema SET version = 0");
	execute(w, "DROP TABLE mailpush_subscription, mailpush_forgotten");
	assert_int_equal(ops->begin(w->other, REGISTRY_WRITES, &w->err), 0);
	ops->rollback(w->other);
	assert_int_equal(count(w), 1);
}

static void tables_made_of_the_text_are_taken_as_they_are(void **state)
{
	struct world *w = *state;
	mem_auto char *text = mariadb_schema_text();
	drop_tables(w);
	char *rest = NULL;
	for (char *sql = strtok_r(text, ";\n", &rest); sql; sql = strtok_r(NULL, ";\n", &rest))
		execute(w, sql);
	put_well(w, "alice");
	assert_int_equal(count(w), 1);
}

#define RULE(test) cmocka_unit_test_setup_teardown(test, set_up, tear_down)

int main(int argc, char **argv)
{
	struct err err;
	if (argc < 2)
		return 77;
	place = strchr(argv[1], ':') + 1;
	if (mariaurl_new(place, &url, &err))
		return 1;
	const struct CMUnitTest tests[] = {
		RULE(a_rollback_leaves_nothing),
		RULE(one_of_two_writers_in_conflict_is_to_be_done_again),
		RULE(whoever_waits_for_a_lock_too_long_is_in_conflict),
		RULE(two_that_register_the_first_phone_of_a_user_see_each_other),
		RULE(a_look_for_times_of_a_wrong_clock_keeps_nobody_from_registering),
		RULE(an_older_write_never_undoes_a_newer_one),
		RULE(what_was_renewed_since_it_was_read_is_not_removed),
		RULE(an_older_list_never_replaces_a_newer_one),
		RULE(a_batch_that_writes_reads_what_it_locks),
		RULE(a_batch_that_only_reads_sees_one_state),
		RULE(a_connection_cut_in_the_middle_leaves_nothing_and_is_made_again),
		RULE(a_statement_that_hangs_is_given_up),
		RULE(a_server_that_stands_still_is_given_up_and_found_again),
		RULE(no_wait_lasts_longer_than_the_registry),
		RULE(a_server_that_reads_nothing_is_left_in_time),
		RULE(what_a_server_says_of_its_bounds_is_checked),
		RULE(an_answer_without_its_columns_is_the_loss_of_the_connection),
		RULE(a_row_for_no_question_is_left_out),
		RULE(a_commit_whose_answer_is_lost_is_done_again_in_peace),
		RULE(a_server_that_is_read_only_is_not_taken),
		RULE(a_proxy_without_a_server_is_away),
		RULE(a_host_that_is_not_there_is_named),
		RULE(a_password_comes_from_a_file_and_stands_in_no_text),
		RULE(a_connection_whose_session_cannot_be_begun_is_not_kept),
		RULE(rights_that_are_given_later_are_noticed),
		RULE(a_pipe_in_the_place_of_a_file_is_refused_at_once),
		RULE(what_is_more_than_the_server_takes_at_once_goes_in_parts),
		RULE(a_flood_of_phones_that_go_leaves_so_many_tombstones_only),
		RULE(what_concerns_a_few_does_not_read_all),
		RULE(a_schema_that_is_newer_is_left_alone),
		RULE(tables_that_go_under_a_connection_are_made_again),
		RULE(two_that_begin_at_once_make_the_tables_together),
		RULE(one_that_comes_while_tables_are_made_waits),
		RULE(tables_that_another_began_to_make_are_completed),
		RULE(tables_made_of_the_text_are_taken_as_they_are),
	};
	int failed = cmocka_run_group_tests(tests, NULL, NULL);
	mariaurl_free(url);
	return failed;
}

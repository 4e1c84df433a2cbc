/* What is SQLite's alone: the file, its schema, its locks. */
#include "base/clock.h"
#include "base/mem.h"
#include "registry/batch.h"
#include "registry/registry.h"
#include "sqlite/schema.h"
#include "sqlite/sqlite.h"
#include "sqlite/sqlite_file.h"

#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <sqlite3.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#define NOW (INT64_C(20000) * CLOCK_DAY_MS)
#define TOKEN "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"

struct world {
	char folder[64];
	char path[128];
	struct registry_settings settings;
	struct registry_store *store;
	struct err err;
};

static int set_up(void **state)
{
	struct world *w = mem_alloc_zero(1, sizeof(*w));
	strcpy(w->folder, "/tmp/mailpush-sqlite-XXXXXX");
	assert_non_null(mkdtemp(w->folder));
	snprintf(w->path, sizeof(w->path), "%s/registry.sqlite", w->folder);
	w->settings = (struct registry_settings){
		.ops = &sqlite_ops,
		.place = w->path,
		.site = "here",
		.registration_ttl_ms = 30 * CLOCK_DAY_MS,
		.deleted_user_grace_ms = 7 * CLOCK_DAY_MS,
		.registrations_per_user = 64,
	};
	*state = w;
	return 0;
}

static int tear_down(void **state)
{
	struct world *w = *state;
	registry_store_close(w->store);
	static const char *const ends[] = {"", "-wal", "-shm", "-journal"};
	for (size_t i = 0; i < sizeof(ends) / sizeof(ends[0]); i++) {
		mem_auto char *path = mem_printf("%s%s", w->path, ends[i]);
		if (unlink(path) != 0)
			rmdir(path);
	}
	rmdir(w->folder);
	free(w);
	return 0;
}

static int open_store(struct world *w)
{
	return registry_store_open(&w->settings, &w->store, &w->err);
}

static void open_well(struct world *w)
{
	if (open_store(w) != 0)
		fail_msg("%s", w->err.text);
}

static sqlite3 *open_beside(const char *path)
{
	sqlite3 *db = NULL;
	assert_int_equal(sqlite3_open(path, &db), SQLITE_OK);
	return db;
}

static void execute(sqlite3 *db, const char *sql)
{
	char *text = NULL;
	if (sqlite3_exec(db, sql, NULL, NULL, &text) != SQLITE_OK)
		fail_msg("%s: %s", sql, text);
}

static int64_t number(sqlite3 *db, const char *sql)
{
	sqlite3_stmt *query = NULL;
	assert_int_equal(sqlite3_prepare_v2(db, sql, -1, &query, NULL), SQLITE_OK);
	assert_int_equal(sqlite3_step(query), SQLITE_ROW);
	int64_t value = sqlite3_column_int64(query, 0);
	sqlite3_finalize(query);
	return value;
}

static void write_file(const char *path, const char *text)
{
	FILE *file = fopen(path, "w");
	assert_non_null(file);
	fputs(text, file);
	fclose(file);
}

/* A registration of alice's INBOX under `name`, and news of it. */
struct pair {
	struct mail_event event;
	struct registry_subscription box;
	struct registry_job renewal;
	struct registry_job news;
	struct job_list batch;
};

static void make_pair(struct pair *pair, const char *name)
{
	*pair = (struct pair){
		.event =
			{
				.registration =
					{
						.user = "alice",
						.token = TOKEN,
						.account_id = "one",
						.subtopic = "com.apple.mobilemail",
						.aps_version = 2,
					},
				.at = {{.owner = "alice", .folder = ""}},
				.readings = 1,
			},
		.box = {.name = name,
			.owner = "alice",
			.folder = "",
			.hash = "0123456789abcdef0123456789abcdef"},
	};
	pair->renewal = (struct registry_job){
		.kind = REGISTRY_REGISTER,
		.received_ms = NOW,
		.event = &pair->event,
		.subscriptions = &pair->box,
		.subscription_count = 1,
		.topic = "com.apple.mail.XServer.one",
	};
	pair->news = (struct registry_job){
		.kind = REGISTRY_NEWS,
		.received_ms = NOW,
		.event = &pair->event,
	};
	job_list_init(&pair->batch);
}

static void free_pair(struct pair *pair)
{
	registry_job_fini(&pair->renewal);
	registry_job_fini(&pair->news);
}

/* The file. */

static void a_new_file_is_not_for_everybodys_eyes(void **state)
{
	struct world *w = *state;
	mode_t before = umask(0);
	open_well(w);
	umask(before);
	struct stat file;
	assert_int_equal(stat(w->path, &file), 0);
	assert_int_equal(file.st_mode & 0777, 0640);
}

static void a_missing_folder_is_named_with_its_remedy(void **state)
{
	struct world *w = *state;
	w->settings.place = "/nonexistent/folder/registry.sqlite";
	assert_int_equal(open_store(w), -ENOENT);
	assert_non_null(strstr(w->err.text, "'/nonexistent/folder/registry.sqlite'"));
	assert_non_null(strstr(w->err.text, "make its folder"));
}

static void a_file_that_is_no_database_is_left_alone(void **state)
{
	struct world *w = *state;
	static const char text[] = "this is a letter to my grandmother, not a database\n";
	write_file(w->path, text);
	assert_int_equal(open_store(w), -EINVAL);
	assert_non_null(strstr(w->err.text, w->path));
	assert_non_null(strstr(w->err.text, "not an SQLite database"));
	struct stat file;
	assert_int_equal(stat(w->path, &file), 0);
	assert_int_equal(file.st_size, sizeof(text) - 1);
}

static void a_database_of_another_program_is_left_alone(void **state)
{
	struct world *w = *state;
	sqlite3 *db = open_beside(w->path);
	execute(db, "CREATE TABLE letters (text)");
	assert_int_equal(open_store(w), -EINVAL);
	assert_non_null(strstr(w->err.text, "another program's"));
	assert_int_equal(number(db, "SELECT count(*) FROM sqlite_schema"), 1);
	assert_int_equal(number(db, "PRAGMA user_version"), 0);
	sqlite3_close(db);
}

static void a_folder_in_its_place_is_an_error(void **state)
{
	struct world *w = *state;
	assert_int_equal(mkdir(w->path, 0700), 0);
	assert_true(open_store(w) < 0);
	assert_non_null(strstr(w->err.text, w->path));
}

static void a_file_that_may_not_be_written_is_named_with_its_remedy(void **state)
{
	struct world *w = *state;
	open_well(w);
	registry_store_close(w->store);
	w->store = NULL;
	assert_int_equal(chmod(w->folder, 0755), 0);
	assert_int_equal(chmod(w->path, 0444), 0);
	uid_t me = geteuid();
	if (me == 0)
		assert_int_equal(seteuid(65534), 0);
	int result = open_store(w);
	if (me == 0)
		assert_int_equal(seteuid(me), 0);
	assert_int_equal(result, -EACCES);
	assert_non_null(strstr(w->err.text, w->path));
	assert_non_null(strstr(w->err.text, "must be able to write"));
}

/* The schema. */

static void a_newer_schema_is_refused_and_both_versions_are_reported(void **state)
{
	struct world *w = *state;
	open_well(w);
	registry_store_close(w->store);
	w->store = NULL;
	sqlite3 *db = open_beside(w->path);
	execute(db, "PRAGMA user_version = 77");
	assert_int_equal(open_store(w), -ENOTSUP);
	mem_auto char *known = mem_printf("versions up to %zu", (size_t)SCHEMA_STEPS);
	assert_non_null(strstr(w->err.text, "version 77"));
	assert_non_null(strstr(w->err.text, known));
	assert_int_equal(number(db, "PRAGMA user_version"), 77);
	sqlite3_close(db);
}

/* Opens the file with the first `count` of steps that are made up. */
static int open_with(struct world *w, const char *const *steps, size_t count)
{
	const struct sqlite_file_kind kind = {.name = "letters",
		.application_id = 4711,
		.steps = steps,
		.step_count = count,
		.mode = 0600,
		.before = "",
		.pragmas = ""};
	struct sqlite_file file;
	int failed = sqlite_file_open(&file, &kind, w->path, &w->err);
	if (!failed)
		failed = sqlite_file_prepare(&file, &w->err);
	sqlite_file_close(&file);
	return failed;
}

static void an_older_schema_is_brought_up_to_date_with_its_rows(void **state)
{
	struct world *w = *state;
	static const char *const steps[] = {
		"CREATE TABLE letters (text); INSERT INTO letters VALUES ('dear');",
		"ALTER TABLE letters ADD COLUMN sent INTEGER NOT NULL DEFAULT 3;",
	};
	sqlite3 *db = open_beside(w->path);
	assert_int_equal(open_with(w, steps, 1), 0);
	assert_int_equal(number(db, "PRAGMA user_version"), 1);
	assert_int_equal(number(db, "PRAGMA application_id"), 4711);
	assert_int_equal(open_with(w, steps, 2), 0);
	assert_int_equal(number(db, "PRAGMA user_version"), 2);
	assert_int_equal(number(db, "SELECT sent FROM letters WHERE text = 'dear'"), 3);
	assert_int_equal(open_with(w, steps, 2), 0);
	assert_int_equal(number(db, "SELECT count(*) FROM letters"), 1);
	assert_int_equal(open_with(w, steps, 1), -ENOTSUP);
	sqlite3_close(db);
}

static void a_step_that_fails_leaves_the_older_schema(void **state)
{
	struct world *w = *state;
	static const char *const broken[] = {
		"CREATE TABLE letters (text);",
		"CREATE TABLE envelopes (text); CREATE TABLE letters (text);",
	};
	sqlite3 *db = open_beside(w->path);
	assert_int_equal(open_with(w, broken, 1), 0);
	assert_true(open_with(w, broken, 2) < 0);
	assert_non_null(strstr(w->err.text, w->path));
	assert_int_equal(number(db, "PRAGMA user_version"), 1);
	assert_int_equal(number(db, "SELECT count(*) FROM sqlite_schema"), 1);
	sqlite3_close(db);
}

static void a_new_file_has_a_write_ahead_log(void **state)
{
	struct world *w = *state;
	open_well(w);
	sqlite3 *db = open_beside(w->path);
	sqlite3_stmt *query = NULL;
	assert_int_equal(
		sqlite3_prepare_v2(db, "PRAGMA journal_mode", -1, &query, NULL), SQLITE_OK);
	assert_int_equal(sqlite3_step(query), SQLITE_ROW);
	assert_string_equal((const char *)sqlite3_column_text(query, 0), "wal");
	sqlite3_finalize(query);
	sqlite3_close(db);
}

/* Batches that fail, and neighbours. */

static void a_locked_file_fails_the_batch_which_then_can_be_done_again(void **state)
{
	struct world *w = *state;
	open_well(w);
	sqlite3 *db = open_beside(w->path);
	execute(db, "BEGIN IMMEDIATE");
	struct pair pair;
	make_pair(&pair, "INBOX");
	job_list_append(&pair.batch, &pair.renewal.job);
	job_list_append(&pair.batch, &pair.news.job);
	assert_int_equal(registry_store_run(w->store, &pair.batch, &w->err), -EBUSY);
	assert_non_null(strstr(w->err.text, w->path));
	assert_int_equal(pair.renewal.status, -ECANCELED);
	execute(db, "ROLLBACK");
	sqlite3_close(db);
	assert_int_equal(registry_store_run(w->store, &pair.batch, &w->err), 0);
	assert_int_equal(pair.renewal.status, 0);
	assert_true(pair.renewal.is_new);
	assert_int_equal(pair.news.match_count, 1);
	free_pair(&pair);
}

static void a_batch_that_fails_in_the_middle_leaves_nothing_behind(void **state)
{
	struct world *w = *state;
	open_well(w);
	sqlite3 *db = open_beside(w->path);
	execute(db,
		"CREATE TRIGGER broken BEFORE INSERT ON subscription WHEN new.name = 'bad'"
		" BEGIN SELECT raise(ABORT, 'the disk has a hole'); END");
	struct pair good;
	struct pair bad;
	make_pair(&good, "INBOX");
	make_pair(&bad, "bad");
	bad.event.registration.account_id = "two";
	job_list_append(&good.batch, &good.renewal.job);
	job_list_append(&good.batch, &good.news.job);
	job_list_append(&good.batch, &bad.renewal.job);
	assert_int_equal(registry_store_run(w->store, &good.batch, &w->err), -EIO);
	assert_non_null(strstr(w->err.text, "the disk has a hole"));
	assert_int_equal(good.renewal.match_count, 0);
	assert_false(good.renewal.is_new);
	assert_int_equal(good.news.match_count, 0);
	assert_int_equal(good.news.status, -ECANCELED);
	assert_int_equal(number(db, "SELECT count(*) FROM registration"), 0);

	execute(db, "DROP TRIGGER broken");
	assert_int_equal(registry_store_run(w->store, &good.batch, &w->err), 0);
	assert_int_equal(good.news.match_count, 1);
	assert_true(bad.renewal.is_new);
	assert_int_equal(number(db, "SELECT count(*) FROM registration"), 2);
	sqlite3_close(db);
	free_pair(&good);
	free_pair(&bad);
}

static void news_alone_needs_no_lock_for_writing(void **state)
{
	struct world *w = *state;
	open_well(w);
	struct pair pair;
	make_pair(&pair, "INBOX");
	job_list_append(&pair.batch, &pair.renewal.job);
	assert_int_equal(registry_store_run(w->store, &pair.batch, &w->err), 0);
	sqlite3 *db = open_beside(w->path);
	execute(db, "BEGIN IMMEDIATE");
	job_list_init(&pair.batch);
	job_list_append(&pair.batch, &pair.news.job);
	assert_int_equal(registry_store_run(w->store, &pair.batch, &w->err), 0);
	assert_int_equal(pair.news.match_count, 1);
	sqlite3_close(db);
	free_pair(&pair);
}

static void a_reader_beside_us_is_no_hindrance_and_keeps_its_view(void **state)
{
	struct world *w = *state;
	open_well(w);
	sqlite3 *db = open_beside(w->path);
	execute(db, "BEGIN");
	assert_int_equal(number(db, "SELECT count(*) FROM registration"), 0);
	struct pair pair;
	make_pair(&pair, "INBOX");
	job_list_append(&pair.batch, &pair.renewal.job);
	assert_int_equal(registry_store_run(w->store, &pair.batch, &w->err), 0);
	assert_int_equal(number(db, "SELECT count(*) FROM registration"), 0);
	execute(db, "COMMIT");
	assert_int_equal(number(db, "SELECT count(*) FROM registration"), 1);
	sqlite3_close(db);
	free_pair(&pair);
}

/* One batch with the file `end` away, one with another in its place, one when it is back. */
static void try_without(struct world *w, struct registry_job *job, const char *end)
{
	struct job_list batch;
	job_list_init(&batch);
	job_list_append(&batch, &job->job);
	mem_auto char *path = mem_printf("%s%s", w->path, end);
	mem_auto char *away = mem_printf("%s/away", w->folder);
	assert_int_equal(rename(path, away), 0);
	assert_int_equal(registry_store_run(w->store, &batch, &w->err), -ESTALE);
	assert_non_null(strstr(w->err.text, path));
	assert_non_null(strstr(w->err.text, "removed or replaced"));
	assert_int_equal(job->status, -ECANCELED);
	assert_int_equal(job->match_count, 0);
	write_file(path, "another");
	assert_int_equal(registry_store_run(w->store, &batch, &w->err), -ESTALE);
	assert_int_equal(rename(away, path), 0);
	assert_int_equal(registry_store_run(w->store, &batch, &w->err), 0);
	assert_int_equal(job->match_count, 1);
}

static void a_file_that_was_removed_or_replaced_fails_each_batch_until_it_is_back(void **state)
{
	struct world *w = *state;
	open_well(w);
	struct pair pair;
	make_pair(&pair, "INBOX");
	try_without(w, &pair.renewal, "");
	assert_true(pair.renewal.is_new);
	try_without(w, &pair.renewal, "-wal");
	try_without(w, &pair.renewal, "-shm");
	free_pair(&pair);
}

static void a_file_that_was_removed_or_replaced_fails_news_as_well(void **state)
{
	struct world *w = *state;
	open_well(w);
	struct pair pair;
	make_pair(&pair, "INBOX");
	job_list_append(&pair.batch, &pair.renewal.job);
	job_list_append(&pair.batch, &pair.news.job);
	assert_int_equal(registry_store_run(w->store, &pair.batch, &w->err), 0);
	try_without(w, &pair.news, "");
	free_pair(&pair);
}

static void a_registration_that_nobody_could_be_pushed_to_is_left_out(void **state)
{
	static const char *const edits[] = {
		"UPDATE registration SET account_id = ''",
		"UPDATE registration SET account_id = hex(zeroblob(33))",
		"UPDATE registration SET account_id = 'one', device_token = ''",
	};
	struct world *w = *state;
	open_well(w);
	struct pair pair;
	make_pair(&pair, "INBOX");
	job_list_append(&pair.batch, &pair.renewal.job);
	assert_int_equal(registry_store_run(w->store, &pair.batch, &w->err), 0);
	sqlite3 *db = open_beside(w->path);
	for (size_t i = 0; i < sizeof(edits) / sizeof(edits[0]); i++) {
		execute(db, edits[i]);
		struct job_list batch;
		job_list_init(&batch);
		job_list_append(&batch, &pair.news.job);
		assert_int_equal(registry_store_run(w->store, &batch, &w->err), 0);
		assert_int_equal(pair.news.match_count, 0);
	}
	execute(db, "UPDATE registration SET device_token = '" TOKEN "'");
	struct job_list batch;
	job_list_init(&batch);
	job_list_append(&batch, &pair.news.job);
	assert_int_equal(registry_store_run(w->store, &batch, &w->err), 0);
	assert_int_equal(pair.news.match_count, 1);
	sqlite3_close(db);
	free_pair(&pair);
}

static void a_lock_by_ourselves_is_thought_of(void **state)
{
	struct world *w = *state;
	sqlite3 *db = open_beside(w->path);
	execute(db, "BEGIN IMMEDIATE");
	assert_int_equal(open_store(w), -EBUSY);
	assert_non_null(strstr(w->err.text, "the same file is set for `registry` and `queue`"));
	sqlite3_close(db);
}

static void run_one(struct world *w, struct registry_job *job)
{
	struct job_list batch;
	job_list_init(&batch);
	job_list_append(&batch, &job->job);
	if (registry_store_run(w->store, &batch, &w->err))
		fail_msg("%s", w->err.text);
	registry_job_fini(job);
}

static size_t read_whole(const char *path, char *ret, size_t room)
{
	FILE *file = fopen(path, "r");
	assert_non_null(file);
	size_t size = fread(ret, 1, room, file);
	fclose(file);
	assert_int_in_range(size, 2 * 4096, room - 1);
	return size;
}

/* What a bad sector is to the map, a page that the file has no more is as well. */
static void a_page_that_the_disk_cannot_read_fails_the_batch_until_it_can(void **state)
{
	struct world *w = *state;
	static char whole[1024 * 1024];
	struct pair pair;
	make_pair(&pair, "INBOX");
	open_well(w);
	run_one(w, &pair.renewal);
	registry_store_close(w->store);
	open_well(w);
	/* The size is in the log from here on, and the file is not asked for it. */
	run_one(w, &(struct registry_job){.kind = REGISTRY_TIDY, .received_ms = NOW});
	size_t size = read_whole(w->path, whole, sizeof(whole));
	assert_int_equal(truncate(w->path, 4096), 0);

	job_list_append(&pair.batch, &pair.news.job);
	assert_int_equal(registry_store_run(w->store, &pair.batch, &w->err), -EIO);
	assert_non_null(strstr(w->err.text, "the disk cannot read some of it"));
	assert_int_equal(pair.news.match_count, 0);

	FILE *file = fopen(w->path, "r+");
	assert_non_null(file);
	assert_int_equal(fwrite(whole, 1, size, file), size);
	fclose(file);
	assert_int_equal(registry_store_run(w->store, &pair.batch, &w->err), 0);
	assert_int_equal(pair.news.match_count, 1);
	free_pair(&pair);
}

static void removed_registrations_leave_no_subscriptions_behind(void **state)
{
	struct world *w = *state;
	open_well(w);
	struct pair pair;
	make_pair(&pair, "INBOX");
	struct registry_job forget = {
		.kind = REGISTRY_FORGET,
		.token = TOKEN,
		.topic = "com.apple.mail.XServer.one",
		.before_ms = NOW + 1,
	};
	job_list_append(&pair.batch, &pair.renewal.job);
	job_list_append(&pair.batch, &forget.job);
	assert_int_equal(registry_store_run(w->store, &pair.batch, &w->err), 0);
	sqlite3 *db = open_beside(w->path);
	assert_int_equal(number(db, "SELECT count(*) FROM subscription"), 0);
	sqlite3_close(db);
	registry_job_fini(&forget);
	free_pair(&pair);
}

static int commit_and_doubt(struct registry_db *db, struct err *err)
{
	if (sqlite_ops.commit(db, err) != 0)
		fail_msg("%s", err->text);
	return err_set(err, -EIO, "the disk does not say whether it has it");
}

/* Then what follows may be all that is missing. */
static void a_registration_whose_commit_may_have_failed_is_done_again(void **state)
{
	struct world *w = *state;
	struct registry_ops doubtful = sqlite_ops;
	doubtful.commit = commit_and_doubt;
	struct registry_db *db = NULL;
	assert_int_equal(sqlite_ops.open(w->path, &w->settings, &db, &w->err), 0);
	w->store = registry_store_of(db, &w->settings);
	struct pair pair;
	make_pair(&pair, "INBOX");
	/* The first batch brings one of its own that finds out who sleeps. */
	assert_int_equal(registry_store_run_at(w->store, &pair.batch, NOW, &w->err), 0);
	db->ops = &doubtful;
	job_list_append(&pair.batch, &pair.renewal.job);
	assert_int_equal(registry_store_run_at(w->store, &pair.batch, NOW, &w->err), -EIO);
	db->ops = &sqlite_ops;
	assert_int_equal(registry_store_run_at(w->store, &pair.batch, NOW, &w->err), 0);
	assert_true(pair.renewal.is_again);
	free_pair(&pair);
}

/* As if all the others had gone in between. */
static void no_more_tombstones_stay_than_so_many_in_all(void **state)
{
	struct world *w = *state;
	open_well(w);
	sqlite3 *db = open_beside(w->path);
	execute(db,
		"INSERT INTO forgotten SELECT NULL, x'01', 1, 'first', '', '', '', 1, 1, 'apple', "
		"0, ''");
	mem_auto char *gap = mem_printf("INSERT INTO forgotten SELECT %d, x'02', 1, 'last', '', "
					"'', '', 1, 1, 'apple', 0, ''",
		REGISTRY_TOMBSTONES_MAX);
	execute(db, gap);
	assert_int_equal(number(db, "SELECT count(*) FROM forgotten"), 2);
	execute(db,
		"INSERT INTO forgotten SELECT NULL, x'03', 1, 'more', '', '', '', 1, 1, 'apple', "
		"0, ''");
	assert_int_equal(number(db, "SELECT count(*) FROM forgotten"), 2);
	assert_int_equal(number(db, "SELECT count(*) FROM forgotten WHERE user = 'first'"), 0);
	sqlite3_close(db);
}

static bool log_has(const struct world *w, const char *text)
{
	mem_auto char *path = mem_printf("%s-wal", w->path);
	FILE *file = fopen(path, "r");
	assert_non_null(file);
	static char bytes[1 << 20];
	size_t size = fread(bytes, 1, sizeof(bytes), file);
	fclose(file);
	return memmem(bytes, size, text, strlen(text));
}

static void remove_alice(struct world *w)
{
	static const struct registry_query alice = {.user = "alice", .limit = 100};
	struct registry_job job = {
		.kind = REGISTRY_REMOVE_USER, .received_ms = NOW + 1, .query = &alice};
	run_one(w, &job);
}

static void register_alice(struct world *w)
{
	struct pair pair;
	make_pair(&pair, "INBOX");
	run_one(w, &pair.renewal);
	registry_job_fini(&pair.news);
	assert_true(log_has(w, TOKEN));
}

static void nothing_of_a_removed_user_stays_in_the_log(void **state)
{
	struct world *w = *state;
	open_well(w);
	register_alice(w);
	remove_alice(w);
	assert_false(log_has(w, TOKEN));
}

static void a_reader_keeps_a_removed_user_in_the_log_until_housekeeping(void **state)
{
	struct world *w = *state;
	open_well(w);
	register_alice(w);
	sqlite3 *db = open_beside(w->path);
	execute(db, "BEGIN");
	assert_int_equal(number(db, "SELECT count(*) FROM registration"), 1);
	remove_alice(w);
	assert_true(log_has(w, TOKEN));
	execute(db, "COMMIT");
	sqlite3_close(db);
	struct registry_job tidy = {.kind = REGISTRY_TIDY, .received_ms = NOW + 2};
	run_one(w, &tidy);
	assert_false(log_has(w, TOKEN));
}

#define TEST(test) cmocka_unit_test_setup_teardown(test, set_up, tear_down)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(a_registration_whose_commit_may_have_failed_is_done_again),
		TEST(a_new_file_is_not_for_everybodys_eyes),
		TEST(a_missing_folder_is_named_with_its_remedy),
		TEST(a_file_that_is_no_database_is_left_alone),
		TEST(a_database_of_another_program_is_left_alone),
		TEST(a_folder_in_its_place_is_an_error),
		TEST(a_file_that_may_not_be_written_is_named_with_its_remedy),
		TEST(a_newer_schema_is_refused_and_both_versions_are_reported),
		TEST(an_older_schema_is_brought_up_to_date_with_its_rows),
		TEST(a_step_that_fails_leaves_the_older_schema),
		TEST(a_new_file_has_a_write_ahead_log),
		TEST(a_locked_file_fails_the_batch_which_then_can_be_done_again),
		TEST(a_batch_that_fails_in_the_middle_leaves_nothing_behind),
		TEST(news_alone_needs_no_lock_for_writing),
		TEST(a_reader_beside_us_is_no_hindrance_and_keeps_its_view),
		TEST(a_file_that_was_removed_or_replaced_fails_each_batch_until_it_is_back),
		TEST(a_file_that_was_removed_or_replaced_fails_news_as_well),
		TEST(a_registration_that_nobody_could_be_pushed_to_is_left_out),
		TEST(a_lock_by_ourselves_is_thought_of),
		TEST(a_page_that_the_disk_cannot_read_fails_the_batch_until_it_can),
		TEST(removed_registrations_leave_no_subscriptions_behind),
		TEST(no_more_tombstones_stay_than_so_many_in_all),
		TEST(nothing_of_a_removed_user_stays_in_the_log),
		TEST(a_reader_keeps_a_removed_user_in_the_log_until_housekeeping),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}

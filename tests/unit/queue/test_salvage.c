/* What can be read of a damaged queue is in the new one, whatever comes between. */
#include "onfile.h"

#include "base/mem.h"
#include "queue/salvage.h"

#include <dlfcn.h>
#include <errno.h>
#include <limits.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

/* So many of the calls below go well, then one fails, or ends the process; negative: all go well.
 */
static int good_calls = -1;
static bool is_deadly;

static bool fails(void)
{
	if (good_calls < 0 || good_calls--)
		return false;
	if (is_deadly)
		_exit(0);
	errno = EIO;
	return true;
}

/* In the place of the C library's, also for SQLite. */
#define INTERPOSE(type, name, parameters, arguments)               \
	type name parameters                                       \
	{                                                          \
		static type(*real) parameters;                     \
		if (!real)                                         \
			*(void **)&real = dlsym(RTLD_NEXT, #name); \
		return fails() ? -1 : real arguments;              \
	}

INTERPOSE(ssize_t, pread64, (int fd, void *bytes, size_t size, off64_t at), (fd, bytes, size, at))
INTERPOSE(ssize_t, pwrite64, (int fd, const void *bytes, size_t size, off64_t at),
	(fd, bytes, size, at))
INTERPOSE(int, fsync, (int fd), (fd))
INTERPOSE(int, fdatasync, (int fd), (fd))
INTERPOSE(int, unlink, (const char *name), (name))
INTERPOSE(int, rename, (const char *from, const char *to), (from, to))

static void run_all(struct store_file *file, struct job_list *batch)
{
	struct err err;
	if (store_file_run(file, batch, &err))
		fail_msg("%s", err.text);
	for (struct job *job; (job = job_list_take(batch));)
		queue_job_free(MEM_CONTAINER(job, struct queue_job, job));
}

/* 2000 pushes with news, and a parked event. */
static void write_full_file(void)
{
	struct store_file *file = open_file();
	struct job_list batch;
	job_list_init(&batch);
	fill(&batch);
	run_all(file, &batch);
	struct queue_job *parked = make_job(0, QUEUE_PARK, 3000);
	parked->parked_id = 7;
	parked->parked_received_ms = 12345;
	parked->raw = "{raw}";
	parked->raw_size = 5;
	write_one(file, parked);
	store_file_close(file);
}

static int try_to_salvage(void)
{
	struct store_file *file = NULL;
	struct err err;
	int code = store_file_open(path, &file, &err);
	if (!code)
		code = store_file_load(file, NULL, NULL, &err);
	if (code == -EBADMSG) {
		char *aside;
		size_t rows;
		code = salvage_run(file, &aside, &rows, &err);
		if (!code) {
			assert_int_equal(access(aside, F_OK), 0);
			free(aside);
		}
	}
	store_file_close(file);
	return code;
}

static struct loaded *salvaged(void)
{
	assert_int_equal(try_to_salvage(), 0);
	return reload(open_file());
}

static bool exists(const char *end)
{
	char name[128];
	snprintf(name, sizeof(name), "%s%s", path, end);
	return access(name, F_OK) == 0;
}

static void has_all(const struct loaded *loaded)
{
	assert_int_equal(loaded->push_count, 2000);
	assert_int_equal(loaded->news_count, 2000);
	for (unsigned i = 0; i < 2000; i++) {
		const struct registry_key key = make_key(i);
		assert_int_equal(loaded->pushes[i].row, i + 1);
		assert_memory_equal(&loaded->pushes[i].target->key, &key, sizeof(key));
		assert_string_equal(loaded->pushes[i].target->user, "anna@example.org");
		assert_memory_equal(&loaded->news[i].key, &key, sizeof(key));
		assert_int_equal(loaded->news[i].news.seq, i + 1);
	}
	assert_int_equal(loaded->parked_count, 1);
	assert_int_equal(loaded->parked[0].parked_id, 7);
	assert_int_equal(loaded->parked[0].received_ms, 12345);
	assert_memory_equal(loaded->parked[0].raw, "{raw}", 5);
}

/* The pushes and news alone tell whom to wake. */
static void all_is_there_where_the_table_of_phones_is_damaged(void **state)
{
	(void)state;
	write_full_file();
	spoil(phone_page());
	struct loaded *loaded = salvaged();
	has_all(loaded);
	loaded_free(loaded);
	assert_false(exists(".new"));
}

static void a_table_that_is_missing_takes_none_of_the_others_along(void **state)
{
	(void)state;
	write_full_file();
	write_sql("DROP TABLE phone; UPDATE push SET doubted = 1, attempts = 4, due_ms = 99");
	struct loaded *loaded = salvaged();
	has_all(loaded);
	assert_true(loaded->pushes[5].is_doubted);
	assert_int_equal(loaded->pushes[5].attempts, 4);
	assert_int_equal(loaded->pushes[5].due_ms, 99);
	loaded_free(loaded);
}

static char whole[128];

static void keep_whole_file(void)
{
	snprintf(whole, sizeof(whole), "%s/whole", folder);
	assert_int_equal(rename(path, whole), 0);
}

/* And no other file is there. */
static void copy_whole_file(void)
{
	char command[512];
	snprintf(command, sizeof(command), "rm -f '%s'* && cp '%s' '%s'", path, whole, path);
	assert_int_equal(system(command), 0);
}

static void each_damage_loses_only_what_is_on_the_page(void **state)
{
	(void)state;
	write_full_file();
	int64_t pages = read_number("PRAGMA page_count");
	keep_whole_file();
	unsigned lossless = 0;
	unsigned roots = 0;
	for (int64_t page = 2; page <= pages; page++) {
		copy_whole_file();
		spoil(page);
		struct loaded *loaded = salvaged();
		lossless += loaded->push_count == 2000 && loaded->news_count == 2000;
		/* A page has less than 200 rows; the root of a table leads to all. */
		if (loaded->push_count <= 1800 || loaded->news_count <= 1800) {
			assert_int_equal(loaded->news_count, 0);
			roots++;
		}
		loaded_free(loaded);
	}
	assert_int_equal(roots, 2);
	assert_true(lossless > 0);
}

static void one_of_two_pushes_to_one_registration_is_kept_and_a_row_of_another_kind_is_not(
	void **state)
{
	(void)state;
	write_full_file();
	write_sql(
		"UPDATE push SET key = (SELECT key FROM push WHERE number = 1) WHERE number = 2000;"
		"UPDATE push SET token = '' WHERE number = 1000");
	struct loaded *loaded = salvaged();
	assert_int_equal(loaded->push_count, 1998);
	assert_int_equal(loaded->news_count, 1998);
	assert_int_equal(loaded->pushes[0].row, 2000);
	loaded_free(loaded);
}

static void is_whole_after(int calls)
{
	good_calls = calls;
	if (is_deadly) {
		pid_t child = fork();
		if (!child) {
			try_to_salvage();
			_exit(0);
		}
		assert_int_equal(waitpid(child, NULL, 0), child);
	} else {
		int code = try_to_salvage();
		assert_true(!code || err_is_of_disk(code));
	}
	good_calls = -1;
	struct loaded *loaded = salvaged();
	has_all(loaded);
	loaded_free(loaded);
	assert_false(exists(".new"));
}

/* Which call fails grows more quickly than one by one, as most of them are alike. */
static void nothing_is_lost_by_a_call_that(bool ends_the_process)
{
	write_full_file();
	spoil(phone_page());
	keep_whole_file();
	copy_whole_file();
	good_calls = INT_MAX;
	assert_int_equal(try_to_salvage(), 0);
	int calls = INT_MAX - good_calls;
	good_calls = -1;
	assert_true(calls > 100);
	is_deadly = ends_the_process;
	/* The last ones put the new file in its place. */
	for (int i = 0; i < calls; i += i < calls - 10 ? 1 + i / 8 : 1) {
		copy_whole_file();
		is_whole_after(i);
	}
	is_deadly = false;
}

static void an_error_of_the_disk_is_no_damage_and_costs_nothing(void **state)
{
	(void)state;
	nothing_is_lost_by_a_call_that(false);
}

static void an_end_at_any_moment_costs_nothing(void **state)
{
	(void)state;
	nothing_is_lost_by_a_call_that(true);
}

static void a_new_file_whose_place_is_empty_takes_it_without_the_damaged_ones_log(void **state)
{
	(void)state;
	char name[128];
	write_full_file();
	snprintf(name, sizeof(name), "%s.new", path);
	assert_int_equal(rename(path, name), 0);
	snprintf(name, sizeof(name), "%s-wal", path);
	FILE *log = fopen(name, "w");
	assert_non_null(log);
	fputs("the damaged one's", log);
	fclose(log);
	struct loaded *loaded = reload(open_file());
	has_all(loaded);
	loaded_free(loaded);
	char command[256];
	snprintf(command, sizeof(command), "grep -q damaged '%s'.damaged-*-wal", path);
	assert_int_equal(system(command), 0);
}

static void a_new_file_beside_a_whole_one_is_removed(void **state)
{
	(void)state;
	char name[128];
	write_full_file();
	snprintf(name, sizeof(name), "%s.new", path);
	FILE *file = fopen(name, "w");
	assert_non_null(file);
	fclose(file);
	struct loaded *loaded = reload(open_file());
	has_all(loaded);
	loaded_free(loaded);
	assert_false(exists(".new"));
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(all_is_there_where_the_table_of_phones_is_damaged),
		TEST(a_table_that_is_missing_takes_none_of_the_others_along),
		TEST(each_damage_loses_only_what_is_on_the_page),
		TEST(one_of_two_pushes_to_one_registration_is_kept_and_a_row_of_another_kind_is_not),
		TEST(an_error_of_the_disk_is_no_damage_and_costs_nothing),
		TEST(an_end_at_any_moment_costs_nothing),
		TEST(a_new_file_whose_place_is_empty_takes_it_without_the_damaged_ones_log),
		TEST(a_new_file_beside_a_whole_one_is_removed),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}

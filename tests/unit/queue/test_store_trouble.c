/* What a kill, a full disk and the end of the thread leave of the queue. */
#include "onfile.h"

#include "base/mem.h"

#include <errno.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

/* Commits batches of two jobs and tells each commit, until it is killed. */
static void commit_for_ever(int out)
{
	struct store_file *file = open_file();
	for (uint32_t i = 0;; i++) {
		struct job_list batch;
		job_list_init(&batch);
		struct queue_job *job = make_job(i % 500, QUEUE_PUSH_PUT | QUEUE_NEWS_PUT, i + 1);
		with_news(job, "aa", QUEUE_NOW);
		job->due_ms = i;
		job_list_append(&batch, &job->job);
		struct queue_job *parked = make_job(0, QUEUE_PARK, i + 1);
		parked->parked_id = 1; /* one row: the number of the last batch */
		parked->parked_received_ms = i;
		job_list_append(&batch, &parked->job);
		struct err err;
		if (store_file_run(file, &batch, &err) || write(out, &i, sizeof(i)) != sizeof(i))
			_exit(1);
		queue_job_free(job);
		queue_job_free(parked);
	}
}

static void what_was_committed_is_there_after_a_kill(void **state)
{
	(void)state;
	for (uint32_t round = 0; round < 5; round++) {
		int ends[2];
		assert_int_equal(pipe(ends), 0);
		pid_t child = fork();
		if (!child)
			commit_for_ever(ends[1]);
		close(ends[1]);
		uint32_t last = 0;
		for (uint32_t i = 0; i < 20 + round * 17; i++)
			assert_int_equal(read(ends[0], &last, sizeof(last)), sizeof(last));
		kill(child, SIGKILL);
		waitpid(child, NULL, 0);
		while (read(ends[0], &last, sizeof(last)) == sizeof(last))
			;
		close(ends[0]);

		struct store_file *file = open_file();
		struct loaded *loaded = load(file);
		store_file_close(file);
		assert_int_equal(loaded->parked_count, 1);
		int64_t there = loaded->parked[0].received_ms;
		assert_int_in_range(there, last, last + 1); /* a commit may not have been told */
		assert_int_equal(loaded->push_count, there + 1 < 500 ? there + 1 : 500);
		assert_int_equal(loaded->news_count, loaded->push_count);
		for (size_t i = 0; i < loaded->push_count; i++)
			assert_int_equal(
				loaded->pushes[i].due_ms, there - (there - (int64_t)i) % 500);
		loaded_free(loaded);
		assert_int_equal(unlink(path), 0);
		char wal[128];
		snprintf(wal, sizeof(wal), "%s-wal", path);
		unlink(wal);
	}
}

/* More than the limits below. */
static void fill(struct job_list *batch)
{
	for (unsigned i = 0; i < 2000; i++) {
		struct queue_job *job = make_job(i, QUEUE_PUSH_PUT | QUEUE_NEWS_PUT, i + 1);
		with_news(job, "0123456789abcdef0123456789abcdef", QUEUE_NOW);
		job->status = -ECANCELED;
		job_list_append(batch, &job->job);
	}
}

static void a_file_that_was_removed_or_replaced_fails_each_batch_until_it_is_back(void **state)
{
	(void)state;
	struct store_file *file = open_file();
	struct queue_job *job = make_job(1, QUEUE_PUSH_PUT | QUEUE_NEWS_PUT, 1);
	with_news(job, "aa", QUEUE_NOW);
	job->status = -ECANCELED;
	struct job_list batch;
	job_list_init(&batch);
	job_list_append(&batch, &job->job);
	char away[128];
	snprintf(away, sizeof(away), "%s/away", folder);
	static const char *const ends[] = {"", "-wal"};
	for (size_t i = 0; i < 2; i++) {
		char name[128];
		struct err err = {""};
		snprintf(name, sizeof(name), "%s%s", path, ends[i]);
		assert_int_equal(rename(name, away), 0);
		assert_int_equal(store_file_run(file, &batch, &err), -ESTALE);
		assert_non_null(strstr(err.text, name));
		assert_non_null(strstr(err.text, "removed or replaced"));
		assert_int_equal(job->status, -ECANCELED);
		FILE *other = fopen(name, "w");
		assert_non_null(other);
		fclose(other);
		assert_int_equal(store_file_run(file, &batch, &err), -ESTALE);
		assert_int_equal(rename(away, name), 0);
	}
	struct err err;
	assert_int_equal(store_file_run(file, &batch, &err), 0);
	assert_int_equal(job->status, 0);
	queue_job_free(job);
	struct loaded *loaded = reload(file);
	assert_int_equal(loaded->push_count, 1);
	loaded_free(loaded);
}

/* Garbage in the place of the file's page, from 1. */
static void spoil(int64_t page)
{
	FILE *file = fopen(path, "r+");
	assert_non_null(file);
	assert_int_equal(fseek(file, (long)(page - 1) * 8192, SEEK_SET), 0);
	for (int i = 0; i < 8192; i++)
		fputc(0xa5, file);
	assert_int_equal(fclose(file), 0);
}

/* The page of a table that nobody reads before a phone is dropped. */
static int64_t unread_page(void)
{
	return read_number("SELECT rootpage FROM sqlite_schema WHERE name = 'phone'");
}

/* The pushes and news alone tell whom to wake. */
static void pushes_are_read_where_the_table_of_phones_is_damaged(void **state)
{
	(void)state;
	struct store_file *file = open_file();
	struct job_list batch;
	job_list_init(&batch);
	fill(&batch);
	struct err err = {""};
	assert_int_equal(store_file_run(file, &batch, &err), 0);
	for (struct job *job; (job = job_list_take(&batch));)
		queue_job_free(MEM_CONTAINER(job, struct queue_job, job));
	store_file_close(file);
	spoil(unread_page());
	file = open_file();
	struct loaded *loaded = mem_alloc_zero(1, sizeof(*loaded));
	assert_int_equal(store_file_load(file, &loader, loaded, &err), -EBADMSG);
	assert_non_null(strstr(err.text, path));
	assert_int_equal(loaded->push_count, 2000);
	assert_int_equal(loaded->news_count, 2000);
	loaded_free(loaded);
	store_file_close(file);
}

static void set_file_limit(rlim_t bytes)
{
	struct rlimit limit;
	assert_int_equal(getrlimit(RLIMIT_FSIZE, &limit), 0);
	limit.rlim_cur = bytes == RLIM_INFINITY ? limit.rlim_max : bytes;
	assert_int_equal(setrlimit(RLIMIT_FSIZE, &limit), 0);
}

static void a_batch_that_fails_leaves_nothing_and_succeeds_when_there_is_room(void **state)
{
	(void)state;
	signal(SIGXFSZ, SIG_IGN);
	struct store_file *file = open_file();
	struct job_list batch;
	job_list_init(&batch);
	fill(&batch);
	struct err err = {""};
	set_file_limit(100000);
	int code = store_file_run(file, &batch, &err);
	set_file_limit(RLIM_INFINITY);
	assert_true(code < 0);
	assert_non_null(strstr(err.text, path));
	for (struct job *job = batch.first; job; job = job->next)
		assert_int_equal(MEM_CONTAINER(job, struct queue_job, job)->status, -ECANCELED);
	struct loaded *loaded = load(file);
	assert_int_equal(loaded->push_count + loaded->news_count, 0);
	loaded_free(loaded);

	assert_int_equal(store_file_run(file, &batch, &err), 0);
	loaded = reload(file);
	assert_int_equal(loaded->push_count, 2000);
	assert_int_equal(loaded->news_count, 2000);
	loaded_free(loaded);
	for (struct job *job; (job = job_list_take(&batch));) {
		assert_int_equal(MEM_CONTAINER(job, struct queue_job, job)->status, 0);
		queue_job_free(MEM_CONTAINER(job, struct queue_job, job));
	}
}

/* The thread. */
struct owner {
	struct store *store;
	uint64_t last_seq;
	unsigned stored, canceled, troubles, recoveries;
	unsigned expected;
	bool mends;	 /* makes room as soon as trouble is told */
	unsigned memory; /* what there is to be written into a new file */
	unsigned rewrites, rewritten;
	char rewrite_text[512];
};

static void on_stored(void *ctx, struct queue_job *job)
{
	struct owner *owner = ctx;
	assert_true(job->seq > owner->last_seq);
	owner->last_seq = job->seq;
	if (job->status)
		owner->canceled++;
	else
		owner->stored++;
	queue_job_free(job);
}

static void on_trouble(void *ctx, const char *text)
{
	struct owner *owner = ctx;
	if (!text) {
		owner->recoveries++;
		return;
	}
	assert_non_null(strstr(text, path));
	owner->troubles++;
	if (owner->mends)
		set_file_limit(RLIM_INFINITY);
}

static void on_rewrite(void *ctx, const char *text, struct job_list *ret_jobs)
{
	struct owner *owner = ctx;
	strncpy(owner->rewrite_text, text, sizeof(owner->rewrite_text) - 1);
	owner->rewrites++;
	for (unsigned i = 0; i < owner->memory; i++) {
		struct queue_job *job = make_job(i, QUEUE_PUSH_PUT | QUEUE_NEWS_PUT, i + 1);
		with_news(job, "0123456789abcdef0123456789abcdef", QUEUE_NOW);
		job_list_append(ret_jobs, &job->job);
	}
}

/* Not before they came back. */
static void on_rewritten(void *ctx, size_t rows)
{
	struct owner *owner = ctx;
	assert_int_equal(rows, owner->memory);
	assert_true(owner->stored >= owner->memory);
	owner->rewritten++;
}

static const struct store_callbacks callbacks = {on_stored, on_trouble, on_rewrite, on_rewritten};

static void start(uv_loop_t *loop, struct owner *owner)
{
	struct err err;
	assert_int_equal(uv_loop_init(loop), 0);
	if (store_new(loop, path, &loader, &callbacks, owner, &owner->store, &err))
		fail_msg("%s", err.text);
}

static void submit_all(struct owner *owner)
{
	struct job_list batch;
	job_list_init(&batch);
	fill(&batch);
	owner->expected = (unsigned)batch.count;
	for (struct job *job; (job = job_list_take(&batch));)
		store_submit(owner->store, MEM_CONTAINER(job, struct queue_job, job));
}

static void run_until_all_is_back(uv_loop_t *loop, struct owner *owner)
{
	while (owner->stored + owner->canceled < owner->expected)
		uv_run(loop, UV_RUN_ONCE);
	/* What was reported last may come with the next turn. */
	uv_run(loop, UV_RUN_NOWAIT);
}

static void finish(uv_loop_t *loop, struct owner *owner)
{
	store_free(owner->store);
	uv_run(loop, UV_RUN_DEFAULT);
	assert_int_equal(uv_loop_close(loop), 0);
}

static size_t pushes_on_disk(void)
{
	struct loaded *loaded = reload(open_file());
	size_t count = loaded->push_count;
	loaded_free(loaded);
	return count;
}

static void jobs_come_back_in_order_when_they_are_on_disk(void **state)
{
	(void)state;
	struct owner owner = {0};
	uv_loop_t loop;
	start(&loop, &owner);
	submit_all(&owner);
	run_until_all_is_back(&loop, &owner);
	assert_int_equal(owner.stored, 2000);
	finish(&loop, &owner);
	assert_int_equal(owner.troubles, 0);
	assert_int_equal(pushes_on_disk(), 2000);
}

static void a_failing_disk_is_reported_and_the_batch_tried_again(void **state)
{
	(void)state;
	signal(SIGXFSZ, SIG_IGN);
	struct owner owner = {.mends = true};
	uv_loop_t loop;
	start(&loop, &owner);
	set_file_limit(100000);
	submit_all(&owner);
	run_until_all_is_back(&loop, &owner);
	assert_int_equal(owner.stored, 2000);
	assert_int_equal(owner.troubles, 1);
	assert_int_equal(owner.recoveries, 1);
	finish(&loop, &owner);
	assert_int_equal(pushes_on_disk(), 2000);
}

static void what_waits_at_the_end_is_written_once_more(void **state)
{
	(void)state;
	struct owner owner = {0};
	uv_loop_t loop;
	start(&loop, &owner);
	submit_all(&owner); /* no turn of the loop: nothing was handed over */
	store_free(mem_steal(owner.store));
	assert_int_equal(owner.stored, 2000);
	finish(&loop, &owner);
	assert_int_equal(pushes_on_disk(), 2000);
}

static void what_cannot_be_written_at_the_end_comes_back_canceled(void **state)
{
	(void)state;
	signal(SIGXFSZ, SIG_IGN);
	struct owner owner = {0};
	uv_loop_t loop;
	start(&loop, &owner);
	set_file_limit(100000);
	submit_all(&owner);
	while (!owner.troubles)
		uv_run(&loop, UV_RUN_ONCE);
	assert_int_equal(owner.stored + owner.canceled, 0);
	store_free(mem_steal(owner.store));
	set_file_limit(RLIM_INFINITY);
	assert_int_equal(owner.canceled, 2000);
	finish(&loop, &owner);
	assert_int_equal(pushes_on_disk(), 0);
}

static void is_set_aside(const struct owner *owner)
{
	const char *name = strstr(owner->rewrite_text, ".damaged-");
	assert_non_null(name);
	char aside[256];
	snprintf(aside, sizeof(aside), "%s%.*s", path, (int)strcspn(name, "'"), name);
	assert_int_equal(access(aside, F_OK), 0);
	assert_int_equal(owner->rewrites, 1);
	assert_int_equal(owner->rewritten, 1);
}

static void submit_drop(struct owner *owner)
{
	struct queue_job *job = make_job(100, QUEUE_PUSH_PUT | QUEUE_NEWS_PUT, 20001);
	with_news(job, "aa", QUEUE_NOW);
	store_submit(owner->store, job);
	store_submit(owner->store, make_job(101, QUEUE_PHONE_DELETE, 20002));
}

static void a_file_that_is_damaged_at_the_start_is_set_aside_and_a_new_one_written(void **state)
{
	(void)state;
	struct store_file *whole = open_file();
	write_one(whole, make_job(50, QUEUE_PUSH_PUT, 1));
	store_file_close(whole);
	for (int64_t page = 1; page <= 2; page++) {
		struct owner owner = {.memory = 5, .expected = 5};
		uv_loop_t loop;
		spoil(page);
		start(&loop, &owner);
		run_until_all_is_back(&loop, &owner);
		assert_int_equal(owner.stored, 5);
		is_set_aside(&owner);
		finish(&loop, &owner);
		assert_int_equal(pushes_on_disk(), 5);
	}
}

static void damage_found_later_is_mended_from_memory_before_anything_else_is_written(void **state)
{
	(void)state;
	store_file_close(open_file());
	int64_t page = unread_page();
	struct owner owner = {.memory = 9000, .expected = 9002};
	uv_loop_t loop;
	start(&loop, &owner);
	spoil(page);
	submit_drop(&owner);
	struct queue_job *later = make_job(102, QUEUE_PUSH_PUT, 20003);
	while (!owner.rewrites)
		uv_run(&loop, UV_RUN_ONCE);
	store_submit(owner.store, later);
	owner.expected++;
	run_until_all_is_back(&loop, &owner);
	assert_int_equal(owner.stored, 9003);
	is_set_aside(&owner);
	finish(&loop, &owner);
	assert_int_equal(owner.troubles, owner.recoveries);
	assert_int_equal(read_number("SELECT count(*) FROM push WHERE number = 1"), 1);
	assert_int_equal(read_number("SELECT count(*) FROM push"), 9000);
}

static void damage_found_at_the_end_is_mended_then(void **state)
{
	(void)state;
	store_file_close(open_file());
	int64_t page = unread_page();
	struct owner owner = {.memory = 5};
	uv_loop_t loop;
	start(&loop, &owner);
	spoil(page);
	submit_drop(&owner); /* no turn of the loop */
	store_free(mem_steal(owner.store));
	assert_int_equal(owner.stored, 7);
	is_set_aside(&owner);
	finish(&loop, &owner);
	assert_int_equal(pushes_on_disk(), 6);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(what_was_committed_is_there_after_a_kill),
		TEST(a_file_that_was_removed_or_replaced_fails_each_batch_until_it_is_back),
		TEST(pushes_are_read_where_the_table_of_phones_is_damaged),
		TEST(a_batch_that_fails_leaves_nothing_and_succeeds_when_there_is_room),
		TEST(jobs_come_back_in_order_when_they_are_on_disk),
		TEST(a_failing_disk_is_reported_and_the_batch_tried_again),
		TEST(what_waits_at_the_end_is_written_once_more),
		TEST(what_cannot_be_written_at_the_end_comes_back_canceled),
		TEST(a_file_that_is_damaged_at_the_start_is_set_aside_and_a_new_one_written),
		TEST(damage_found_later_is_mended_from_memory_before_anything_else_is_written),
		TEST(damage_found_at_the_end_is_mended_then),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}

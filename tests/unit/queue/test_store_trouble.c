/* What a kill, a full disk and the end of the thread leave of the queue. */
#include "onfile.h"

#include "base/mem.h"

#include <errno.h>
#include <poll.h>
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
		with_news(job, HASH_OF("aa"), QUEUE_URGENT);
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

static void a_file_that_was_removed_or_replaced_fails_each_batch_until_it_is_back(void **state)
{
	(void)state;
	struct store_file *file = open_file();
	struct queue_job *job = make_job(1, QUEUE_PUSH_PUT | QUEUE_NEWS_PUT, 1);
	with_news(job, HASH_OF("aa"), QUEUE_URGENT);
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
	bool mends;   /* makes room as soon as trouble is told */
	bool goes_on; /* submits another job when one has come back */
	unsigned failures, failed, salvages;
	bool is_loaded;
};

static void on_stored(void *ctx, struct queue_job *job)
{
	struct owner *owner = ctx;
	assert_true(job->seq > owner->last_seq);
	owner->last_seq = job->seq;
	if (job->status == -EBADMSG)
		owner->failed++;
	else if (job->status)
		owner->canceled++;
	else
		owner->stored++;
	queue_job_free(job);
	if (owner->goes_on) {
		owner->goes_on = false;
		store_submit(owner->store, make_job(900, QUEUE_PUSH_PUT, 90000));
	}
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

/* Before any of the jobs that failed. */
static void on_failed(void *ctx, const char *text)
{
	struct owner *owner = ctx;
	assert_non_null(strstr(text, path));
	assert_int_equal(owner->failed, 0);
	owner->failures++;
}

static void on_salvaged(void *ctx, const char *text)
{
	struct owner *owner = ctx;
	assert_non_null(strstr(text, "is set aside as"));
	owner->salvages++;
}

static void on_loaded(void *ctx)
{
	struct owner *owner = ctx;
	owner->is_loaded = true;
}

static const struct store_callbacks callbacks = {
	on_stored, on_trouble, on_salvaged, on_failed, on_loaded};

static void start(uv_loop_t *loop, struct owner *owner)
{
	struct err err;
	assert_int_equal(uv_loop_init(loop), 0);
	static const struct store_loader nobody = {0};
	if (store_new(loop, path, &nobody, &callbacks, owner, &owner->store, &err) ||
		store_load(owner->store, &err))
		fail_msg("%s", err.text);
	assert_true(owner->is_loaded);
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
	while (owner->stored + owner->canceled + owner->failed < owner->expected)
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

static struct queue_job *make_question(uint64_t seq, struct queue_reading *reading)
{
	struct queue_job *job = make_job(0, QUEUE_READ_TOTALS, seq);
	job->reading = reading;
	return job;
}

/* What would follow from an answer could not be stored any more. */
static void a_question_at_the_end_comes_back_canceled(void **state)
{
	(void)state;
	struct owner owner = {0};
	struct queue_reading reading = {0};
	uv_loop_t loop;
	start(&loop, &owner);
	submit_all(&owner);
	store_submit(owner.store, make_question(90000, &reading));
	store_free(mem_steal(owner.store));
	assert_int_equal(owner.stored, 2000);
	assert_int_equal(owner.canceled, 1);
	finish(&loop, &owner);
	assert_int_equal(pushes_on_disk(), 2000);
}

static void an_answer_that_did_not_come_before_the_end_comes_back_canceled(void **state)
{
	(void)state;
	struct owner owner = {0};
	struct queue_reading reading = {0};
	uv_loop_t loop;
	start(&loop, &owner);
	uv_run(&loop, UV_RUN_NOWAIT);
	store_submit(owner.store, make_question(1, &reading));
	worker_flush(store_worker(owner.store));
	/* The thread has done it and wakes the loop, which does not run any more. */
	struct pollfd loop_wakes = {.fd = uv_backend_fd(&loop), .events = POLLIN};
	assert_int_equal(poll(&loop_wakes, 1, -1), 1);
	store_free(mem_steal(owner.store));
	assert_int_equal(owner.canceled, 1);
	finish(&loop, &owner);
}

static void what_is_submitted_when_all_has_ended_comes_back_canceled(void **state)
{
	(void)state;
	struct owner owner = {.goes_on = true};
	uv_loop_t loop;
	start(&loop, &owner);
	store_submit(owner.store, make_job(1, QUEUE_PUSH_PUT, 1));
	store_free(owner.store);
	owner.store = NULL;
	assert_int_equal(owner.stored, 1);
	assert_int_equal(owner.canceled, 1);
	finish(&loop, &owner);
	assert_int_equal(pushes_on_disk(), 1);
}

/* The second job finds it; the third comes later. */
static void submit_drop(struct owner *owner)
{
	store_submit(owner->store, make_job(100, QUEUE_PUSH_PUT, 20001));
	store_submit(owner->store, make_job(101, QUEUE_PHONE_DELETE, 20002));
	owner->expected += 2;
}

static void damage_found_later_fails_each_job_and_is_mended_at_the_end(void **state)
{
	(void)state;
	struct owner owner = {0};
	uv_loop_t loop;
	int64_t page = phone_page();
	start(&loop, &owner);
	store_submit(owner.store, make_job(50, QUEUE_PUSH_PUT, 1));
	owner.expected = 1;
	run_until_all_is_back(&loop, &owner);
	spoil(page);
	submit_drop(&owner);
	run_until_all_is_back(&loop, &owner);
	assert_int_equal(owner.failed, 2);
	store_submit(owner.store, make_job(102, QUEUE_PUSH_PUT, 20003));
	owner.expected++;
	run_until_all_is_back(&loop, &owner);
	assert_int_equal(owner.failed, 3);
	assert_int_equal(owner.failures, 1);
	assert_int_equal(owner.salvages, 0);
	store_free(mem_steal(owner.store));
	assert_int_equal(owner.salvages, 1);
	finish(&loop, &owner);
	assert_int_equal(pushes_on_disk(), 1);
}

static void damage_found_at_the_end_is_mended_then(void **state)
{
	(void)state;
	struct owner owner = {0};
	uv_loop_t loop;
	int64_t page = phone_page();
	start(&loop, &owner);
	spoil(page);
	submit_drop(&owner); /* no turn of the loop */
	store_free(mem_steal(owner.store));
	assert_int_equal(owner.failures, 0);
	assert_int_equal(owner.canceled, 2);
	assert_int_equal(owner.salvages, 1);
	finish(&loop, &owner);
	assert_int_equal(pushes_on_disk(), 0);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(what_was_committed_is_there_after_a_kill),
		TEST(a_file_that_was_removed_or_replaced_fails_each_batch_until_it_is_back),
		TEST(a_batch_that_fails_leaves_nothing_and_succeeds_when_there_is_room),
		TEST(jobs_come_back_in_order_when_they_are_on_disk),
		TEST(a_failing_disk_is_reported_and_the_batch_tried_again),
		TEST(what_waits_at_the_end_is_written_once_more),
		TEST(what_cannot_be_written_at_the_end_comes_back_canceled),
		TEST(a_question_at_the_end_comes_back_canceled),
		TEST(an_answer_that_did_not_come_before_the_end_comes_back_canceled),
		TEST(what_is_submitted_when_all_has_ended_comes_back_canceled),
		TEST(damage_found_later_fails_each_job_and_is_mended_at_the_end),
		TEST(damage_found_at_the_end_is_mended_then),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}

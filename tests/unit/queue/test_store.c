#include "onfile.h"

#include "base/mem.h"
#include "queue/file.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

static void a_push_comes_back_as_it_was(void **state)
{
	(void)state;
	struct store_file *file = open_file();
	struct queue_job *job = make_job(1, QUEUE_PUSH_PUT | QUEUE_NEWS_PUT | QUEUE_PHONE, 9);
	with_news(job, "0123456789abcdef0123456789abcdef", QUEUE_DEFERRED);
	memset(job->apns_id, 0xa5, sizeof(job->apns_id));
	job->due_ms = INT64_C(1700000000123);
	job->attempts = 3;
	job->is_doubted = true;
	job->first_ms = INT64_C(1700000000001);
	job->phone.last_push_ms = INT64_C(1699999999999);
	write_one(file, job);
	struct err err;
	assert_int_equal(store_file_flush(file, &err), 0);

	struct loaded *loaded = reload(file);
	assert_int_equal(loaded->push_count, 1);
	const struct loaded_push *push = &loaded->pushes[0];
	struct registry_key key = make_key(1);
	assert_memory_equal(&push->target->key, &key, sizeof(key));
	assert_string_equal(push->target->user, "anna@example.org");
	assert_string_equal(push->target->token, "aabbcc");
	assert_string_equal(push->target->account_id, "account-1");
	assert_string_equal(push->target->topic, "com.apple.mail.XServer.x");
	assert_int_equal(push->target->aps_version, 2);
	assert_true(push->target->confirmed);
	assert_false(push->target->inbox_only);
	assert_int_equal(push->target->renewed_ms, 77);
	assert_int_equal(push->apns_id[15], 0xa5);
	assert_int_equal(push->due_ms, INT64_C(1700000000123));
	assert_int_equal(push->attempts, 3);
	assert_true(push->is_doubted);
	assert_int_equal(push->first_ms, INT64_C(1700000000001));
	assert_int_equal(push->last_push_ms, INT64_C(1699999999999));
	assert_int_equal(loaded->news_count, 1);
	assert_memory_equal(&loaded->news[0].key, &key, sizeof(key));
	assert_string_equal(loaded->news[0].news.hash, "0123456789abcdef0123456789abcdef");
	assert_int_equal(loaded->news[0].news.first_ms, 1234);
	assert_int_equal(loaded->news[0].news.urgent_ms, 0);
	assert_int_equal(loaded->news[0].news.seq, 9);
	loaded_free(loaded);
}

static void a_move_changes_the_rows_times_and_id_alone(void **state)
{
	(void)state;
	struct store_file *file = open_file();
	struct queue_job *put = make_job(1, QUEUE_PUSH_PUT, 1);
	put->first_ms = 55;
	write_one(file, put);
	struct queue_job *move = make_job(1, QUEUE_PUSH_MOVE, 2);
	move->due_ms = 500;
	move->attempts = 4;
	move->is_doubted = true;
	move->apns_id[0] = 7;
	write_one(file, move);
	struct loaded *loaded = reload(file);
	assert_int_equal(loaded->pushes[0].due_ms, 500);
	assert_int_equal(loaded->pushes[0].attempts, 4);
	assert_true(loaded->pushes[0].is_doubted);
	assert_int_equal(loaded->pushes[0].apns_id[0], 7);
	assert_int_equal(loaded->pushes[0].first_ms, 55);
	assert_string_equal(loaded->pushes[0].target->token, "aabbcc");
	loaded_free(loaded);
}

static void settling_deletes_up_to_its_seq_and_of_its_key_alone(void **state)
{
	(void)state;
	struct store_file *file = open_file();
	const char *const hashes[] = {HASH_OF("aa"), HASH_OF("bb"), HASH_OF("cc")};
	for (unsigned phone = 1; phone <= 2; phone++) {
		for (unsigned i = 0; i < 3; i++) {
			struct queue_job *job =
				make_job(phone, QUEUE_PUSH_PUT | QUEUE_NEWS_PUT, phone * 10 + i);
			with_news(job, hashes[i], QUEUE_URGENT);
			write_one(file, job);
		}
	}
	struct queue_job *settle = make_job(2, QUEUE_NEWS_SETTLE, 30);
	settle->upto_seq = 21;
	write_one(file, settle);
	struct loaded *loaded = reload(file);
	assert_int_equal(loaded->news_count, 4);
	assert_int_equal(loaded->news[3].news.seq, 22);
	assert_int_equal(loaded->news[3].news.first_ms, 1234);
	assert_int_equal(loaded->news[3].news.urgent_ms, 1235);
	assert_string_equal(loaded->news[3].news.hash, HASH_OF("cc"));
	loaded_free(loaded);
}

static void news_of_a_hash_is_one_row_that_can_be_dropped(void **state)
{
	(void)state;
	struct store_file *file = open_file();
	for (uint64_t seq = 1; seq <= 2; seq++) {
		struct queue_job *job = make_job(1, QUEUE_PUSH_PUT | QUEUE_NEWS_PUT, seq);
		with_news(job, HASH_OF("aa"), QUEUE_URGENT);
		with_news(job, HASH_OF("bb"), QUEUE_URGENT);
		write_one(file, job);
	}
	struct queue_job *drop = make_job(1, QUEUE_NEWS_DROP, 3);
	with_news(drop, HASH_OF("aa"), QUEUE_URGENT);
	write_one(file, drop);
	struct loaded *loaded = reload(file);
	assert_int_equal(loaded->news_count, 1);
	assert_string_equal(loaded->news[0].news.hash, HASH_OF("bb"));
	assert_int_equal(loaded->news[0].news.seq, 2);
	loaded_free(loaded);
}

/* News stands under its push's number: that of one that went must not lead to another's news. */
static void news_stays_with_its_registration_over_deletes_and_reopening(void **state)
{
	(void)state;
	struct store_file *file = open_file();
	static const char *const hashes[] = {
		HASH_OF("aa"), HASH_OF("bb"), HASH_OF("cc"), HASH_OF("dd")};
	for (unsigned phone = 1; phone <= 3; phone++) {
		struct queue_job *job = make_job(phone, QUEUE_PUSH_PUT | QUEUE_NEWS_PUT, phone);
		with_news(job, hashes[phone - 1], QUEUE_URGENT);
		write_one(file, job);
	}
	write_one(file, make_job(3, QUEUE_PUSH_DELETE, 4));
	write_one(file, make_job(1, QUEUE_PUSH_DELETE, 5));
	store_file_close(file);
	file = open_file();
	struct queue_job *fourth = make_job(4, QUEUE_PUSH_PUT | QUEUE_NEWS_PUT, 6);
	with_news(fourth, hashes[3], QUEUE_URGENT);
	write_one(file, fourth);
	struct loaded *loaded = reload(file);
	assert_int_equal(loaded->push_count, 2);
	assert_int_equal(loaded->news_count, 2);
	assert_string_equal(loaded->news[0].news.hash, HASH_OF("bb"));
	assert_string_equal(loaded->news[1].news.hash, HASH_OF("dd"));
	assert_int_equal(loaded->pushes[0].row, 3);
	assert_int_equal(loaded->pushes[1].row, 5);
	struct registry_key second = make_key(2);
	struct registry_key last = make_key(4);
	assert_memory_equal(&loaded->news[0].key, &second, sizeof(second));
	assert_memory_equal(&loaded->news[1].key, &last, sizeof(last));
	loaded_free(loaded);
}

static void parts_are_done_in_their_order(void **state)
{
	(void)state;
	struct store_file *file = open_file();
	struct queue_job *job = make_job(
		1, QUEUE_PUSH_PUT | QUEUE_PUSH_MOVE | QUEUE_NEWS_PUT | QUEUE_NEWS_SETTLE, 5);
	job->due_ms = 42; /* MOVE finds the row that PUT made */
	with_news(job, HASH_OF("aa"), QUEUE_URGENT);
	job->news[0].seq = 6;
	job->upto_seq = 5; /* SETTLE comes after NEWS_PUT and spares what is newer */
	write_one(file, job);
	/* All at once: the delete comes last. */
	job = make_job(2,
		QUEUE_PUSH_PUT | QUEUE_NEWS_PUT | QUEUE_PUSH_DELETE | QUEUE_PARK | QUEUE_UNPARK, 7);
	with_news(job, HASH_OF("aa"), QUEUE_URGENT);
	job->parked_id = 3;
	write_one(file, job);
	struct loaded *loaded = reload(file);
	assert_int_equal(loaded->push_count, 1);
	assert_int_equal(loaded->pushes[0].due_ms, 42);
	assert_int_equal(loaded->news_count, 1);
	assert_int_equal(loaded->news[0].news.seq, 6);
	assert_int_equal(loaded->parked_count, 0);
	loaded_free(loaded);
}

static void a_deleted_push_takes_its_news_along(void **state)
{
	(void)state;
	struct store_file *file = open_file();
	for (unsigned phone = 1; phone <= 2; phone++) {
		struct queue_job *job = make_job(phone, QUEUE_PUSH_PUT | QUEUE_NEWS_PUT, phone);
		with_news(job, HASH_OF("aa"), QUEUE_URGENT);
		with_news(job, HASH_OF("bb"), QUEUE_URGENT);
		write_one(file, job);
	}
	write_one(file, make_job(1, QUEUE_PUSH_DELETE, 3));
	struct loaded *loaded = reload(file);
	assert_int_equal(loaded->push_count, 1);
	assert_int_equal(loaded->news_count, 2);
	struct registry_key key = make_key(2);
	assert_memory_equal(&loaded->pushes[0].target->key, &key, sizeof(key));
	loaded_free(loaded);
}

static void rows_are_listed_in_order(void **state)
{
	(void)state;
	struct store_file *file = open_file();
	for (unsigned i = 0; i < 100; i++) {
		unsigned number = i * 37 % 100;
		struct queue_job *job = make_job(
			number, QUEUE_PUSH_PUT | QUEUE_NEWS_PUT | QUEUE_PARK, 1000 - number);
		with_news(job, HASH_OF("aa"), QUEUE_URGENT);
		job->parked_id = number + 1;
		write_one(file, job);
	}
	struct loaded *loaded = reload(file);
	assert_int_equal(loaded->push_count, 100);
	assert_int_equal(loaded->news_count, 100);
	assert_int_equal(loaded->parked_count, 100);
	for (unsigned i = 0; i < 100; i++) {
		struct registry_key key = make_key(i);
		assert_memory_equal(&loaded->pushes[i].target->key, &key, sizeof(key));
		assert_int_equal(loaded->news[i].news.seq, 901 + i);
		assert_int_equal(loaded->parked[i].parked_id, i + 1);
	}
	loaded_free(loaded);
}

static void what_is_parked_comes_back_byte_for_byte(void **state)
{
	(void)state;
	struct store_file *file = open_file();
	for (unsigned id = 1; id <= 3; id++) {
		struct queue_job *job = make_job(0, QUEUE_PARK, id);
		job->parked_id = id;
		job->parked_received_ms = 1000 + id;
		job->raw = "a\0b\xff";
		job->raw_size = id == 2 ? 0 : 4;
		write_one(file, job);
	}
	struct queue_job *unpark = make_job(0, QUEUE_UNPARK, 4);
	unpark->parked_id = 1;
	write_one(file, unpark);
	struct loaded *loaded = reload(file);
	assert_int_equal(loaded->parked_count, 2);
	assert_int_equal(loaded->parked[0].parked_id, 2);
	assert_int_equal(loaded->parked[0].raw_size, 0);
	assert_int_equal(loaded->parked[1].received_ms, 1003);
	assert_int_equal(loaded->parked[1].raw_size, 4);
	assert_memory_equal(loaded->parked[1].raw, "a\0b\xff", 4);
	loaded_free(loaded);
}

static void note_phone(struct store_file *file, unsigned phone, int64_t push_ms, int status,
	const char *reason, int64_t event_ms, int64_t now_ms)
{
	struct queue_job *job = make_job(phone, QUEUE_PHONE, 1);
	job->phone.last_push_ms = push_ms;
	job->phone.last_status = status;
	job->phone.last_event_ms = event_ms;
	strcpy(job->phone.last_reason, reason);
	struct job_list batch;
	job_list_init(&batch);
	job_list_append(&batch, &job->job);
	size_t left;
	struct err err;
	assert_int_equal(file_run(file, &batch, now_ms, &left, &err), 0);
	queue_job_free(job);
}

static void phone_rows_are_merged_in_memory_and_on_disk(void **state)
{
	(void)state;
	struct store_file *file = open_file();
	struct err err;
	note_phone(file, 1, 100, 200, "", 90, 0);
	note_phone(file, 1, 0, 503, "ServiceUnavailable", 110, 0); /* in memory */
	assert_int_equal(store_file_flush(file, &err), 0);
	note_phone(file, 1, 0, 429, "TooManyRequests", 0, 0); /* on disk */
	assert_int_equal(store_file_flush(file, &err), 0);
	store_file_close(file);
	assert_int_equal(read_number("SELECT count(*) FROM phone"), 1);
	assert_int_equal(read_number("SELECT last_push_ms FROM phone"), 100);
	assert_int_equal(read_number("SELECT last_event_ms FROM phone"), 110);
	assert_int_equal(read_number("SELECT last_status FROM phone"), 429);
	assert_int_equal(read_number("SELECT last_reason = 'TooManyRequests' FROM phone"), 1);
}

static void phone_rows_are_written_in_slices_once_their_time_has_come(void **state)
{
	(void)state;
	struct store_file *file = open_file();
	int64_t start_ms = INT64_MAX / 2;
	struct job_list batch;
	job_list_init(&batch);
	for (unsigned i = 0; i < 3000; i++) {
		struct queue_job *job = make_job(i * 7919 % 3000, QUEUE_PHONE, i);
		job->phone.last_push_ms = 5;
		job_list_append(&batch, &job->job);
	}
	size_t left;
	struct err err;
	struct job_list none;
	job_list_init(&none);
	assert_int_equal(file_run(file, &none, start_ms, &left, &err), 0);
	assert_int_equal(file_run(file, &batch, start_ms, &left, &err), 0);
	assert_int_equal(left, 0); /* gathered just now */
	for (struct job *job; (job = job_list_take(&batch));)
		queue_job_free(MEM_CONTAINER(job, struct queue_job, job));
	const size_t expected[] = {3000 - 1024, 3000 - 2048, 0, 0};
	for (unsigned i = 0; i < 4; i++) {
		assert_int_equal(file_run(file, &none, start_ms + FILE_PHONES_MS, &left, &err), 0);
		assert_int_equal(left, expected[i]);
	}
	store_file_close(file);
	assert_int_equal(read_number("SELECT count(*) FROM phone"), 3000);
}

static void a_deleted_phone_row_stays_away(void **state)
{
	(void)state;
	for (unsigned when = 0; when < 3; when++) {
		struct store_file *file = open_file();
		struct err err;
		size_t left;
		struct job_list none;
		job_list_init(&none);
		for (unsigned phone = 0; phone < 1500; phone++)
			note_phone(file, phone, 1, 200, "", 1, 0);
		if (when == 1) /* a part of them is written, this one among the rest */
			assert_int_equal(file_run(file, &none, INT64_MAX, &left, &err), 0);
		if (when == 2)
			assert_int_equal(store_file_flush(file, &err), 0);
		write_one(file, make_job(1400, QUEUE_PHONE_DELETE, 1));
		write_one(file, make_job(2, QUEUE_PHONE_DELETE, 1));
		note_phone(file, 2, 0, 410, "", 0, 0);
		assert_int_equal(store_file_flush(file, &err), 0);
		store_file_close(file);
		assert_int_equal(read_number("SELECT count(*) FROM phone"), 1499);
		/* Made again later: nothing of the former one. */
		assert_int_equal(read_number("SELECT sum(last_push_ms) FROM phone"), 1498);
		assert_int_equal(read_number("SELECT count(*) FROM phone WHERE key = "
					     "x'00000578000000000000000000000000'"),
			0);
		assert_int_equal(unlink(path), 0);
	}
}

static bool log_has(const char *text)
{
	mem_auto char *log = mem_printf("%s-wal", path);
	FILE *file = fopen(log, "r");
	assert_non_null(file);
	static char bytes[1 << 20];
	size_t size = fread(bytes, 1, sizeof(bytes), file);
	fclose(file);
	return memmem(bytes, size, text, strlen(text));
}

static void nothing_of_a_deleted_push_stays_in_an_emptied_log(void **state)
{
	(void)state;
	struct store_file *file = open_file();
	struct queue_job *job = make_job(1, QUEUE_PUSH_PUT, 1);
	mem_auto char *token = mem_dup(job->target->token);
	write_one(file, job);
	write_one(file, make_job(1, QUEUE_PUSH_DELETE, 2));
	assert_true(log_has(token));
	write_one(file, make_job(0, QUEUE_EMPTY_LOG, 3));
	assert_false(log_has(token));
	store_file_close(file);
}

static void a_file_with_two_pushes_to_one_registration_is_damaged(void **state)
{
	(void)state;
	struct store_file *file = open_file();
	write_one(file, make_job(1, QUEUE_PUSH_PUT, 1));
	write_one(file, make_job(2, QUEUE_PUSH_PUT, 2));
	store_file_close(file);
	write_sql("UPDATE push SET key = (SELECT key FROM push WHERE number = 2)");
	file = open_file();
	struct loaded *loaded = mem_alloc_zero(1, sizeof(*loaded));
	struct err err;
	assert_int_equal(store_file_load(file, &loader, loaded, &err), -EBADMSG);
	assert_non_null(strstr(err.text, path));
	loaded_free(loaded);
	store_file_close(file);
}

static void a_number_that_leaves_no_next_one_is_damage(void **state)
{
	(void)state;
	struct store_file *file = open_file();
	write_one(file, make_job(1, QUEUE_PUSH_PUT, 1));
	store_file_close(file);
	write_sql("UPDATE push SET number = 9223372036854775807");
	file = open_file();
	struct loaded *loaded = mem_alloc_zero(1, sizeof(*loaded));
	struct err err;
	assert_int_equal(store_file_load(file, &loader, loaded, &err), -EBADMSG);
	loaded_free(loaded);
	store_file_close(file);
}

static void what_no_push_can_be_made_of_is_damage(void **state)
{
	static const char *const edits[] = {
		"UPDATE push SET account_id = ''",
		"UPDATE push SET account_id = 'a\"b'",
		"UPDATE push SET account_id = substr(hex(zeroblob(40)), 1, 65)",
		"UPDATE push SET token = ''",
		"UPDATE push SET token = hex(zeroblob(101))",
		"UPDATE push SET token = 'no token'",
		"UPDATE news SET hash = ''",
		"UPDATE news SET hash = 'aa'",
		"UPDATE news SET hash = upper(hash)",
		"UPDATE news SET hash = '\"' || substr(hash, 2)",
		"UPDATE news SET seq = -1",
		"INSERT INTO parked VALUES (0, 1, 'x')",
		"INSERT INTO parked VALUES (9223372036854775807, 1, 'x')",
	};
	(void)state;
	for (size_t i = 0; i < sizeof(edits) / sizeof(edits[0]); i++) {
		struct store_file *file = open_file();
		struct queue_job *job = make_job(1, QUEUE_PUSH_PUT | QUEUE_NEWS_PUT, 1);
		with_news(job, HASH_OF("aa"), QUEUE_URGENT);
		write_one(file, job);
		store_file_close(file);
		write_sql(edits[i]);
		file = open_file();
		struct loaded *loaded = mem_alloc_zero(1, sizeof(*loaded));
		struct err err;
		if (store_file_load(file, &loader, loaded, &err) != -EBADMSG)
			fail_msg("%s", edits[i]);
		loaded_free(loaded);
		store_file_close(file);
		assert_int_equal(unlink(path), 0);
	}
}

static void a_newer_schema_is_refused(void **state)
{
	(void)state;
	store_file_close(open_file());
	write_sql("PRAGMA user_version = 99");
	struct store_file *file = NULL;
	struct err err;
	assert_int_equal(store_file_open(path, &file, &err), -ENOTSUP);
	assert_null(file);
	assert_non_null(strstr(err.text, path));
	assert_non_null(strstr(err.text, "version 99"));
	assert_int_equal(read_number("PRAGMA user_version"), 99);
}

static void anothers_database_is_refused_and_left_as_it_is(void **state)
{
	(void)state;
	write_sql("CREATE TABLE mine (x)");
	struct store_file *file = NULL;
	struct err err;
	assert_int_equal(store_file_open(path, &file, &err), -EINVAL);
	assert_non_null(strstr(err.text, "another program"));
	assert_int_equal(read_number("SELECT count(*) FROM sqlite_schema"), 1);
}

static void a_file_that_is_no_database_is_refused(void **state)
{
	(void)state;
	FILE *stream = fopen(path, "w");
	for (int i = 0; i < 1000; i++)
		fputs("this is no database\n", stream);
	fclose(stream);
	struct store_file *file = NULL;
	struct err err;
	assert_int_equal(store_file_open(path, &file, &err), -EINVAL);
	assert_null(file);
	assert_non_null(strstr(err.text, path));
	assert_non_null(strstr(err.text, "a file of its own"));
}

static void a_missing_folder_is_named_with_its_remedy(void **state)
{
	(void)state;
	struct store_file *file = NULL;
	struct err err;
	snprintf(path, sizeof(path), "%s/missing/queue.sqlite", folder);
	assert_int_equal(store_file_open(path, &file, &err), -ENOENT);
	assert_non_null(strstr(err.text, path));
	assert_non_null(strstr(err.text, "make its folder"));
}

static void the_file_is_for_its_owner_alone(void **state)
{
	(void)state;
	struct store_file *file = open_file();
	write_one(file, make_job(1, QUEUE_PUSH_PUT, 1));
	struct stat stat_of;
	char wal[128];
	snprintf(wal, sizeof(wal), "%s-wal", path);
	assert_int_equal(stat(path, &stat_of), 0);
	assert_int_equal(stat_of.st_mode & 077, 0);
	assert_int_equal(stat(wal, &stat_of), 0);
	assert_int_equal(stat_of.st_mode & 077, 0);
	store_file_close(file);
}

static void wait_for(pid_t child)
{
	int status;
	assert_int_equal(waitpid(child, &status, 0), child);
	assert_true(WIFEXITED(status));
	assert_int_equal(WEXITSTATUS(status), 0);
}

static void a_file_that_another_process_holds_is_refused(void **state)
{
	(void)state;
	struct store_file *held = open_file();
	pid_t child = fork();
	if (!child) {
		struct store_file *file;
		struct err err;
		int code = store_file_open(path, &file, &err);
		_exit(code == -EBUSY && strstr(err.text, "another process") ? 0 : 1);
	}
	wait_for(child);
	store_file_close(held);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(a_push_comes_back_as_it_was),
		TEST(a_move_changes_the_rows_times_and_id_alone),
		TEST(settling_deletes_up_to_its_seq_and_of_its_key_alone),
		TEST(news_of_a_hash_is_one_row_that_can_be_dropped),
		TEST(news_stays_with_its_registration_over_deletes_and_reopening),
		TEST(parts_are_done_in_their_order),
		TEST(a_deleted_push_takes_its_news_along),
		TEST(rows_are_listed_in_order),
		TEST(what_is_parked_comes_back_byte_for_byte),
		TEST(phone_rows_are_merged_in_memory_and_on_disk),
		TEST(phone_rows_are_written_in_slices_once_their_time_has_come),
		TEST(a_deleted_phone_row_stays_away),
		TEST(nothing_of_a_deleted_push_stays_in_an_emptied_log),
		TEST(a_file_with_two_pushes_to_one_registration_is_damaged),
		TEST(a_number_that_leaves_no_next_one_is_damage),
		TEST(what_no_push_can_be_made_of_is_damage),
		TEST(a_newer_schema_is_refused),
		TEST(anothers_database_is_refused_and_left_as_it_is),
		TEST(a_file_that_is_no_database_is_refused),
		TEST(a_missing_folder_is_named_with_its_remedy),
		TEST(the_file_is_for_its_owner_alone),
		TEST(a_file_that_another_process_holds_is_refused),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}

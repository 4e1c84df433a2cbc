#include "onfile.h"

#include "base/mem.h"

#include <errno.h>
#include <setjmp.h>
#include <sqlite3.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>

#include <cmocka.h>

char folder[64];
char path[96];

int setup(void **state)
{
	(void)state;
	strcpy(folder, "/tmp/test-queue-XXXXXX");
	if (!mkdtemp(folder))
		return -1;
	snprintf(path, sizeof(path), "%s/queue.sqlite", folder);
	return 0;
}

int teardown(void **state)
{
	(void)state;
	char command[128];
	snprintf(command, sizeof(command), "rm -rf '%s'", folder);
	return system(command);
}

static void load_push(void *ctx, int64_t row, struct push_target *target,
	const uint8_t apns_id[QUEUE_APNS_ID_SIZE], int64_t due_ms, unsigned attempts,
	bool is_doubted, int64_t first_ms, int64_t last_push_ms)
{
	struct loaded *loaded = ctx;
	struct loaded_push *push = &loaded->pushes[loaded->push_count++];
	*push = (struct loaded_push){.row = row,
		.target = target,
		.due_ms = due_ms,
		.attempts = attempts,
		.is_doubted = is_doubted,
		.first_ms = first_ms,
		.last_push_ms = last_push_ms};
	memcpy(push->apns_id, apns_id, sizeof(push->apns_id));
}

static void load_news(
	void *ctx, const struct registry_key *key, int64_t row, const struct queue_news *news)
{
	(void)row;
	struct loaded *loaded = ctx;
	loaded->news[loaded->news_count++] = (struct loaded_news){*key, *news};
}

static void load_parked(
	void *ctx, uint64_t parked_id, int64_t received_ms, const char *raw, size_t raw_size)
{
	struct loaded *loaded = ctx;
	struct loaded_parked *parked = &loaded->parked[loaded->parked_count++];
	*parked = (struct loaded_parked){parked_id, received_ms, {0}, raw_size};
	assert_true(raw_size < sizeof(parked->raw));
	memcpy(parked->raw, raw, raw_size);
}

const struct store_loader loader = {load_push, load_news, load_parked};

void loaded_free(struct loaded *loaded)
{
	for (size_t i = 0; i < loaded->push_count; i++)
		push_target_free(loaded->pushes[i].target);
	free(loaded);
}

struct store_file *open_file(void)
{
	struct store_file *file = NULL;
	struct err err;
	if (store_file_open(path, &file, &err))
		fail_msg("%s", err.text);
	return file;
}

struct loaded *load(struct store_file *file)
{
	struct loaded *loaded = mem_alloc_zero(1, sizeof(*loaded));
	struct err err;
	if (store_file_load(file, &loader, loaded, &err))
		fail_msg("%s", err.text);
	return loaded;
}

/* What stands in the file, seen by one who opens it anew. */
struct loaded *reload(struct store_file *file)
{
	store_file_close(file);
	file = open_file();
	struct loaded *loaded = load(file);
	store_file_close(file);
	return loaded;
}

struct registry_key make_key(unsigned phone)
{
	struct registry_key key = {{0}};
	for (int i = 0; i < 4; i++)
		key.bytes[i] = (uint8_t)(phone >> (24 - 8 * i)); /* in order of number */
	return key;
}

struct queue_job *make_job(unsigned phone, unsigned parts, uint64_t seq)
{
	struct queue_job *job = queue_job_new();
	job->key = make_key(phone);
	job->row = phone + 1;
	job->parts = parts;
	job->seq = seq;
	if (parts & QUEUE_PUSH_PUT)
		job->target = push_target_new(&job->key, "anna@example.org", "aabbcc", "account-1",
			"com.apple.mail.XServer.x", 2, true, false, 77);
	return job;
}

void with_news(struct queue_job *job, const char *hash, enum queue_urgency urgency)
{
	job->news = mem_realloc_array(job->news, job->news_count + 1, sizeof(*job->news));
	struct queue_news *news = &job->news[job->news_count++];
	*news = (struct queue_news){
		.first_ms = 1234, .urgent_ms = urgency == QUEUE_URGENT ? 1235 : 0, .seq = job->seq};
	snprintf(news->hash, sizeof(news->hash), "%s", hash);
}

static int run_one(struct store_file *file, struct queue_job *job, struct err *err)
{
	struct job_list batch;
	job_list_init(&batch);
	job_list_append(&batch, &job->job);
	int code = store_file_run(file, &batch, err);
	queue_job_free(job);
	return code;
}

void write_one(struct store_file *file, struct queue_job *job)
{
	struct err err;
	if (run_one(file, job, &err))
		fail_msg("%s", err.text);
}

int64_t read_number(const char *sql)
{
	sqlite3 *db = NULL;
	sqlite3_stmt *statement = NULL;
	assert_int_equal(sqlite3_open(path, &db), SQLITE_OK);
	assert_int_equal(sqlite3_prepare_v2(db, sql, -1, &statement, NULL), SQLITE_OK);
	assert_int_equal(sqlite3_step(statement), SQLITE_ROW);
	int64_t number = sqlite3_column_int64(statement, 0);
	sqlite3_finalize(statement);
	sqlite3_close(db);
	return number;
}

void write_sql(const char *sql)
{
	sqlite3 *db = NULL;
	assert_int_equal(sqlite3_open(path, &db), SQLITE_OK);
	assert_int_equal(sqlite3_exec(db, sql, NULL, NULL, NULL), SQLITE_OK);
	sqlite3_close(db);
}

void spoil(int64_t page)
{
	FILE *file = fopen(path, "r+");
	assert_non_null(file);
	assert_int_equal(fseek(file, (long)(page - 1) * 8192, SEEK_SET), 0);
	for (int i = 0; i < 8192; i++)
		fputc(0xa5, file);
	assert_int_equal(fclose(file), 0);
}

int64_t phone_page(void)
{
	store_file_close(open_file());
	return read_number("SELECT rootpage FROM sqlite_schema WHERE name = 'phone'");
}

void fill(struct job_list *batch)
{
	for (unsigned i = 0; i < 2000; i++) {
		struct queue_job *job = make_job(i, QUEUE_PUSH_PUT | QUEUE_NEWS_PUT, i + 1);
		with_news(job, "0123456789abcdef0123456789abcdef", QUEUE_URGENT);
		job->status = -ECANCELED;
		job_list_append(batch, &job->job);
	}
}

void set_file_limit(rlim_t bytes)
{
	struct rlimit limit;
	assert_int_equal(getrlimit(RLIMIT_FSIZE, &limit), 0);
	limit.rlim_cur = bytes == RLIM_INFINITY ? limit.rlim_max : bytes;
	assert_int_equal(setrlimit(RLIMIT_FSIZE, &limit), 0);
}

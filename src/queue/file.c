#include "queue/file.h"

#include "base/clock.h"
#include "base/mem.h"
#include "queue/damaged_file.h"
#include "queue/phones.h"
#include "queue/queue_listing.h"
#include "sqlite/sqlite_file.h"

#include <assert.h>
#include <errno.h>
#include <sqlite3.h>
#include <string.h>

#define PHONES_A_BATCH 1024 /* and as many as the batch may bring, so that they never pile up */

static const char *const steps[] = {
	"CREATE TABLE push (number INTEGER PRIMARY KEY, key BLOB NOT NULL, user TEXT NOT NULL,"
	" token TEXT NOT NULL,"
	" account_id TEXT NOT NULL, topic TEXT NOT NULL, aps_version INTEGER NOT NULL,"
	" confirmed INTEGER NOT NULL, inbox_only INTEGER NOT NULL, renewed_ms INTEGER NOT NULL,"
	" apns_id BLOB NOT NULL, due_ms INTEGER NOT NULL, attempts INTEGER NOT NULL,"
	" first_ms INTEGER NOT NULL, doubted INTEGER NOT NULL);"
	"CREATE TABLE news (number INTEGER NOT NULL, hash TEXT NOT NULL, first_ms INTEGER NOT NULL,"
	" urgent_ms INTEGER NOT NULL, seq INTEGER NOT NULL, PRIMARY KEY (number, hash))"
	" WITHOUT ROWID;"
	"CREATE TABLE parked (parked_id INTEGER PRIMARY KEY, received_ms INTEGER NOT NULL,"
	" raw BLOB NOT NULL);"
	"CREATE TABLE phone (key BLOB PRIMARY KEY, last_push_ms INTEGER NOT NULL,"
	" last_status INTEGER NOT NULL, last_reason TEXT NOT NULL, last_event_ms INTEGER NOT NULL)"
	" WITHOUT ROWID;",
};

/* Sole owner: no shared memory, and locks are taken once. */
static const struct sqlite_file_kind queue_file = {
	.name = "queue",
	.application_id = 0x6d707175, /* "mpqu" */
	.steps = steps,
	.step_count = sizeof(steps) / sizeof(steps[0]),
	.mode = 0600,
	.busy_ms = 1000,
	.always_writes = true,
	.is_salvaged = true,
	.before = "PRAGMA locking_mode = EXCLUSIVE; PRAGMA page_size = 8192;",
	.pragmas = "PRAGMA journal_mode = WAL;"
		   "PRAGMA secure_delete = ON;"
		   "PRAGMA synchronous = FULL;"
		   "PRAGMA wal_autocheckpoint = 2000;"
		   "PRAGMA journal_size_limit = 67108864;"
		   "PRAGMA temp_store = MEMORY;"
		   "PRAGMA cache_size = -65536;",
	.damaged = "restart mailpushd, which makes a new file of what can be read of it",
	.log_damaged = "a new file is made of what can be read",
	.replaced = "pending news that only the old file holds is lost then",
};

enum statement {
	BEGIN,
	COMMIT,
	ROLLBACK,
	PUSH_PUT,
	PUSH_MOVE,
	PUSH_DELETE,
	NEWS_PUT,
	NEWS_SETTLE,
	NEWS_DROP,
	NEWS_DELETE,
	PHONE_PUT,
	PHONE_DELETE,
	PARK,
	UNPARK,
	STATEMENTS
};

static const char *const statement_text[STATEMENTS] = {
	[BEGIN] = "BEGIN",
	[COMMIT] = "COMMIT",
	[ROLLBACK] = "ROLLBACK",
	[PUSH_PUT] = "INSERT OR REPLACE INTO push (number, user, token, account_id, topic,"
		     " aps_version, confirmed, inbox_only, renewed_ms, apns_id, due_ms, attempts,"
		     " first_ms, key, doubted)"
		     " VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
	[PUSH_MOVE] = "UPDATE push SET apns_id = ?2, due_ms = ?3, attempts = ?4, doubted = ?5"
		      " WHERE number = ?1",
	[PUSH_DELETE] = "DELETE FROM push WHERE number = ?",
	[NEWS_PUT] = "INSERT OR REPLACE INTO news (number, hash, first_ms, urgent_ms, seq)"
		     " VALUES (?, ?, ?, ?, ?)",
	[NEWS_SETTLE] = "DELETE FROM news WHERE number = ? AND seq <= ?",
	[NEWS_DROP] = "DELETE FROM news WHERE number = ? AND hash = ?",
	[NEWS_DELETE] = "DELETE FROM news WHERE number = ?",
	[PHONE_PUT] = "INSERT INTO phone (key, last_push_ms, last_status, last_reason,"
		      " last_event_ms) VALUES (?, ?, ?, ?, ?) ON CONFLICT (key) DO UPDATE SET"
		      " last_push_ms = ifnull(nullif(excluded.last_push_ms, 0), last_push_ms),"
		      " last_status = excluded.last_status, last_reason = excluded.last_reason,"
		      " last_event_ms = ifnull(nullif(excluded.last_event_ms, 0), last_event_ms)",
	[PHONE_DELETE] = "DELETE FROM phone WHERE key = ?",
	[PARK] = "INSERT OR REPLACE INTO parked (parked_id, received_ms, raw) VALUES (?, ?, ?)",
	[UNPARK] = "DELETE FROM parked WHERE parked_id = ?",
};

struct store_file {
	struct sqlite_file file;
	sqlite3_stmt *statements[STATEMENTS];
	struct phones phones;
	int64_t sorted_ms; /* when phones were last sorted */
};

int file_fail(const struct store_file *file, struct err *err, const char *doing)
{
	return sqlite_file_error(&file->file, doing, err);
}

static int execute(struct store_file *file, const char *sql, struct err *err)
{
	if (sqlite3_exec(file->file.db, sql, NULL, NULL, NULL) != SQLITE_OK)
		return file_fail(file, err, "open");
	return 0;
}

/* News of nobody could get the number of somebody else. */
static int clean(struct store_file *file, struct err *err)
{
	return execute(file, "DELETE FROM news WHERE number NOT IN (SELECT number FROM push)", err);
}

sqlite3 *file_db(const struct store_file *file)
{
	return file->file.db;
}

const char *file_path(const struct store_file *file)
{
	return file->file.path;
}

void file_leave_log(struct store_file *file)
{
	if (file->file.db)
		sqlite3_db_config(file->file.db, SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, 1, NULL);
}

int file_drop_doubles(struct store_file *file, struct err *err)
{
	return execute(file,
		"DELETE FROM push WHERE number NOT IN (SELECT max(number) FROM push GROUP BY key)",
		err);
}

static int open_database(struct store_file *file, const char *path, struct err *err)
{
	int code = sqlite_file_open(&file->file, &queue_file, path, err);
	if (!code)
		code = sqlite_file_prepare(&file->file, err);
	if (!code)
		code = clean(file, err);
	if (!code)
		code = sqlite_file_statements(
			&file->file, statement_text, STATEMENTS, file->statements, err);
	return code;
}

int store_file_open(const char *path, struct store_file **ret, struct err *err)
{
	struct store_file *file = mem_alloc_zero(1, sizeof(*file));
	file->sorted_ms = clock_monotonic_ms();
	phones_init(&file->phones);
	int code = damaged_file_settle(path, err);
	if (!code)
		code = open_database(file, path, err);
	if (code == -EBADMSG && !damaged_file_may_be_queue(path))
		code = err_set(err, -EINVAL,
			"cannot open queue '%s': it is no queue; set `queue` to a file of its own",
			path);
	if (code && code != -EBADMSG) {
		store_file_close(file);
		return code;
	}
	*ret = file;
	return code;
}

void store_file_close(struct store_file *file)
{
	if (!file)
		return;
	sqlite_file_drop_statements(file->statements, STATEMENTS);
	sqlite_file_close(&file->file);
	phones_fini(&file->phones);
	free(file);
}

static sqlite3_stmt *with_key(
	struct store_file *file, enum statement which, const struct registry_key *key)
{
	sqlite3_stmt *statement = file->statements[which];
	sqlite3_bind_blob(statement, 1, key->bytes, sizeof(key->bytes), SQLITE_STATIC);
	return statement;
}

static sqlite3_stmt *with_number(struct store_file *file, enum statement which, int64_t number)
{
	sqlite3_stmt *statement = file->statements[which];
	sqlite3_bind_int64(statement, 1, number);
	return statement;
}

static void bind_text(sqlite3_stmt *statement, int at, const char *text)
{
	sqlite3_bind_text(statement, at, text, -1, SQLITE_STATIC);
}

static int done(struct store_file *file, sqlite3_stmt *statement, struct err *err)
{
	int code = 0;
	if (sqlite3_step(statement) != SQLITE_DONE)
		code = file_fail(file, err, "write");
	sqlite3_reset(statement);
	return code;
}

static int put_push(struct store_file *file, const struct queue_job *job, struct err *err)
{
	const struct push_target *target = job->target;
	sqlite3_stmt *statement = with_number(file, PUSH_PUT, job->row);
	bind_text(statement, 2, target->user);
	bind_text(statement, 3, target->token);
	bind_text(statement, 4, target->account_id);
	bind_text(statement, 5, target->topic);
	sqlite3_bind_int(statement, 6, target->aps_version);
	sqlite3_bind_int(statement, 7, target->confirmed);
	sqlite3_bind_int(statement, 8, target->inbox_only);
	sqlite3_bind_int64(statement, 9, target->renewed_ms);
	sqlite3_bind_blob(statement, 10, job->apns_id, sizeof(job->apns_id), SQLITE_STATIC);
	sqlite3_bind_int64(statement, 11, job->due_ms);
	sqlite3_bind_int64(statement, 12, job->attempts);
	sqlite3_bind_int64(statement, 13, job->first_ms);
	sqlite3_bind_blob(statement, 14, job->key.bytes, sizeof(job->key.bytes), SQLITE_STATIC);
	sqlite3_bind_int(statement, 15, job->is_doubted);
	return done(file, statement, err);
}

static int move_push(struct store_file *file, const struct queue_job *job, struct err *err)
{
	sqlite3_stmt *statement = with_number(file, PUSH_MOVE, job->row);
	sqlite3_bind_blob(statement, 2, job->apns_id, sizeof(job->apns_id), SQLITE_STATIC);
	sqlite3_bind_int64(statement, 3, job->due_ms);
	sqlite3_bind_int64(statement, 4, job->attempts);
	sqlite3_bind_int(statement, 5, job->is_doubted);
	return done(file, statement, err);
}

static int put_news(struct store_file *file, const struct queue_job *job, struct err *err)
{
	sqlite3_stmt *statement = with_number(file, NEWS_PUT, job->row);
	int code = 0;
	for (size_t i = 0; !code && i < job->news_count; i++) {
		bind_text(statement, 2, job->news[i].hash);
		sqlite3_bind_int64(statement, 3, job->news[i].first_ms);
		sqlite3_bind_int64(statement, 4, job->news[i].urgent_ms);
		sqlite3_bind_int64(statement, 5, (int64_t)job->news[i].seq);
		code = done(file, statement, err);
	}
	return code;
}

static int settle_news(struct store_file *file, const struct queue_job *job, struct err *err)
{
	sqlite3_stmt *statement = with_number(file, NEWS_SETTLE, job->row);
	sqlite3_bind_int64(statement, 2, (int64_t)job->upto_seq);
	return done(file, statement, err);
}

static int drop_news(struct store_file *file, const struct queue_job *job, struct err *err)
{
	sqlite3_stmt *statement = with_number(file, NEWS_DROP, job->row);
	int code = 0;
	for (size_t i = 0; !code && i < job->news_count; i++) {
		bind_text(statement, 2, job->news[i].hash);
		code = done(file, statement, err);
	}
	return code;
}

static int delete_push(struct store_file *file, const struct queue_job *job, struct err *err)
{
	int code = done(file, with_number(file, PUSH_DELETE, job->row), err);
	if (!code)
		code = done(file, with_number(file, NEWS_DELETE, job->row), err);
	return code;
}

static int park(struct store_file *file, const struct queue_job *job, struct err *err)
{
	sqlite3_stmt *statement = file->statements[PARK];
	sqlite3_bind_int64(statement, 1, (int64_t)job->parked_id);
	sqlite3_bind_int64(statement, 2, job->parked_received_ms);
	/* A NULL pointer would be an SQL NULL. */
	sqlite3_bind_blob64(
		statement, 3, job->raw_size ? job->raw : "", job->raw_size, SQLITE_STATIC);
	return done(file, statement, err);
}

static int unpark(struct store_file *file, const struct queue_job *job, struct err *err)
{
	sqlite3_stmt *statement = file->statements[UNPARK];
	sqlite3_bind_int64(statement, 1, (int64_t)job->parked_id);
	return done(file, statement, err);
}

static int delete_phone(struct store_file *file, const struct queue_job *job, struct err *err)
{
	return done(file, with_key(file, PHONE_DELETE, &job->key), err);
}

static int read_rows(struct store_file *file, const struct queue_job *job, struct err *err)
{
	if (queue_listing_run(file->file.db, &file->phones, job->parts, job->reading))
		return 0;
	return file_fail(file, err, "read");
}

static const struct {
	unsigned part;
	int (*write)(struct store_file *file, const struct queue_job *job, struct err *err);
} parts[] = {
	{QUEUE_PUSH_PUT, put_push},
	{QUEUE_PUSH_MOVE, move_push},
	{QUEUE_NEWS_PUT, put_news},
	{QUEUE_NEWS_SETTLE, settle_news},
	{QUEUE_NEWS_DROP, drop_news},
	{QUEUE_PUSH_DELETE, delete_push},
	/* QUEUE_PHONE is gathered, see gather(). */
	{QUEUE_PHONE_DELETE, delete_phone},
	{QUEUE_PARK, park},
	{QUEUE_UNPARK, unpark},
	{QUEUE_READ, read_rows},
};

static int write_job(struct store_file *file, const struct queue_job *job, struct err *err)
{
	int code = 0;
	for (size_t i = 0; !code && i < sizeof(parts) / sizeof(parts[0]); i++) {
		if (job->parts & parts[i].part)
			code = parts[i].write(file, job, err);
	}
	return code;
}

static int write_phones(struct store_file *file, size_t count, struct err *err)
{
	sqlite3_stmt *statement = file->statements[PHONE_PUT];
	int code = 0;
	for (size_t i = 0; !code && i < count; i++) {
		const struct phone *phone = phones_peek(&file->phones, i);
		if (phone->is_removed)
			continue;
		with_key(file, PHONE_PUT, &phone->key);
		sqlite3_bind_int64(statement, 2, phone->last.last_push_ms);
		sqlite3_bind_int(statement, 3, phone->last.last_status);
		bind_text(statement, 4, phone->last.last_reason);
		sqlite3_bind_int64(statement, 5, phone->last.last_event_ms);
		code = done(file, statement, err);
	}
	return code;
}

/* Some phone rows first: a job may delete one of them. */
static int write_all(
	struct store_file *file, const struct job_list *batch, size_t phone_count, struct err *err)
{
	int code = sqlite_file_check(&file->file, err);
	if (!code)
		code = done(file, file->statements[BEGIN], err);
	if (!code)
		code = write_phones(file, phone_count, err);
	for (const struct job *job = batch->first; !code && job; job = job->next)
		code = write_job(file, MEM_CONTAINER(job, struct queue_job, job), err);
	if (!code)
		code = done(file, file->statements[COMMIT], err);
	/* Some failures have rolled back by themselves. */
	if (code && !sqlite3_get_autocommit(file->file.db)) {
		struct err ignored;
		done(file, file->statements[ROLLBACK], &ignored);
	}
	return code;
}

/* After the commit, so that a batch that is tried again is gathered once. */
static void gather(struct store_file *file, const struct queue_job *job)
{
	if (job->parts & QUEUE_PHONE)
		phones_put(&file->phones, &job->key, &job->phone);
	if (job->parts & QUEUE_PHONE_DELETE)
		phones_remove(&file->phones, &job->key);
}

int file_run(struct store_file *file, struct job_list *batch, int64_t now_ms, size_t *ret_left,
	struct err *err)
{
	struct phones *phones = &file->phones;
	size_t gathered = phones_gathered(phones);
	if (!phones_to_write(phones) && gathered &&
		(gathered >= FILE_PHONES_MAX || now_ms - file->sorted_ms >= FILE_PHONES_MS)) {
		phones_sort(phones);
		file->sorted_ms = now_ms;
	}
	size_t count = phones_to_write(phones);
	if (count > PHONES_A_BATCH + batch->count)
		count = PHONES_A_BATCH + batch->count;

	int code = write_all(file, batch, count, err);
	if (code)
		return code;
	phones_wrote(phones, count);
	bool empties_log = false;
	for (struct job *job = batch->first; job; job = job->next) {
		struct queue_job *done_job = MEM_CONTAINER(job, struct queue_job, job);
		gather(file, done_job);
		empties_log |= done_job->parts & QUEUE_EMPTY_LOG;
		done_job->status = 0;
	}
	if (empties_log)
		sqlite_file_empty_log(&file->file);
	*ret_left = phones_to_write(phones);
	return 0;
}

int store_file_run(struct store_file *file, struct job_list *batch, struct err *err)
{
	size_t left;
	return file_run(file, batch, clock_monotonic_ms(), &left, err);
}

int store_file_flush(struct store_file *file, struct err *err)
{
	struct job_list none;
	job_list_init(&none);
	for (;;) {
		if (!phones_to_write(&file->phones)) {
			if (!phones_gathered(&file->phones))
				return 0;
			phones_sort(&file->phones);
		}
		size_t count = phones_to_write(&file->phones);
		int code = write_all(file, &none, count, err);
		if (code)
			return code;
		phones_wrote(&file->phones, count);
	}
}

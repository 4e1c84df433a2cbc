/*
 * file - the SQLite file behind store.
 *
 * One thread at a time.
 */
#ifndef MAILPUSH_QUEUE_FILE_H
#define MAILPUSH_QUEUE_FILE_H

#include "base/err.h"
#include "schedule/job.h"

#include <stddef.h>
#include <stdint.h>

/* Gets what is in the file at the start, in order of key, of seq, of parked_id. */
struct store_loader {
	/* The target is handed over. */
	void (*push)(void *ctx, int64_t row, struct push_target *target,
		const uint8_t apns_id[QUEUE_APNS_ID_SIZE], int64_t due_ms, unsigned attempts,
		bool is_doubted, int64_t first_ms, int64_t last_push_ms);
	/* `row`: of its push. */
	void (*news)(void *ctx, const struct registry_key *key, int64_t row,
		const struct queue_news *news);
	void (*parked)(void *ctx, uint64_t parked_id, int64_t received_ms, const char *raw,
		size_t raw_size);
};

struct store_file;
/* After -EBADMSG too there is a file, to be salvaged or closed. */
int store_file_open(const char *path, struct store_file **ret, struct err *err);
/* -EBADMSG: some of it is damaged.  `loader` NULL: the file is only read through. */
int store_file_load(
	struct store_file *file, const struct store_loader *loader, void *ctx, struct err *err);
int store_file_run(struct store_file *file, struct job_list *batch, struct err *err);
int store_file_flush(struct store_file *file, struct err *err); /* the phone rows */
void store_file_close(struct store_file *file);

/* How long phone rows are gathered, and how many. */
#define FILE_PHONES_MS INT64_C(10000)
#define FILE_PHONES_MAX 262144

/* As store_file_run, with the time given.  `ret_left`: phone rows due to be written and not yet. */
int file_run(struct store_file *file, struct job_list *batch, int64_t now_ms, size_t *ret_left,
	struct err *err);

/* NULL: it could not be opened so far. */
struct sqlite3 *file_db(const struct store_file *file);
const char *file_path(const struct store_file *file);
/* Right after a call of SQLite's failed; `doing` is a verb. */
int file_fail(const struct store_file *file, struct err *err, const char *doing);
/* The file is damaged: what is in its log stays there when it is closed, nothing writes to it. */
void file_leave_log(struct store_file *file);
/* Of several pushes to one registration the last one stays. */
int file_drop_doubles(struct store_file *file, struct err *err);

#endif

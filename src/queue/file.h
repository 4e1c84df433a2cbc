/*
 * file - the SQLite file behind store; what tools and tests need of it stands in store.h.
 *
 * One thread at a time.
 */
#ifndef MAILPUSH_QUEUE_FILE_H
#define MAILPUSH_QUEUE_FILE_H

#include "queue/store.h"

#include <stdint.h>

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

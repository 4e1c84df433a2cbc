#include "queue/queue_listing.h"

#include "base/mem.h"

#include <stdlib.h>
#include <string.h>

/* News is in the order of its push's number, which grows: the oldest is in front. */
#define OLDEST_AMONG "1000"

static sqlite3_stmt *prepare(sqlite3 *db, const char *sql)
{
	sqlite3_stmt *statement = NULL;
	return sqlite3_prepare_v2(db, sql, -1, &statement, NULL) == SQLITE_OK ? statement : NULL;
}

/* Ends a statement that was stepped to `result`. */
static bool finish(sqlite3_stmt *statement, int result)
{
	sqlite3_finalize(statement);
	return result == SQLITE_DONE;
}

static void copy_text(char *to, size_t size, const unsigned char *text)
{
	strncpy(to, text ? (const char *)text : "", size - 1);
	to[size - 1] = '\0';
}

static bool read_phones(sqlite3 *db, const struct phones *phones, struct queue_reading *reading)
{
	sqlite3_stmt *statement = prepare(db,
		"SELECT last_push_ms, last_status, last_reason, last_event_ms FROM phone"
		" WHERE key = ?");
	if (!statement)
		return false;
	int result = SQLITE_DONE;
	for (size_t i = 0; i < reading->key_count && result == SQLITE_DONE; i++) {
		const struct registry_key *key = &reading->keys[i];
		struct queue_phone *phone = &reading->phones[i];
		*phone = (struct queue_phone){0};
		sqlite3_bind_blob(statement, 1, key->bytes, sizeof(key->bytes), SQLITE_STATIC);
		while ((result = sqlite3_step(statement)) == SQLITE_ROW) {
			phone->last_push_ms = sqlite3_column_int64(statement, 0);
			phone->last_status = sqlite3_column_int(statement, 1);
			copy_text(phone->last_reason, sizeof(phone->last_reason),
				sqlite3_column_text(statement, 2));
			phone->last_event_ms = sqlite3_column_int64(statement, 3);
		}
		sqlite3_reset(statement);
	}
	phones_lay_over(phones, reading->keys, reading->key_count, reading->phones);
	return finish(statement, result);
}

static const char *text_of(sqlite3_stmt *statement, int column)
{
	const unsigned char *text = sqlite3_column_text(statement, column);
	return text ? (const char *)text : "";
}

static void add_waiting(struct queue_reading *reading, sqlite3_stmt *statement)
{
	struct registry_key key = {0};
	if (sqlite3_column_bytes(statement, 1) == sizeof(key.bytes))
		memcpy(key.bytes, sqlite3_column_blob(statement, 1), sizeof(key.bytes));
	reading->waiting = mem_realloc_array(
		reading->waiting, reading->waiting_count + 1, sizeof(*reading->waiting));
	reading->waiting[reading->waiting_count++] = (struct queue_waiting){
		.row = sqlite3_column_int64(statement, 0),
		.target = push_target_new(&key, text_of(statement, 2), text_of(statement, 3),
			text_of(statement, 4), text_of(statement, 5),
			sqlite3_column_int(statement, 6), sqlite3_column_int(statement, 7) != 0,
			sqlite3_column_int(statement, 8) != 0, sqlite3_column_int64(statement, 9)),
		.due_ms = sqlite3_column_int64(statement, 10),
		.attempts = (unsigned)sqlite3_column_int64(statement, 11),
		.first_ms = sqlite3_column_int64(statement, 12),
		.hash_count = (unsigned)sqlite3_column_int64(statement, 13),
		.is_urgent = sqlite3_column_int64(statement, 14) != 0,
	};
}

static bool read_page(sqlite3 *db, struct queue_reading *reading)
{
	queue_reading_fini(reading);
	reading->has_more = false;
	sqlite3_stmt *statement = prepare(db,
		"SELECT p.number, p.key, p.user, p.token, p.account_id, p.topic, p.aps_version,"
		" p.confirmed, p.inbox_only, p.renewed_ms, p.due_ms, p.attempts,"
		" ifnull(min(n.first_ms), p.first_ms), count(n.hash), ifnull(max(n.urgent_ms), 0)"
		" FROM (SELECT * FROM push WHERE number > ?1 ORDER BY number LIMIT ?2) p"
		" LEFT JOIN news n ON n.number = p.number GROUP BY p.number ORDER BY p.number");
	if (!statement)
		return false;
	sqlite3_bind_int64(statement, 1, reading->after_row);
	sqlite3_bind_int64(statement, 2, (int64_t)reading->limit + 1);
	int result;
	while ((result = sqlite3_step(statement)) == SQLITE_ROW) {
		reading->has_more = reading->waiting_count == reading->limit;
		if (!reading->has_more)
			add_waiting(reading, statement);
	}
	return finish(statement, result);
}

static bool read_totals(sqlite3 *db, struct queue_reading *reading)
{
	sqlite3_stmt *statement = prepare(db,
		"SELECT (SELECT page_count * page_size FROM pragma_page_count(),"
		" pragma_page_size()), (SELECT min(first_ms) FROM"
		" (SELECT first_ms FROM news n"
		"  WHERE (SELECT due_ms FROM push WHERE number = n.number) <> ?1"
		"  ORDER BY number LIMIT " OLDEST_AMONG "))");
	if (!statement)
		return false;
	/* A push can be suspended for days, and nothing is wrong with it. */
	sqlite3_bind_int64(statement, 1, QUEUE_DUE_SUSPENDED);
	int result = sqlite3_step(statement);
	if (result == SQLITE_ROW) {
		reading->bytes = (uint64_t)sqlite3_column_int64(statement, 0);
		reading->oldest_ms = sqlite3_column_int64(statement, 1);
		result = SQLITE_DONE;
	}
	return finish(statement, result);
}

bool queue_listing_run(
	sqlite3 *db, const struct phones *phones, unsigned parts, struct queue_reading *reading)
{
	if (parts & QUEUE_READ_PHONES && !read_phones(db, phones, reading))
		return false;
	if (parts & QUEUE_READ_PAGE && !read_page(db, reading))
		return false;
	return !(parts & QUEUE_READ_TOTALS) || read_totals(db, reading);
}

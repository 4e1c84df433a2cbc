/*
 * pgvalue - values in PostgreSQL's binary form: the parameters of a statement, the columns of a
 * row.
 *
 * An array is one parameter, however many values it has, so that one statement does what is asked
 * of many rows (`unnest`).  Nothing is escaped and nothing is parsed.  Text is UTF-8.
 *
 * Pure; embedded; one owner.
 */
#ifndef MAILPUSH_POSTGRESQL_PGVALUE_H
#define MAILPUSH_POSTGRESQL_PGVALUE_H

#include "base/buf.h"

#include <libpq-fe.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define PGVALUES_MAX 20
/* Of a statement; servers take no more than 1 GB, and int counts it. */
#define PGVALUES_SIZE_MAX ((size_t)64 << 20)

/* The OIDs of pg_type, which never change. */
enum pgvalue_type {
	PGVALUE_BOOL = 16,
	PGVALUE_BYTES = 17,
	PGVALUE_NUMBER = 20,
	PGVALUE_NARROW = 23, /* a number in an answer; never sent */
	PGVALUE_TEXT = 25,
};

struct pgvalue {
	enum pgvalue_type type;
	bool is_array;
	uint32_t count; /* of an array's elements */
	struct buf bytes;
};

/* The parameters of a statement, in their order: $1, $2, ... */
struct pgvalues {
	struct pgvalue values[PGVALUES_MAX];
	size_t count;
};

void pgvalues_init(struct pgvalues *values);
void pgvalues_fini(struct pgvalues *values);
#define pgvalues_auto __attribute__((cleanup(pgvalues_fini)))

void pgvalues_number(struct pgvalues *values, int64_t number);
void pgvalues_text(struct pgvalues *values, const char *text);
void pgvalues_bytes(struct pgvalues *values, const void *bytes, size_t size);

/* The next parameter is an array, empty for now, to which the functions below append. */
struct pgvalue *pgvalues_array(struct pgvalues *values, enum pgvalue_type type);
void pgvalue_add_bool(struct pgvalue *array, bool is_true);
void pgvalue_add_number(struct pgvalue *array, int64_t number);
void pgvalue_add_text(struct pgvalue *array, const char *text); /* NULL is NULL */
void pgvalue_add_bytes(struct pgvalue *array, const void *bytes, size_t size);

/* In bytes, of all; NULL has none. */
size_t pgvalues_size(const struct pgvalues *values);
/* As PQsendQueryParams, with a binary result; of PGVALUES_SIZE_MAX at most. */
int pgvalues_send(const struct pgvalues *values, PGconn *conn, const char *sql);

/*
 * Before a result is read: does it have these columns in binary form, and each value the size of
 * its kind?  A letter is a column: `n` a number, `b` a bool, `k` bytes, `t` text.  Returns NULL, or
 * what is wrong.
 */
const char *pgvalue_check(const PGresult *result, const char *columns);
/* The same of a result that has one row. */
const char *pgvalue_check_one(const PGresult *result, const char *columns);
/* Which of `count` things a row is about, of a column that counts from 1.  False: none of them. */
bool pgvalue_ordinal(const PGresult *result, int row, int column, size_t count, size_t *ret_index);

/* Of a binary result that was checked; what is NULL is 0, false or "". */
int64_t pgvalue_number(const PGresult *result, int row, int column);
bool pgvalue_bool(const PGresult *result, int row, int column);
const char *pgvalue_text(const PGresult *result, int row, int column);
/* All zero if it does not have that size. */
void pgvalue_bytes(const PGresult *result, int row, int column, void *ret, size_t size);

#endif

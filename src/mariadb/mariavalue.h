/*
 * mariavalue - values in the text of a statement, and the columns of a row.
 *
 * Text and bytes are written as hexadecimal literals, which are binary strings: nothing is to be
 * escaped, no character set matters, and they are compared byte by byte with VARBINARY.
 *
 * Pure; embedded; one owner.
 */
#ifndef MAILPUSH_MARIADB_MARIAVALUE_H
#define MAILPUSH_MARIADB_MARIAVALUE_H

#include "base/buf.h"

#include <mysql.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define MARIAVALUES_MAX 9

/* What stands for ?1, ?2, ... in a statement. */
struct mariavalues {
	struct buf values[MARIAVALUES_MAX];
	size_t count;
};

void mariavalues_init(struct mariavalues *values);
void mariavalues_fini(struct mariavalues *values);
#define mariavalues_auto __attribute__((cleanup(mariavalues_fini)))

void mariavalues_text(struct mariavalues *values, const char *text);
void mariavalues_number(struct mariavalues *values, int64_t number);
void mariavalues_bytes(struct mariavalues *values, const void *bytes, size_t size);
/* The next one, empty for now: several values, or rows, for the functions below. */
struct buf *mariavalues_list(struct mariavalues *values);

void mariavalue_text(struct buf *to, const char *text); /* NULL is NULL */
void mariavalue_number(struct buf *to, int64_t number);
void mariavalue_bytes(struct buf *to, const void *bytes, size_t size);
/* A comma, if something stands in the list already. */
void mariavalue_comma(struct buf *to);

/* Appends the statement with its values (NULL: it has none). */
void mariavalues_write(const struct mariavalues *values, const char *sql, struct buf *to);

/* The rows of an answer, one after the other. */
struct mariarows {
	MYSQL_RES *result;
	MYSQL_ROW row;
	unsigned long *sizes;
};

/* Before rows are read: do they have so many columns?  Returns NULL, or what is wrong. */
const char *mariavalue_check(const struct mariarows *rows, unsigned columns);
/* False: there is no further one. */
bool mariavalue_next_row(struct mariarows *rows);
/* Of the row at which it stands; what is NULL is 0, false or "". */
int64_t mariavalue_to_number(const struct mariarows *rows, unsigned column);
const char *mariavalue_to_text(const struct mariarows *rows, unsigned column);
/* All zero if it does not have that size. */
void mariavalue_to_bytes(const struct mariarows *rows, unsigned column, void *ret, size_t size);

#endif

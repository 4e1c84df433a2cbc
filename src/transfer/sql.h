/*
 * sql - what an SQL server must do so that registrations can be read from it.
 */
#ifndef MAILPUSH_TRANSFER_SQL_H
#define MAILPUSH_TRANSFER_SQL_H

#include "base/err.h"

#include <stddef.h>

#define SQL_COLUMNS_MAX 4

struct sql_ops;

/* A connection begins with this. */
struct sql {
	const struct sql_ops *ops;
};

struct sql_ops {
	const char *scheme; /* what stands before the colon of the DSN */
	char quote;	    /* around names; doubled within them */
	/* `place`: what stands behind the colon. */
	int (*open)(const char *place, struct sql **ret, struct err *err);
	/* Two queries may be under way, `at` 0 and 1; `argument` (NULL: none) is for its ?. */
	int (*ask)(
		struct sql *sql, int at, const char *query, const char *argument, struct err *err);
	/* 1: a row, whose texts live until the next call for `at`, NULL for NULL; 0: the end. */
	int (*row)(
		struct sql *sql, int at, const char *ret_texts[SQL_COLUMNS_MAX], struct err *err);
	void (*close)(struct sql *sql);
};

extern const struct sql_ops sql_sqlite_ops;

#endif

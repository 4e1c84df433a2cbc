/*
 * sql - the functions of a database from which registrations are read.
 *
 * One query gives its rows as a stream: the server keeps them, or memory holds a page of them.
 */
#ifndef MAILPUSH_TRANSFER_SQL_H
#define MAILPUSH_TRANSFER_SQL_H

#include "base/err.h"

#define SQL_COLUMNS 5
/* Characters of a text; longer than all that mailpushd takes. */
#define SQL_TEXT_MAX 2000

struct sql_ops;

/* A connection begins with this. */
struct sql {
	const struct sql_ops *ops;
};

struct sql_ops {
	char quote; /* around names; doubled within them */
	/* The DSN has no password in it.  `password_file`: may be NULL. */
	int (*open)(const char *dsn, const char *password_file, struct sql **ret, struct err *err);
	/* SQL for the first SQL_TEXT_MAX characters of a column, of whatever type; free it. */
	char *(*text)(const char *column);
	/* SQL by which such texts are in the order of their bytes; free it. */
	char *(*order)(const char *text);
	/* Asks for SQL_COLUMNS texts a row. */
	int (*ask)(struct sql *sql, const char *query, struct err *err);
	/* 1: a row, whose texts live until the next call, NULL for NULL; 0: the end, after
	   which nothing is asked any more. */
	int (*row)(struct sql *sql, const char *ret_texts[SQL_COLUMNS], struct err *err);
	void (*close)(struct sql *sql);
};

extern const struct sql_ops sql_sqlite_ops;
extern const struct sql_ops sql_postgresql_ops;
extern const struct sql_ops sql_mariadb_ops;

#endif

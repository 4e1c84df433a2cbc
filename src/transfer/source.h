/*
 * source - registrations to import, one after another.
 *
 * Each kind is a table of functions in a file of its own (source_*.c).  It gives JSON objects as
 * `mailpushctl export` writes them; mailpushd validates them.  Memory is bounded: a source is never
 * read as a whole.
 */
#ifndef MAILPUSH_TRANSFER_SOURCE_H
#define MAILPUSH_TRANSFER_SOURCE_H

#include "base/err.h"

#include <jansson.h>
#include <stddef.h>
#include <stdio.h>

#define SOURCE_OBJECT_MAX (1024 * 1024) /* bytes of a line, or of a user in xapsd's file */
#define SOURCE_WHERE_MAX 64

enum source_found {
	SOURCE_FOUND,	/* ret is a registration, the caller's */
	SOURCE_REFUSED, /* not a registration: err gives the reason; the next one may follow */
	SOURCE_END,
	SOURCE_FAILED, /* err says why */
};

struct source_settings {
	FILE *file;	   /* borrowed; what is read, but of a database */
	const char *place; /* for messages; of a database: its DSN */
	/* Of a database: */
	const char *columns;	   /* "key=name,...", or NULL */
	const char *password_file; /* or NULL */
};

struct source_ops;

/* A source begins with this. */
struct source {
	const struct source_ops *ops;
};

struct source_ops {
	const char *name; /* as in --from */
	bool is_database;
	int (*open)(const struct source_settings *settings, struct source **ret, struct err *err);
	enum source_found (*next)(struct source *source, json_t **ret, struct err *err);
	/* Where in the source the last one stood. */
	void (*where)(const struct source *source, char ret[SOURCE_WHERE_MAX]);
	/* At the end: what people should know of the source, or NULL. */
	const char *(*warning)(const struct source *source);
	void (*close)(struct source *source);
};

/* The kind that --from names; NULL: there is no such kind. */
const struct source_ops *source_kind(const char *name);

extern const struct source_ops source_lines_ops; /* what `mailpushctl export` wrote */
extern const struct source_ops source_xapsd_ops;
extern const struct source_ops source_sql_ops;

#endif

/*
 * The tables of a script that keeps its phones in an SQL database: devices (device_token,
 * account_id, user, time) and, of each user, mailboxes (user, mailbox).  Other names are given by
 * --columns.
 *
 * One query joins them, a row for each mailbox of a device, and the server sorts it so that the
 * rows of a device are side by side.  A user without mailboxes there gets INBOX.  The time is
 * Unix seconds or milliseconds, or a text.
 */
#include "base/buf.h"
#include "base/mem.h"
#include "base/utf8.h"
#include "database/database.h"
#include "transfer/source.h"
#include "transfer/sql.h"
#include "transfer/time_text.h"

#include <errno.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#define SUBTOPIC "com.apple.mobilemail"
#define MILLISECONDS_FROM 1e11 /* as seconds that is the year 5138 */
#define MAILBOXES_MAX 2000     /* mailpushd takes 1000, and counts those left out */

static const struct {
	const char *scheme; /* what is before the colon of the DSN */
	const struct sql_ops *ops;
	const char *example; /* NULL: another name for the one above */
} servers[] = {
	{"sqlite", &sql_sqlite_ops, "sqlite:/path/to/file"},
#ifdef MAILPUSH_POSTGRESQL
	{"postgresql", &sql_postgresql_ops, "postgresql://user@host/database"},
#endif
#ifdef MAILPUSH_MARIADB
	{"mariadb", &sql_mariadb_ops, "mariadb://user@host/database"},
	{"mysql", &sql_mariadb_ops, NULL},
#endif
};

enum { DEVICES, DEVICE_TOKEN, ACCOUNT_ID, USER, TIME, MAILBOXES, MAILBOX_USER, MAILBOX, NAMES };

static const struct {
	const char *key;
	const char *name;
} defaults[NAMES] = {
	[DEVICES] = {"devices", "devices"},
	[DEVICE_TOKEN] = {"device_token", "device_token"},
	[ACCOUNT_ID] = {"account_id", "account_id"},
	[USER] = {"user", "user"},
	[TIME] = {"time", "time"},
	[MAILBOXES] = {"mailboxes", "mailboxes"},
	[MAILBOX_USER] = {"mailbox_user", "user"},
	[MAILBOX] = {"mailbox", "mailbox"},
};

struct tables {
	struct source source;
	struct sql *sql;
	char *names[NAMES];
	char *next[SQL_COLUMNS]; /* the row behind the last device */
	bool has_next;
	bool is_over;
	unsigned long number; /* of the device, from 1 */
};

/* Columns; all before the mailbox are the same in each row of a device. */
enum { ROW_TOKEN, ROW_ACCOUNT_ID, ROW_USER, ROW_TIME, ROW_MAILBOX };

static struct tables *tables_of(struct source *source)
{
	return MEM_CONTAINER(source, struct tables, source);
}

static void close_tables(struct source *source)
{
	struct tables *tables = tables_of(source);
	for (int i = 0; i < NAMES; i++)
		free(tables->names[i]);
	for (int i = 0; i < SQL_COLUMNS; i++)
		free(tables->next[i]);
	if (tables->sql)
		tables->sql->ops->close(tables->sql);
	free(tables);
}

static char *quoted(const char *name, char quote)
{
	buf_auto struct buf text;
	buf_init(&text);
	buf_append(&text, &quote, 1);
	for (; *name; name++) {
		if (*name == quote)
			buf_append(&text, &quote, 1);
		buf_append(&text, name, 1);
	}
	buf_append(&text, &quote, 1);
	return mem_dup(buf_text(&text));
}

/* "key=name,key=name" */
static int take_names(struct tables *tables, const char *columns, struct err *err)
{
	const char *names[NAMES];
	mem_auto char *copy = mem_dup(columns ? columns : "");
	for (int i = 0; i < NAMES; i++)
		names[i] = defaults[i].name;
	char *rest = copy;
	for (char *pair; (pair = strsep(&rest, ","));) {
		char *name = strchr(pair, '=');
		int i = 0;
		if (!*pair)
			continue;
		if (name)
			*name++ = '\0';
		while (i < NAMES && strcmp(defaults[i].key, pair) != 0)
			i++;
		if (i == NAMES || !name || !*name)
			return err_set(err, -EINVAL,
				"--columns: '%s' must be one of devices=, device_token=, "
				"account_id=, "
				"user=, time=, mailboxes=, mailbox_user=, mailbox= with a name",
				pair);
		names[i] = name;
	}
	for (int i = 0; i < NAMES; i++)
		tables->names[i] = quoted(names[i], tables->sql->ops->quote);
	return 0;
}

static int no_such_kind(struct err *err)
{
	buf_auto struct buf examples;
	buf_init(&examples);
	for (size_t i = 0; i < sizeof(servers) / sizeof(servers[0]); i++) {
		if (servers[i].example)
			buf_printf(&examples, "%s%s", i ? " or " : "", servers[i].example);
	}
	return err_set(err, -EINVAL,
		"no such kind of database; write %s (of another one, export the tables into an "
		"SQLite file)",
		buf_text(&examples));
}

static int connect_to(const struct source_settings *settings, struct sql **ret, struct err *err)
{
	const char *dsn = settings->place;
	const char *colon = strchr(dsn, ':');
	if (database_has_password(dsn))
		return err_set(err, -EINVAL,
			"there is a password in the url, which others can read in the list of "
			"processes; write it into a file, and name that with --password-file");
	for (size_t i = 0; i < sizeof(servers) / sizeof(servers[0]) && colon; i++) {
		const struct sql_ops *ops = servers[i].ops;
		size_t size = strlen(servers[i].scheme);
		if ((size_t)(colon - dsn) == size && !memcmp(dsn, servers[i].scheme, size))
			return ops->open(dsn, settings->password_file, ret, err);
	}
	return no_such_kind(err);
}

/* Appends ", " and the SQL, which is freed. */
static void add(struct buf *query, const char *comma, char *sql)
{
	buf_append_text(query, comma);
	buf_append_text(query, sql);
	free(sql);
}

static char *make_query(const struct tables *tables)
{
	static const int columns[SQL_COLUMNS] = {
		[ROW_TOKEN] = DEVICE_TOKEN,
		[ROW_ACCOUNT_ID] = ACCOUNT_ID,
		[ROW_USER] = USER,
		[ROW_TIME] = TIME,
		[ROW_MAILBOX] = MAILBOX,
	};
	static const int order[] = {ROW_USER, ROW_TOKEN, ROW_ACCOUNT_ID, ROW_TIME};
	const struct sql_ops *ops = tables->sql->ops;
	char *const *names = tables->names;
	char *texts[SQL_COLUMNS];
	buf_auto struct buf query;
	buf_init(&query);
	buf_append_text(&query, "SELECT ");
	for (int i = 0; i < SQL_COLUMNS; i++) {
		mem_auto char *column =
			mem_printf("%s.%s", i == ROW_MAILBOX ? "m" : "d", names[columns[i]]);
		texts[i] = ops->text(column);
		add(&query, i ? ", " : "", mem_dup(texts[i]));
	}
	buf_printf(&query, " FROM %s d LEFT JOIN %s m ON m.%s = d.%s ORDER BY ", names[DEVICES],
		names[MAILBOXES], names[MAILBOX_USER], names[USER]);
	for (size_t i = 0; i < sizeof(order) / sizeof(order[0]); i++)
		add(&query, i ? ", " : "", ops->order(texts[order[i]]));
	for (int i = 0; i < SQL_COLUMNS; i++)
		free(texts[i]);
	return mem_dup(buf_text(&query));
}

static int open_tables(const struct source_settings *settings, struct source **ret, struct err *err)
{
	struct tables *tables = mem_alloc_zero(1, sizeof(*tables));
	tables->source.ops = &source_sql_ops;
	int failed = connect_to(settings, &tables->sql, err);
	if (!failed)
		failed = take_names(tables, settings->columns, err);
	if (!failed) {
		mem_auto char *query = make_query(tables);
		failed = tables->sql->ops->ask(tables->sql, query, err);
	}
	if (failed) {
		close_tables(&tables->source);
		return failed;
	}
	*ret = &tables->source;
	return 0;
}

/* 1: tables->next is the next row; 0: there is none. */
static int look_ahead(struct tables *tables, struct err *err)
{
	if (tables->has_next || tables->is_over)
		return tables->has_next;
	const char *texts[SQL_COLUMNS];
	int found = tables->sql->ops->row(tables->sql, texts, err);
	tables->is_over = found != 1;
	if (found != 1)
		return found;
	for (int i = 0; i < SQL_COLUMNS; i++) {
		free(tables->next[i]);
		tables->next[i] = texts[i] ? mem_dup(texts[i]) : NULL;
	}
	tables->has_next = true;
	return 1;
}

static bool is_same(const char *one, const char *other)
{
	return one && other ? !strcmp(one, other) : one == other;
}

static bool is_of(char *const device[ROW_MAILBOX], char *const row[SQL_COLUMNS])
{
	bool is_same_device = true;
	for (int i = 0; i < ROW_MAILBOX; i++)
		is_same_device = is_same_device && is_same(device[i], row[i]);
	return is_same_device;
}

static json_t *text_of(const char *text)
{
	return text && utf8_is_valid(text, strlen(text)) ? json_string(text) : NULL;
}

/* Text that is not UTF-8 becomes null, which mailpushd refuses. */
static void set_text(json_t *json, const char *key, const char *text)
{
	json_t *value = text_of(text);
	json_object_set_new(json, key, value ? value : json_null());
}

/* Reads the mailboxes of `device`, up to the first row of another one. */
static int read_mailboxes(
	struct tables *tables, char *const device[ROW_MAILBOX], json_t *ret, struct err *err)
{
	int found;
	while ((found = look_ahead(tables, err)) == 1 && is_of(device, tables->next)) {
		const char *name = tables->next[ROW_MAILBOX];
		json_t *text = text_of(name);
		tables->has_next = false;
		if (name && json_array_size(ret) < MAILBOXES_MAX)
			json_array_append_new(ret, text ? text : json_null());
		else
			json_decref(text);
	}
	if (found >= 0 && !json_array_size(ret))
		json_array_append_new(ret, json_string("INBOX"));
	return found < 0 ? found : 0;
}

static bool read_time(const char *text, double *ret_s)
{
	char *end;
	double seconds = text ? strtod(text, &end) : 0;
	if (!text || !*text)
		return true;
	if (*end)
		return time_text_read(text, ret_s);
	*ret_s = seconds > MILLISECONDS_FROM ? seconds / 1000 : seconds;
	return seconds >= 0 && isfinite(seconds);
}

static enum source_found make_registration(
	char *const device[ROW_MAILBOX], json_t *mailboxes, json_t **ret, struct err *err)
{
	double renewed = 0;
	if (!read_time(device[ROW_TIME], &renewed)) {
		err_set(err, -EINVAL, "its time is not a time");
		return SOURCE_REFUSED;
	}
	json_t *json =
		json_pack("{ss,si,sO}", "subtopic", SUBTOPIC, "version", 2, "mailboxes", mailboxes);
	set_text(json, "token", device[ROW_TOKEN]);
	set_text(json, "account_id", device[ROW_ACCOUNT_ID]);
	set_text(json, "user", device[ROW_USER]);
	if (renewed > 0)
		json_object_set_new(json, "renewed", json_real(renewed));
	*ret = json;
	return SOURCE_FOUND;
}

static enum source_found next_device(struct source *source, json_t **ret, struct err *err)
{
	struct tables *tables = tables_of(source);
	int found = look_ahead(tables, err);
	if (found != 1)
		return found < 0 ? SOURCE_FAILED : SOURCE_END;
	tables->number++;
	char *device[ROW_MAILBOX];
	for (int i = 0; i < ROW_MAILBOX; i++)
		device[i] = tables->next[i] ? mem_dup(tables->next[i]) : NULL;
	json_t *mailboxes = json_array();
	enum source_found result = SOURCE_FAILED;
	if (!read_mailboxes(tables, device, mailboxes, err))
		result = make_registration(device, mailboxes, ret, err);
	json_decref(mailboxes);
	for (int i = 0; i < ROW_MAILBOX; i++)
		free(device[i]);
	return result;
}

static void where(const struct source *source, char ret[SOURCE_WHERE_MAX])
{
	const struct tables *tables = tables_of((struct source *)source);
	snprintf(ret, SOURCE_WHERE_MAX, "row %lu", tables->number);
}

static const char *no_warning(const struct source *source)
{
	(void)source;
	return NULL;
}

const struct source_ops source_sql_ops = {
	.name = "sql",
	.is_database = true,
	.open = open_tables,
	.next = next_device,
	.where = where,
	.warning = no_warning,
	.close = close_tables,
};

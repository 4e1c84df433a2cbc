/*
 * The tables of a script that keeps its phones in an SQL database: devices (device_token,
 * account_id, user, time) and, of each user, mailboxes (user, mailbox).  Other names are given by
 * --columns.
 *
 * A user without mailboxes there gets INBOX.  The time is Unix seconds or milliseconds, or a text.
 */
#include "base/buf.h"
#include "base/mem.h"
#include "base/utf8.h"
#include "transfer/source.h"
#include "transfer/sql.h"
#include "transfer/time_text.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#define SUBTOPIC "com.apple.mobilemail"
#define MILLISECONDS_FROM 1e11 /* as seconds that is the year 5138 */
#define MAILBOXES_MAX 2000     /* mailpushd takes 1000, and counts those left out */

static const struct sql_ops *const servers[] = {&sql_sqlite_ops};

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
	char *mailbox_query;
	unsigned long number; /* of the row, from 1 */
};

static struct tables *tables_of(struct source *source)
{
	return MEM_CONTAINER(source, struct tables, source);
}

static void close_tables(struct source *source)
{
	struct tables *tables = tables_of(source);
	for (int i = 0; i < NAMES; i++)
		free(tables->names[i]);
	free(tables->mailbox_query);
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
				"--columns: '%s' is none of devices=, device_token=, account_id=, "
				"user=, time=, mailboxes=, mailbox_user=, mailbox= with a name",
				pair);
		names[i] = name;
	}
	for (int i = 0; i < NAMES; i++)
		tables->names[i] = quoted(names[i], tables->sql->ops->quote);
	return 0;
}

static int connect_to(const char *dsn, struct sql **ret, struct err *err)
{
	const char *colon = strchr(dsn, ':');
	for (size_t i = 0; i < sizeof(servers) / sizeof(servers[0]) && colon; i++) {
		size_t size = strlen(servers[i]->scheme);
		if ((size_t)(colon - dsn) == size && !memcmp(dsn, servers[i]->scheme, size))
			return servers[i]->open(colon + 1, ret, err);
	}
	return err_set(err, -EINVAL,
		"no such kind of database; write sqlite:/path/to/file (of another server, export "
		"the tables into one)");
}

static int open_tables(const struct source_settings *settings, struct source **ret, struct err *err)
{
	struct tables *tables = mem_alloc_zero(1, sizeof(*tables));
	tables->source.ops = &source_sql_ops;
	int failed = connect_to(settings->place, &tables->sql, err);
	if (!failed)
		failed = take_names(tables, settings->columns, err);
	if (!failed) {
		char *const *names = tables->names;
		mem_auto char *devices =
			mem_printf("SELECT %s, %s, %s, %s FROM %s", names[DEVICE_TOKEN],
				names[ACCOUNT_ID], names[USER], names[TIME], names[DEVICES]);
		tables->mailbox_query = mem_printf("SELECT %s FROM %s WHERE %s = ?", names[MAILBOX],
			names[MAILBOXES], names[MAILBOX_USER]);
		failed = tables->sql->ops->ask(tables->sql, 0, devices, NULL, err);
	}
	if (failed) {
		close_tables(&tables->source);
		return failed;
	}
	*ret = &tables->source;
	return 0;
}

static json_t *text_of(const char *text)
{
	return text && utf8_is_valid(text, strlen(text)) ? json_string(text) : NULL;
}

/* What is not UTF-8 becomes null, which mailpushd refuses. */
static void set_text(json_t *json, const char *key, const char *text)
{
	json_t *value = text_of(text);
	json_object_set_new(json, key, value ? value : json_null());
}

static int read_mailboxes(struct tables *tables, const char *user, json_t *ret, struct err *err)
{
	const struct sql_ops *ops = tables->sql->ops;
	const char *texts[SQL_COLUMNS_MAX];
	int found = ops->ask(tables->sql, 1, tables->mailbox_query, user, err);
	while (!found && (found = ops->row(tables->sql, 1, texts, err)) == 1) {
		json_t *name = text_of(texts[0]);
		found = 0;
		if (json_array_size(ret) < MAILBOXES_MAX)
			json_array_append_new(ret, name ? name : json_null());
	}
	if (!found && !json_array_size(ret))
		json_array_append_new(ret, json_string("INBOX"));
	return found;
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
	return seconds >= 0;
}

static enum source_found next_row(struct source *source, json_t **ret, struct err *err)
{
	struct tables *tables = tables_of(source);
	const char *texts[SQL_COLUMNS_MAX];
	int found = tables->sql->ops->row(tables->sql, 0, texts, err);
	if (found != 1)
		return found < 0 ? SOURCE_FAILED : SOURCE_END;
	tables->number++;
	double renewed = 0;
	if (!read_time(texts[3], &renewed)) {
		err_set(err, -EINVAL, "its time is no time");
		return SOURCE_REFUSED;
	}
	json_t *mailboxes = json_array();
	if (read_mailboxes(tables, texts[2] ? texts[2] : "", mailboxes, err)) {
		json_decref(mailboxes);
		return SOURCE_FAILED;
	}
	json_t *json =
		json_pack("{ss,si,so}", "subtopic", SUBTOPIC, "version", 2, "mailboxes", mailboxes);
	set_text(json, "token", texts[0]);
	set_text(json, "account_id", texts[1]);
	set_text(json, "user", texts[2]);
	if (renewed > 0)
		json_object_set_new(json, "renewed", json_real(renewed));
	*ret = json;
	return SOURCE_FOUND;
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
	.next = next_row,
	.where = where,
	.warning = no_warning,
	.close = close_tables,
};

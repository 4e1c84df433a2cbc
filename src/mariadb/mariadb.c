#include "mariadb/mariadb.h"

#include "base/mem.h"
#include "mariadb/mariadb_change.h"
#include "mariadb/mariadb_find.h"
#include "mariadb/mariadb_schema.h"
#include "mariadb/mariadb_transaction.h"
#include "mariadb/mariadb_write.h"
#include "mariadb/mariaurl.h"

#include <stdio.h>
#include <stdlib.h>

/* For a host to greet, and for the answers to what was sent. */
#define TIMEOUT_MS 5000

static int check(const char *place, struct err *err)
{
	struct mariaurl *url = NULL;
	int failed = mariaurl_new(place, &url, err);
	mariaurl_free(url);
	return failed;
}

static const char *file(const char *place)
{
	(void)place;
	return NULL;
}

static char *name(const char *place)
{
	struct mariaurl *url = NULL;
	struct err err;
	char *text = mem_dup(mariaurl_new(place, &url, &err) ? "mariadb:" : url->name);
	mariaurl_free(url);
	return text;
}

/* Whoever makes the tables changes them too. */
static char *schema(void)
{
#define ALL_OF(table) "GRANT SELECT, INSERT, UPDATE, DELETE ON " table " TO mailpush@'%%';\n"
	mem_auto char *tables = mariadb_schema_text();
	return mem_printf("%sGRANT SELECT ON mailpush_schema TO mailpush@'%%';\n" ALL_OF(
				  "mailpush_site") ALL_OF("mailpush_registration")
				  ALL_OF("mailpush_subscription") ALL_OF("mailpush_forgotten"),
		tables);
}

static int open_mariadb(const char *place, const struct registry_settings *settings,
	struct registry_db **ret, struct err *err)
{
	const char *password_file = settings->password_file;
	const struct marialink_settings of_link = {
		.place = place,
		.password_file = password_file && *password_file ? password_file : NULL,
		.timeout_ms = settings->timeout_ms ? settings->timeout_ms : TIMEOUT_MS,
		.round_trips = settings->round_trips,
		.end_by_ms = settings->end_by_ms,
	};
	struct marialink *link = NULL;
	int failed = marialink_new(&of_link, &link, err);
	if (failed)
		return failed;
	struct mariadb *m = mem_alloc_zero(1, sizeof(*m));
	m->db.ops = &mariadb_ops;
	m->link = link;
	m->seen = mariadb_seen_new();
	m->place = mem_dup(place);
	m->password_file = of_link.password_file ? mem_dup(of_link.password_file) : NULL;
	m->site = mem_dup(settings->site);
	m->timeout_ms = of_link.timeout_ms;
	m->end_by_ms = of_link.end_by_ms;
	*ret = &m->db;
	return 0;
}

static void close_mariadb(struct registry_db *db)
{
	if (!db)
		return;
	struct mariadb *m = mariadb_of(db);
	marialink_free(m->link);
	mariadb_seen_free(m->seen);
	free(m->place);
	free(m->password_file);
	free(m->site);
	free(m);
}

static void describe(struct registry_db *db, struct registry_description *ret)
{
	const struct marialink *link = mariadb_of(db)->link;
	snprintf(ret->server, sizeof(ret->server), "%s", marialink_server_version(link));
	snprintf(ret->host, sizeof(ret->host), "%s", marialink_host(link));
}

const struct registry_ops mariadb_ops = {
	.scheme = "mariadb",
	.example = MARIAURL_EXAMPLE,
	.check = check,
	.file = file,
	.name = name,
	.schema = schema,
	.open = open_mariadb,
	.close = close_mariadb,
	.describe = describe,
	.begin = mariadb_begin,
	.commit = mariadb_commit,
	.rollback = mariadb_rollback,
	.match = mariadb_match,
	.load_users = mariadb_load_users,
	.load_lists = mariadb_load_lists,
	.load = ops_load_each,
	.load_keys = mariadb_load_keys,
	.list = mariadb_list,
	.list_tombstones = mariadb_list_tombstones,
	.count = mariadb_count,
	.put = mariadb_put,
	.put_lists = mariadb_put_lists,
	.remove = mariadb_remove,
	.change_mailboxes = mariadb_change_mailboxes,
	.change_tokens = mariadb_change_tokens,
	.find_suspended = mariadb_find_suspended,
	.resume = mariadb_resume,
	.census = mariadb_census,
	.put_right = mariadb_put_right,
	.put_tidied = mariadb_put_tidied,
	.claim_round = mariadb_claim_round,
	.load_round = mariadb_load_round,
	.prune_tombstones = mariadb_prune_tombstones,
	.remove_tombstones = mariadb_remove_tombstones,
	.find_expired = mariadb_find_expired,
	.find_longest_suspended = mariadb_find_longest_suspended,
	.claim_nudges = mariadb_claim_nudges,
};

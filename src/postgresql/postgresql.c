#include "postgresql/postgresql.h"

#include "base/mem.h"
#include "postgresql/pgurl.h"
#include "postgresql/postgresql_change.h"
#include "postgresql/postgresql_find.h"
#include "postgresql/postgresql_schema.h"
#include "postgresql/postgresql_transaction.h"
#include "postgresql/postgresql_write.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

/* For a host to greet, and for the answers to what was sent. */
#define TIMEOUT_MS 5000

static int url_of(const char *place, struct pgurl **ret, struct err *err)
{
	mem_auto char *url = mem_printf("postgresql:%s", place);
	return pgurl_new(url, ret, err);
}

static int check(const char *place, struct err *err)
{
	struct pgurl *url = NULL;
	int failed = strncmp(place, "//", 2) == 0
		? url_of(place, &url, err)
		: err_set(err, -EINVAL,
			  "is not a url of a server; write postgresql://user@host/database");
	pgurl_free(url);
	return failed;
}

static const char *file(const char *place)
{
	(void)place;
	return NULL;
}

static char *name(const char *place)
{
	struct pgurl *url = NULL;
	struct err err;
	char *text = mem_dup(url_of(place, &url, &err) ? "postgresql:" : pgurl_name(url));
	pgurl_free(url);
	return text;
}

/* Whoever makes the tables changes them too. */
static char *schema(void)
{
	mem_auto char *tables = postgresql_schema_text();
	return mem_printf("%sGRANT SELECT ON mailpush_schema TO mailpush;\n"
			  "GRANT SELECT, INSERT, UPDATE, DELETE ON mailpush_site, "
			  "mailpush_registration, mailpush_subscription, mailpush_forgotten TO "
			  "mailpush;\n"
			  "GRANT USAGE ON SEQUENCE mailpush_forgotten_id_seq TO mailpush;\n",
		tables);
}

static int open_postgresql(const char *place, const struct registry_settings *settings,
	struct registry_db **ret, struct err *err)
{
	mem_auto char *url = mem_printf("postgresql:%s", place);
	const char *password_file = settings->password_file;
	const struct pglink_settings of_link = {
		.url = url,
		.password_file = password_file && *password_file ? password_file : NULL,
		.timeout_ms = settings->timeout_ms ? settings->timeout_ms : TIMEOUT_MS,
		.round_trips = settings->round_trips,
		.end_by_ms = settings->end_by_ms,
	};
	struct pglink *link = NULL;
	int failed = pglink_new(&of_link, &link, err);
	if (failed)
		return failed;
	struct postgresql *p = mem_alloc_zero(1, sizeof(*p));
	p->db.ops = &postgresql_ops;
	p->link = link;
	p->site = mem_dup(settings->site);
	p->timeout_ms = of_link.timeout_ms;
	*ret = &p->db;
	return 0;
}

static void close_postgresql(struct registry_db *db)
{
	if (!db)
		return;
	struct postgresql *p = postgresql_of(db);
	pglink_free(p->link);
	free(p->site);
	free(p);
}

static void describe(struct registry_db *db, struct registry_description *ret)
{
	const struct pglink *link = postgresql_of(db)->link;
	snprintf(ret->server, sizeof(ret->server), "%s", pglink_server_version(link));
	snprintf(ret->host, sizeof(ret->host), "%s", pglink_host(link));
}

const struct registry_ops postgresql_ops = {
	.scheme = "postgresql",
	.example = "postgresql://user@host/database",
	.check = check,
	.file = file,
	.name = name,
	.schema = schema,
	.open = open_postgresql,
	.close = close_postgresql,
	.describe = describe,
	.begin = postgresql_begin,
	.commit = postgresql_commit,
	.rollback = postgresql_rollback,
	.match = postgresql_match,
	.load_users = postgresql_load_users,
	.load_lists = postgresql_load_lists,
	.load = postgresql_load,
	.load_keys = postgresql_load_keys,
	.list = postgresql_list,
	.list_tombstones = postgresql_list_tombstones,
	.count = postgresql_count,
	.put = postgresql_put,
	.put_lists = postgresql_put_lists,
	.remove = postgresql_remove,
	.change_mailboxes = postgresql_change_mailboxes,
	.change_tokens = postgresql_change_tokens,
	.find_suspended = postgresql_find_suspended,
	.resume = postgresql_resume,
	.census = postgresql_census,
	.put_right = postgresql_put_right,
	.put_tidied = postgresql_put_tidied,
	.load_round = postgresql_load_round,
	.claim_round = postgresql_claim_round,
	.prune_tombstones = postgresql_prune_tombstones,
	.remove_tombstones = postgresql_remove_tombstones,
	.find_expired = postgresql_find_expired,
	.find_longest_suspended = postgresql_find_longest_suspended,
	.claim_nudges = postgresql_claim_nudges,
};

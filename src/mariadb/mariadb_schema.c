#include "mariadb/mariadb_schema.h"

#include "base/buf.h"
#include "base/mem.h"

#include <errno.h>
#include <stdio.h>

#define TABLE " ENGINE = InnoDB ROW_FORMAT = DYNAMIC"

static const char lock_table[] = "CREATE TABLE IF NOT EXISTS mailpush_schema ("
				 "one INT NOT NULL PRIMARY KEY, "
				 "version INT NOT NULL)" TABLE;
static const char lock_row[] = "INSERT IGNORE INTO mailpush_schema (one, version) VALUES (1, 0)";

/*
 * A registration is known by its key, here `id`, in all tables.  A mailbox is looked up by its
 * place, and the subscriptions to it lie side by side.  All text is bytes.
 *
 * A state is a number of enum registry_state.
 */
static const char *const step_1[] = {
	"CREATE TABLE IF NOT EXISTS mailpush_site ("
	"name VARBINARY(255) NOT NULL PRIMARY KEY, "
	"tidied_day BIGINT NOT NULL DEFAULT 0, "
	"tidied_count BIGINT NOT NULL DEFAULT 0, "
	"seen_ms BIGINT NOT NULL DEFAULT 0, "
	"spared_until_ms BIGINT NOT NULL DEFAULT 0)" TABLE,

	"CREATE TABLE IF NOT EXISTS mailpush_registration ("
	"id BINARY(16) NOT NULL PRIMARY KEY, "
	"site VARBINARY(255) NOT NULL, "
	"username VARBINARY(512) NOT NULL, "
	"device_token VARBINARY(255) NOT NULL, "
	"account_id VARBINARY(255) NOT NULL, "
	"topic VARBINARY(1000) NOT NULL, "
	"subtopic VARBINARY(255) NOT NULL, "
	"aps_version BIGINT NOT NULL, "
	"confirmed TINYINT NOT NULL, "
	"inbox_only TINYINT NOT NULL, "
	"is_nudged TINYINT NOT NULL, "
	"created_ms BIGINT NOT NULL, "
	"renewed_ms BIGINT NOT NULL, "
	"suspended_ms BIGINT NOT NULL, "
	"superseded_ms BIGINT NOT NULL, "
	"stopped_reason VARBINARY(1000), "
	"state TINYINT GENERATED ALWAYS AS (CASE WHEN stopped_reason IS NOT NULL THEN 3"
	" WHEN suspended_ms > 0 THEN 2 WHEN superseded_ms > 0 THEN 1 ELSE 0 END) STORED, "
	"KEY mailpush_registration_user (site, username, id), "
	"KEY mailpush_registration_token (site, device_token), "
	"KEY mailpush_registration_renewed (site, renewed_ms), "
	"KEY mailpush_registration_suspended (site, suspended_ms), "
	"KEY mailpush_registration_state (site, state))" TABLE,

	"CREATE TABLE IF NOT EXISTS mailpush_subscription ("
	"place BINARY(16) NOT NULL, "
	"registration BINARY(16) NOT NULL, "
	"name VARBINARY(1024) NOT NULL, "
	"hash VARBINARY(32) NOT NULL, "
	"site VARBINARY(255) NOT NULL, "
	"owner VARBINARY(512) NOT NULL, "
	"folder VARBINARY(2048) NOT NULL, "
	"PRIMARY KEY (place, registration, name), "
	"KEY mailpush_subscription_registration (registration), "
	"KEY mailpush_subscription_owner (site, owner))" TABLE,

	"CREATE TABLE IF NOT EXISTS mailpush_forgotten ("
	"id BIGINT NOT NULL AUTO_INCREMENT PRIMARY KEY, "
	"registration BINARY(16) NOT NULL, "
	"site VARBINARY(255) NOT NULL, "
	"username VARBINARY(512) NOT NULL, "
	"device_token VARBINARY(255) NOT NULL, "
	"account_id VARBINARY(255) NOT NULL, "
	"topic VARBINARY(1000) NOT NULL, "
	"renewed_ms BIGINT NOT NULL, "
	"at_ms BIGINT NOT NULL, "
	"why VARBINARY(32) NOT NULL, "
	"status BIGINT NOT NULL, "
	"reason VARBINARY(1000) NOT NULL, "
	"UNIQUE KEY mailpush_forgotten_registration (registration), "
	"KEY mailpush_forgotten_site (site, id), "
	"KEY mailpush_forgotten_at (site, at_ms), "
	"KEY mailpush_forgotten_user (site, username, id))" TABLE,
	NULL,
};

static const char *const *const steps[] = {step_1};
#define STEPS ((int64_t)(sizeof(steps) / sizeof(steps[0])))

static const char *on_version(void *ctx, size_t index, struct mariarows *rows)
{
	int64_t *version = ctx;
	const char *malformed = mariavalue_check(rows, 1);
	(void)index;
	*version = !malformed && mariavalue_next_row(rows) ? mariavalue_to_number(rows, 0) : -1;
	return malformed;
}

static int refuse_newer(const struct marialink *link, int64_t version, struct err *err)
{
	return err_set(err, -ENOTSUP,
		"registry '%s': its tables are of version %lld, this mailpushd knows versions up "
		"to %lld; install the newer mailpushd again",
		marialink_name(link), (long long)version, (long long)STEPS);
}

static int make_lock(struct marialink *link, struct err *err)
{
	int failed = marialink_ask(link, lock_table, NULL, NULL, NULL, err);
	return failed ? failed : marialink_ask(link, lock_row, NULL, NULL, NULL, err);
}

/* Over its own connection, until that is committed or closed. */
static int lock_version(struct marialink *lock, int64_t *ret_version, struct err *err)
{
	bool is_new;
	int failed = marialink_connect(lock, &is_new, err);
	/* It holds the lock for as long as the other makes tables. */
	if (!failed)
		failed = marialink_send(
			lock, "SET SESSION idle_transaction_timeout = 0", NULL, NULL, NULL, 0, err);
	if (!failed)
		failed = marialink_send(lock, "START TRANSACTION", NULL, NULL, NULL, 0, err);
	if (!failed)
		failed = marialink_ask(lock,
			"SELECT version FROM mailpush_schema WHERE one = 1 FOR UPDATE", NULL,
			on_version, ret_version, err);
	return failed;
}

static int migrate_locked(struct marialink *link, struct marialink *lock, struct err *err)
{
	int64_t version = -1;
	int failed = lock_version(lock, &version, err);
	if (!failed && version > STEPS)
		failed = refuse_newer(link, version, err);
	for (int64_t i = version < 0 ? 0 : version; i < STEPS && !failed; i++) {
		for (const char *const *sql = steps[i]; *sql && !failed; sql++)
			failed = marialink_ask(link, *sql, NULL, NULL, NULL, err);
	}
	char mark[64];
	snprintf(mark, sizeof(mark), "UPDATE mailpush_schema SET version = %d", (int)STEPS);
	if (!failed && version < STEPS)
		failed = marialink_ask(lock, mark, NULL, NULL, NULL, err);
	return failed ? failed : marialink_ask(lock, "COMMIT", NULL, NULL, NULL, err);
}

static int migrate(
	struct marialink *link, const struct marialink_settings *settings, struct err *err)
{
	struct marialink *lock = NULL;
	int failed = marialink_new(settings, &lock, err);
	if (!failed)
		failed = migrate_locked(link, lock, err);
	marialink_free(lock);
	return failed;
}

int mariadb_schema_migrate(
	struct marialink *link, const struct marialink_settings *settings, struct err *err)
{
	int64_t version = -1;
	int failed = marialink_ask(link, "SELECT version FROM mailpush_schema WHERE one = 1", NULL,
		on_version, &version, err);
	if (!failed && version == STEPS)
		return 0;
	if (!failed && version > STEPS)
		return refuse_newer(link, version, err);
	if (failed && failed != -ENOTSUP)
		return failed;
	failed = version < 0 ? make_lock(link, err) : 0;
	if (!failed)
		failed = migrate(link, settings, err);
	return failed ? err_prefix(err, failed, "cannot bring the tables up to date") : 0;
}

static void append_statement(struct buf *text, const char *sql)
{
	buf_append_text(text, sql);
	buf_append_text(text, ";\n");
}

char *mariadb_schema_text(void)
{
	struct buf text;
	buf_init(&text);
	append_statement(&text, lock_table);
	for (int64_t i = 0; i < STEPS; i++) {
		for (const char *const *sql = steps[i]; *sql; sql++)
			append_statement(&text, *sql);
	}
	char mark[96];
	snprintf(mark, sizeof(mark), "INSERT INTO mailpush_schema (one, version) VALUES (1, %d)",
		(int)STEPS);
	append_statement(&text, mark);
	char *copy = mem_dup(buf_text(&text));
	buf_fini(&text);
	return copy;
}

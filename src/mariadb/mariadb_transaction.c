#include "mariadb/mariadb_transaction.h"

#include "base/mem.h"
#include "mariadb/mariadb_schema.h"

#include <assert.h>
#include <errno.h>
#include <string.h>

struct mariadb *mariadb_of(struct registry_db *db)
{
	return MEM_CONTAINER(db, struct mariadb, db);
}

static int add_site(struct mariadb *m, struct err *err)
{
	mariavalues_auto struct mariavalues values;
	mariavalues_init(&values);
	mariavalues_text(&values, m->site);
	return marialink_ask(m->link,
		"INSERT INTO mailpush_site (name) SELECT ?1 FROM DUAL"
		" WHERE NOT EXISTS (SELECT 1 FROM mailpush_site WHERE name = ?1)",
		&values, NULL, NULL, err);
}

static int make_ready(struct mariadb *m, struct err *err)
{
	const struct marialink_settings settings = {
		.place = m->place,
		.password_file = m->password_file,
		.timeout_ms = m->timeout_ms,
		.end_by_ms = m->end_by_ms,
	};
	int failed = mariadb_schema_migrate(m->link, &settings, err);
	return failed ? failed : add_site(m, err);
}

int mariadb_begin(struct registry_db *db, enum registry_access access, struct err *err)
{
	static const enum mariadb_state states[] = {
		[REGISTRY_READS_ONCE] = MARIADB_READS_ONCE,
		[REGISTRY_READS] = MARIADB_READS,
		[REGISTRY_WRITES] = MARIADB_WRITES,
	};
	struct mariadb *m = mariadb_of(db);
	assert(m->state == MARIADB_OUTSIDE);
	bool is_new = false;
	int failed = marialink_connect(m->link, &is_new, err);
	if (failed)
		return failed;
	m->is_ready = m->is_ready && !is_new;
	if (!m->is_ready)
		failed = make_ready(m, err);
	if (failed)
		return failed;
	m->is_ready = true;
	m->writes = access == REGISTRY_WRITES;
	m->was_demoted = false;
	mariadb_seen_clear(m->seen);
	m->state = states[access];
	return 0;
}

const char *mariadb_lock_shared(const struct mariadb *m)
{
	return m->writes ? " LOCK IN SHARE MODE" : "";
}

const char *mariadb_lock_for_update(const struct mariadb *m)
{
	return m->writes ? " FOR UPDATE" : "";
}

static int send_begin(struct mariadb *m, struct err *err)
{
	const char *begin = m->writes ? "START TRANSACTION"
				      : "START TRANSACTION WITH CONSISTENT SNAPSHOT, READ ONLY";
	int failed = marialink_send(m->link, begin, NULL, NULL, NULL, 0, err);
	if (!failed)
		m->state = MARIADB_BEGUN;
	return failed;
}

static const char *on_read_only(void *ctx, size_t index, struct mariarows *rows)
{
	struct mariadb *m = ctx;
	const char *malformed = mariavalue_check(rows, 1);
	(void)index;
	const char *said =
		!malformed && mariavalue_next_row(rows) ? mariavalue_to_text(rows, 0) : "0";
	m->was_demoted = strcmp(said, "0") != 0 && strcasecmp(said, "OFF") != 0;
	return malformed;
}

/* A server that is read-only says so itself when it is to write. */
static int send_question_of_role(struct mariadb *m, struct err *err)
{
	return m->writes ? 0
			 : marialink_send(m->link, "SELECT @@global.read_only", NULL, on_read_only,
				   m, 0, err);
}

int mariadb_send(struct mariadb *m, const char *sql, const struct mariavalues *values,
	marialink_rows_fn *on_rows, void *ctx, size_t index, struct err *err)
{
	assert(m->state != MARIADB_OUTSIDE);
	int failed = 0;
	if (m->state != MARIADB_BEGUN) {
		failed = send_question_of_role(m, err);
		failed = failed ? failed : send_begin(m, err);
	}
	if (!failed)
		failed = marialink_send(m->link, sql, values, on_rows, ctx, index, err);
	return failed || !(m->writes && marialink_is_in_cluster(m->link)) ? failed
									  : mariadb_wait(m, err);
}

int mariadb_wait(struct mariadb *m, struct err *err)
{
	int failed = marialink_wait(m->link, err);
	/* Somebody may have removed the tables. */
	if (failed == -ENOTSUP)
		m->is_ready = false;
	if (!failed && m->was_demoted)
		failed = marialink_leave(m->link, "the server has become read-only", err);
	return failed;
}

int mariadb_ask(struct mariadb *m, const char *sql, const struct mariavalues *values,
	marialink_rows_fn *on_rows, void *ctx, struct err *err)
{
	int failed = mariadb_send(m, sql, values, on_rows, ctx, 0, err);
	return failed ? failed : mariadb_wait(m, err);
}

int mariadb_ask_alone(struct mariadb *m, const char *sql, const struct mariavalues *values,
	marialink_rows_fn *on_rows, void *ctx, struct err *err)
{
	if (m->state != MARIADB_READS_ONCE)
		return mariadb_ask(m, sql, values, on_rows, ctx, err);
	int failed = send_question_of_role(m, err);
	if (!failed)
		failed = marialink_send(m->link, sql, values, on_rows, ctx, 0, err);
	return failed ? failed : mariadb_wait(m, err);
}

int mariadb_commit(struct registry_db *db, struct err *err)
{
	struct mariadb *m = mariadb_of(db);
	int failed = 0;
	if (m->state == MARIADB_BEGUN)
		failed = mariadb_ask(m, "COMMIT", NULL, NULL, NULL, err);
	if (!failed)
		m->state = MARIADB_OUTSIDE;
	return failed;
}

void mariadb_rollback(struct registry_db *db)
{
	struct mariadb *m = mariadb_of(db);
	if (m->state == MARIADB_BEGUN)
		marialink_rollback(m->link);
	m->state = MARIADB_OUTSIDE;
}

#include "postgresql/postgresql_transaction.h"

#include "base/mem.h"
#include "postgresql/postgresql_schema.h"

#include <assert.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>

struct postgresql *postgresql_of(struct registry_db *db)
{
	return MEM_CONTAINER(db, struct postgresql, db);
}

static int add_site(struct postgresql *p, struct err *err)
{
	pgvalues_auto struct pgvalues values;
	pgvalues_init(&values);
	pgvalues_text(&values, p->site);
	return pglink_ask(p->link,
		"INSERT INTO mailpush_site (name) SELECT $1::text"
		" WHERE NOT EXISTS (SELECT 1 FROM mailpush_site WHERE name = $1)"
		" ON CONFLICT (name) DO NOTHING",
		&values, NULL, NULL, err);
}

int postgresql_begin(struct registry_db *db, enum registry_access access, struct err *err)
{
	static const enum postgresql_state states[] = {
		[REGISTRY_READS_ONCE] = POSTGRESQL_READS_ONCE,
		[REGISTRY_READS] = POSTGRESQL_READS,
		[REGISTRY_WRITES] = POSTGRESQL_WRITES,
	};
	struct postgresql *p = postgresql_of(db);
	assert(p->state == POSTGRESQL_OUTSIDE);
	bool is_new = false;
	int failed = pglink_connect(p->link, &is_new, err);
	if (failed)
		return failed;
	p->is_ready = p->is_ready && !is_new;
	if (!p->is_ready)
		failed = postgresql_schema_migrate(p->link, err);
	if (!failed && !p->is_ready)
		failed = add_site(p, err);
	if (failed) {
		pglink_rollback(p->link);
		return failed;
	}
	p->is_ready = true;
	p->state = states[access];
	return 0;
}

/* The deadline is the server's too, so that a statement that we gave up holds no lock for long. */
static int send_begin(struct postgresql *p, struct err *err)
{
	static const char *const begins[] = {
		[POSTGRESQL_READS_ONCE] = "BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY",
		[POSTGRESQL_READS] = "BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY",
		[POSTGRESQL_WRITES] = "BEGIN ISOLATION LEVEL SERIALIZABLE",
	};
	static const char *const timeouts[] = {
		"statement_timeout", "idle_in_transaction_session_timeout"};
	int failed = pglink_send(p->link, begins[p->state], NULL, NULL, NULL, 0, err);
	for (size_t i = 0; i < sizeof(timeouts) / sizeof(timeouts[0]) && !failed; i++) {
		char set[96];
		snprintf(set, sizeof(set), "SET LOCAL %s = %lld", timeouts[i],
			(long long)p->timeout_ms);
		failed = pglink_send(p->link, set, NULL, NULL, NULL, 0, err);
	}
	if (!failed)
		p->state = POSTGRESQL_BEGUN;
	return failed;
}

int postgresql_send(struct postgresql *p, const char *sql, const struct pgvalues *values,
	pglink_rows_fn *on_rows, void *ctx, size_t index, struct err *err)
{
	assert(p->state != POSTGRESQL_OUTSIDE);
	int failed = p->state == POSTGRESQL_BEGUN ? 0 : send_begin(p, err);
	return failed ? failed : pglink_send(p->link, sql, values, on_rows, ctx, index, err);
}

int postgresql_wait(struct postgresql *p, struct err *err)
{
	int failed = pglink_wait(p->link, err);
	/* Somebody may have removed the tables. */
	if (failed == -ENOTSUP)
		p->is_ready = false;
	return failed;
}

int postgresql_ask(struct postgresql *p, const char *sql, const struct pgvalues *values,
	pglink_rows_fn *on_rows, void *ctx, struct err *err)
{
	int failed = postgresql_send(p, sql, values, on_rows, ctx, 0, err);
	return failed ? failed : postgresql_wait(p, err);
}

int postgresql_send_alone(struct postgresql *p, const char *sql, const struct pgvalues *values,
	pglink_rows_fn *on_rows, void *ctx, size_t index, struct err *err)
{
	if (p->state == POSTGRESQL_READS_ONCE)
		return pglink_send(p->link, sql, values, on_rows, ctx, index, err);
	return postgresql_send(p, sql, values, on_rows, ctx, index, err);
}

int postgresql_ask_alone(struct postgresql *p, const char *sql, const struct pgvalues *values,
	pglink_rows_fn *on_rows, void *ctx, struct err *err)
{
	int failed = postgresql_send_alone(p, sql, values, on_rows, ctx, 0, err);
	return failed ? failed : postgresql_wait(p, err);
}

/* A COMMIT of what has failed is answered, but with "ROLLBACK". */
static const char *on_commit(void *ctx, size_t index, const PGresult *answer)
{
	bool *is_committed = ctx;
	(void)index;
	*is_committed = strcmp(PQcmdStatus((PGresult *)answer), "COMMIT") == 0;
	return NULL;
}

int postgresql_commit(struct registry_db *db, struct err *err)
{
	struct postgresql *p = postgresql_of(db);
	int failed = 0;
	bool is_committed = true;
	if (p->state == POSTGRESQL_BEGUN) {
		is_committed = false;
		failed = postgresql_ask(p, "COMMIT", NULL, on_commit, &is_committed, err);
	}
	if (!failed && !is_committed)
		failed = err_set(err, -EAGAIN, "registry '%s': the transaction was rolled back",
			pglink_name(p->link));
	if (!failed)
		p->state = POSTGRESQL_OUTSIDE;
	return failed;
}

void postgresql_rollback(struct registry_db *db)
{
	struct postgresql *p = postgresql_of(db);
	pglink_rollback(p->link);
	p->state = POSTGRESQL_OUTSIDE;
}

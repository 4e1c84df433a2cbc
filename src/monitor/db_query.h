/*
 * db_query - a question of a person to the registry or the queue, as a job for their threads.
 *
 * Embedded in the struct that waits for the answer.  It must live until `answered` is called, which
 * happens also when the daemon stops (with -ECANCELED).  Loop thread only.
 */
#ifndef MAILPUSH_MONITOR_DB_QUERY_H
#define MAILPUSH_MONITOR_DB_QUERY_H

#include "monitor/services.h"

struct db_query {
	struct registry_job job;
	struct registry_query query;
	struct queue_reading reading;
	struct queue_waiter waiter;
	void (*answered)(struct db_query *db_query, int status);
};

/* LIST (of db_query->query), REMOVE or COUNT.  The caller sets what the job borrows. */
void db_query_ask_registry(const struct services *services, struct db_query *db_query,
	enum registry_job_kind kind, void (*answered)(struct db_query *db_query, int status));
/* Of a user's LIST that has more; what it brought is freed. */
void db_query_ask_next_page(const struct services *services, struct db_query *db_query,
	void (*answered)(struct db_query *db_query, int status));
/* `parts`: of QUEUE_READ_*, about db_query->reading. */
void db_query_ask_queue(const struct services *services, struct db_query *db_query, unsigned parts,
	void (*answered)(struct db_query *db_query, int status));
/* Frees the answers. */
void db_query_fini(struct db_query *db_query);

#endif

#include "monitor/db_query.h"

#include "base/mem.h"

static void on_registry(struct registry_job *job)
{
	struct db_query *db_query = MEM_CONTAINER(job, struct db_query, job);
	db_query->answered(db_query, job->status);
}

static void on_read(struct queue_waiter *waiter, int status)
{
	struct db_query *db_query = MEM_CONTAINER(waiter, struct db_query, waiter);
	db_query->answered(db_query, status);
}

void db_query_ask_registry(const struct services *services, struct db_query *db_query,
	enum registry_job_kind kind, void (*answered)(struct db_query *db_query, int status))
{
	db_query->answered = answered;
	db_query->job.kind = kind;
	db_query->job.done = on_registry;
	db_query->job.received_ms = clock_unix_ms();
	db_query->job.query = &db_query->query;
	registry_submit(services->registry, &db_query->job);
}

void db_query_ask_next_page(const struct services *services, struct db_query *db_query,
	void (*answered)(struct db_query *db_query, int status))
{
	const struct registry_listing *listing = db_query->job.listing;
	const struct push_target *last = listing->listed[listing->count - 1].target;
	db_query->query.after_key = last->key;
	registry_job_fini(&db_query->job);
	db_query_ask_registry(services, db_query, REGISTRY_LIST, answered);
}

void db_query_ask_queue(const struct services *services, struct db_query *db_query, unsigned parts,
	void (*answered)(struct db_query *db_query, int status))
{
	db_query->answered = answered;
	db_query->waiter.done = on_read;
	queue_read(services->queue, parts, &db_query->reading, &db_query->waiter);
}

void db_query_fini(struct db_query *db_query)
{
	registry_job_fini(&db_query->job);
	queue_reading_fini(&db_query->reading);
}

#include "admin/db_query.h"

#include "base/mem.h"

void db_query_ask_registry(struct core *core, struct db_query *db_query,
	enum registry_job_kind kind, void (*answered)(struct db_query *db_query, int status))
{
	db_query->answered = answered;
	db_query->job.kind = kind;
	db_query->job.received_ms = clock_unix_ms();
	db_query->job.query = &db_query->query;
	registry_submit(core->registry, &db_query->job);
}

void db_query_ask_queue(struct core *core, struct db_query *db_query, unsigned parts,
	void (*answered)(struct db_query *db_query, int status))
{
	db_query->answered = answered;
	struct queue_job *job = queue_job_new();
	job->parts = parts;
	job->seq = schedule_next_seq(core->schedule);
	job->reading = &db_query->reading;
	store_submit(core->store, job);
}

void db_query_fini(struct db_query *db_query)
{
	registry_job_fini(&db_query->job);
	queue_reading_fini(&db_query->reading);
}

void db_query_on_registry(struct registry_job *job)
{
	struct db_query *db_query = MEM_CONTAINER(job, struct db_query, job);
	db_query->answered(db_query, job->status);
}

void db_query_on_stored(struct queue_job *job)
{
	struct db_query *db_query = MEM_CONTAINER(job->reading, struct db_query, reading);
	db_query->answered(db_query, job->status);
}

#include "admin/db_query.h"

#include "base/mem.h"

void db_query_ask_registry(struct core *core, struct db_query *inquiry, enum registry_job_kind kind,
	void (*answered)(struct db_query *inquiry, int status))
{
	inquiry->answered = answered;
	inquiry->job.kind = kind;
	inquiry->job.received_ms = clock_unix_ms();
	inquiry->job.query = &inquiry->query;
	registry_submit(core->registry, &inquiry->job);
}

void db_query_ask_queue(struct core *core, struct db_query *inquiry, unsigned parts,
	void (*answered)(struct db_query *inquiry, int status))
{
	inquiry->answered = answered;
	struct queue_job *job = queue_job_new();
	job->parts = parts;
	job->seq = schedule_next_seq(core->schedule);
	job->reading = &inquiry->reading;
	store_submit(core->store, job);
}

void db_query_fini(struct db_query *inquiry)
{
	registry_job_fini(&inquiry->job);
	queue_reading_fini(&inquiry->reading);
}

void db_query_on_registry(struct registry_job *job)
{
	struct db_query *inquiry = MEM_CONTAINER(job, struct db_query, job);
	inquiry->answered(inquiry, job->status);
}

void db_query_on_stored(struct queue_job *job)
{
	struct db_query *inquiry = MEM_CONTAINER(job->reading, struct db_query, reading);
	inquiry->answered(inquiry, job->status);
}

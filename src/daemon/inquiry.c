#include "daemon/inquiry.h"

#include "base/mem.h"

void inquiry_ask_registry(struct core *core, struct inquiry *inquiry, enum registry_job_kind kind,
	void (*answered)(struct inquiry *inquiry, int status))
{
	inquiry->answered = answered;
	inquiry->job.kind = kind;
	inquiry->job.received_ms = clock_unix_ms();
	inquiry->job.query = &inquiry->query;
	registry_submit(core->registry, &inquiry->job);
}

void inquiry_ask_queue(struct core *core, struct inquiry *inquiry, unsigned parts,
	void (*answered)(struct inquiry *inquiry, int status))
{
	inquiry->answered = answered;
	struct queue_job *job = queue_job_new();
	job->parts = parts;
	job->seq = schedule_next_seq(core->schedule);
	job->reading = &inquiry->reading;
	store_submit(core->store, job);
}

void inquiry_fini(struct inquiry *inquiry)
{
	registry_job_fini(&inquiry->job);
	queue_reading_fini(&inquiry->reading);
}

void inquiry_on_registry(struct registry_job *job)
{
	struct inquiry *inquiry = MEM_CONTAINER(job, struct inquiry, job);
	inquiry->answered(inquiry, job->status);
}

void inquiry_on_stored(struct queue_job *job)
{
	struct inquiry *inquiry = MEM_CONTAINER(job->reading, struct inquiry, reading);
	inquiry->answered(inquiry, job->status);
}

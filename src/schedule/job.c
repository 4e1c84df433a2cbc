#include "schedule/job.h"

#include "base/mem.h"

#include <assert.h>

struct queue_job *queue_job_new(void)
{
	return mem_alloc_zero(1, sizeof(struct queue_job));
}

void queue_job_free(struct queue_job *job)
{
	if (!job)
		return;
	push_target_free(job->target);
	if (job->news != &job->one_news)
		free(job->news);
	free(job);
}

void queue_reading_fini(struct queue_reading *reading)
{
	for (size_t i = 0; i < reading->waiting_count; i++)
		push_target_free(reading->waiting[i].target);
	free(mem_steal(reading->waiting));
	reading->waiting_count = 0;
}

void queue_job_make_room(struct queue_job *job, size_t count)
{
	assert(!job->news);
	job->news = count == 1 ? &job->one_news : mem_alloc_zero(count, sizeof(*job->news));
}

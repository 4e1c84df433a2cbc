#include "loop/worker.h"

void job_list_init(struct job_list *list)
{
	*list = (struct job_list){.first = NULL};
	list->end = &list->first;
}

void job_list_append(struct job_list *list, struct job *job)
{
	job->next = NULL;
	*list->end = job;
	list->end = &job->next;
	list->count++;
}

void job_list_move(struct job_list *to, struct job_list *from)
{
	if (!from->first)
		return;
	*to->end = from->first;
	to->end = from->end;
	to->count += from->count;
	job_list_init(from);
}

void job_list_move_some(struct job_list *to, struct job_list *from, size_t count)
{
	if (from->count <= count) {
		job_list_move(to, from);
		return;
	}
	while (count--)
		job_list_append(to, job_list_take(from));
}

struct job *job_list_take(struct job_list *list)
{
	struct job *job = list->first;
	if (!job)
		return NULL;
	list->first = job->next;
	if (!list->first)
		list->end = &list->first;
	list->count--;
	job->next = NULL;
	return job;
}

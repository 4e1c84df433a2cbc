/*
 * faulty - ends the daemon like a failed assertion, in each of its lives behind the same number of
 * pushes: those that were handed over (MAILPUSH_FAULT_PUSH) or told (MAILPUSH_FAULT_TOLD); or with
 * one push, to the device token of MAILPUSH_FAULT_TOKEN.
 */
#include "apns/sender.h"
#include "schedule/schedule.h"

#include <stdlib.h>
#include <string.h>

bool __real_sender_push(struct sender *sender, struct sender_push *push);
bool __wrap_sender_push(struct sender *sender, struct sender_push *push);
struct queue_job *__real_schedule_settled(struct schedule *schedule, const struct registry_key *key,
	int status, const char *reason, struct schedule_time time);
struct queue_job *__wrap_schedule_settled(struct schedule *schedule, const struct registry_key *key,
	int status, const char *reason, struct schedule_time time);

static void count(unsigned *so_far, const char *variable)
{
	const char *limit = getenv(variable);
	if (limit && ++*so_far == (unsigned)atoi(limit))
		abort();
}

bool __wrap_sender_push(struct sender *sender, struct sender_push *push)
{
	static unsigned pushes;
	const char *deadly = getenv("MAILPUSH_FAULT_TOKEN");
	if (deadly && !strcmp(deadly, push->token))
		abort();
	bool is_taken = __real_sender_push(sender, push);
	if (is_taken)
		count(&pushes, "MAILPUSH_FAULT_PUSH");
	return is_taken;
}

struct queue_job *__wrap_schedule_settled(struct schedule *schedule, const struct registry_key *key,
	int status, const char *reason, struct schedule_time time)
{
	static unsigned told;
	/* Before its answer can be handed over to be stored. */
	count(&told, "MAILPUSH_FAULT_TOLD");
	return __real_schedule_settled(schedule, key, status, reason, time);
}

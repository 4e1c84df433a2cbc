#include "arrival/arrival.h"

#include "arrival/merge_key.h"
#include "base/clock.h"
#include "base/mem.h"

#include <string.h>

static bool is_news(enum relay_action action)
{
	return action == RELAY_URGENT || action == RELAY_DEFERRED;
}

static enum registry_job_kind job_kind(enum relay_action action)
{
	switch (action) {
	case RELAY_REGISTER:
		return REGISTRY_REGISTER;
	case RELAY_MAILBOX_DELETE:
		return REGISTRY_MAILBOX_DELETE;
	case RELAY_MAILBOX_RENAME:
		return REGISTRY_MAILBOX_RENAME;
	case RELAY_URGENT:
	case RELAY_DEFERRED:
	case RELAY_IGNORE:
	case RELAY_ACTIONS:
		break;
	}
	return REGISTRY_NEWS;
}

struct arrival *arrival_new(enum relay_action action, struct mail_event *event, const char *raw,
	size_t raw_size, int64_t received_ms)
{
	size_t room = is_news(action) ? merge_key_room(event) : 0;
	struct arrival *arrival = mem_alloc(sizeof(*arrival) + room + raw_size);
	*arrival = (struct arrival){.raw_size = raw_size, .largest = raw_size};
	if (room)
		arrival->merge_key_size = merge_key_write(arrival->memory, action, event);
	memcpy(arrival->memory + arrival->merge_key_size, raw, raw_size);
	arrival->action = action;
	arrival->event = event;
	arrival->since_ms = clock_monotonic_ms();
	arrival->job.kind = job_kind(action);
	arrival->job.event = event;
	arrival->job.received_ms = received_ms;
	return arrival;
}

void arrival_free(struct arrival *arrival)
{
	registry_job_fini(&arrival->job);
	event_free(arrival->event);
	if (arrival->newest)
		arrival_free(arrival->newest);
	free(arrival->more_waiters);
	registering_fini(&arrival->registering);
	free((char *)arrival->was_at.folder);
	free(arrival);
}

bool arrival_is_news(const struct arrival *arrival)
{
	return is_news(arrival->action);
}

const struct arrival *arrival_newest(const struct arrival *arrival)
{
	return arrival->newest ? arrival->newest : arrival;
}

const char *arrival_raw(const struct arrival *arrival)
{
	return arrival->memory + arrival->merge_key_size;
}

void arrival_add_waiter(struct arrival *arrival, struct arrival_waiter waiter)
{
	if (!waiter.answer)
		return;
	arrival->is_kept = arrival->is_kept || waiter.is_keeper;
	if (!arrival_is_awaited(arrival)) {
		arrival->waiter = waiter;
		return;
	}
	arrival->more_waiters = mem_realloc_array(
		arrival->more_waiters, arrival->more_count + 1, sizeof(*arrival->more_waiters));
	arrival->more_waiters[arrival->more_count++] = waiter;
}

bool arrival_is_awaited(const struct arrival *arrival)
{
	return arrival->waiter.answer || arrival->more_count;
}

void arrival_answer_waiter(struct arrival_waiter waiter, int status, const char *text)
{
	if (waiter.answer)
		waiter.answer(waiter.who, status, text);
}

static void tell_matched(const struct arrival_waiter *waiter, size_t registrations)
{
	if (waiter->answer && waiter->matched)
		waiter->matched(waiter->who, registrations);
}

void arrival_tell_matched(const struct arrival *arrival)
{
	tell_matched(&arrival->waiter, arrival->job.match_count);
	for (size_t i = 0; i < arrival->more_count; i++)
		tell_matched(&arrival->more_waiters[i], arrival->job.match_count);
}

void arrival_answer(struct arrival *arrival, int status, const char *text)
{
	arrival_answer_waiter(arrival->waiter, status, text);
	arrival->waiter.answer = NULL;
	for (size_t i = 0; i < arrival->more_count; i++)
		arrival_answer_waiter(arrival->more_waiters[i], status, text);
	free(mem_steal(arrival->more_waiters));
	arrival->more_count = 0;
}

void arrival_merge(struct arrival *into, struct arrival *newer)
{
	if (into->newest)
		arrival_free(into->newest);
	if (newer->largest > into->largest)
		into->largest = newer->largest;
	into->newest = newer;
	into->job.event = newer->event;
	arrival_add_waiter(into, newer->waiter);
	newer->waiter.answer = NULL;
}

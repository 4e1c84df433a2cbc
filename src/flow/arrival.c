#include "flow/arrival.h"

#include "base/alarm.h"
#include "base/clock.h"
#include "base/log.h"
#include "base/map.h"
#include "base/mem.h"
#include "event/mailbox_ids.h"
#include "flow/delivery.h"
#include "flow/event_log.h"
#include "flow/merge_key.h"
#include "flow/overload.h"
#include "flow/registering.h"
#include "flow/registry_outcome.h"
#include "stats/metrics.h"

#include <assert.h>
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#define WATCH_MS 50 /* how often late ones are looked for */
#define STOPPING_TEXT "not on disk, the service is stopping"
#define EARLIEST_MS INT64_C(1577836800000) /* 2020: nothing was kept before */

struct arrival {
	struct arrivals *arrivals;
	struct registry_job job;    /* the registry's from submit to done */
	struct queue_waiter stored; /* all that follows from it */
	struct queue_waiter parked; /* its parked row */
	struct arrival *previous;
	struct arrival *next;
	enum relay_action action;
	struct mail_event *event;
	struct arrival *newest; /* of those merged into this one: its event and raw bytes count */
	int64_t since_ms;

	struct arrival_waiter waiter;
	struct arrival_waiter *more_waiters; /* of those merged into this one */
	size_t more_count;

	uint64_t number;    /* among the registry's jobs */
	bool is_matched;    /* the registry has answered */
	bool is_parked;	    /* a row in the queue holds it, or is on its way there */
	bool is_safe;	    /* the parked row is on disk */
	bool is_kept;	    /* by a waiter */
	bool is_lost;	    /* nothing of it could be stored before the end */
	uint64_t parked_id; /* 0: none */

	struct registering registering; /* REGISTER: what the job borrows beside the event */
	struct mailbox was_at;		/* NEWS: the same, its folder our own */
	uint64_t doubts; /* about the ids of mailboxes, when the registry was asked */

	size_t merge_key_size;
	size_t raw_size;
	char memory[]; /* merge_key; raw: the event as it came, for parking */
};

struct arrivals {
	struct arrivals_needs needs;
	struct overload *overload;
	struct arrival *first;
	struct arrival *last;
	struct arrival *unwatched; /* the first that on_watch has not seen late yet */
	uint64_t count;
	bool is_held;
	struct arrival *held; /* the first that waits for arrivals_release: those parked before */
	struct arrival **held_parked_end;
	struct arrival **held_end;
	uint64_t parked; /* arrivals under way that are parked */
	uint64_t last_parked_id;
	struct map *mergeable;	 /* news that waits for the registry, by merge_key */
	struct mailbox_ids *ids; /* of folders that somebody subscribes to */
	unsigned silence; /* looks of on_watch at a registry that works and answers nothing */
	uv_timer_t watch;
	bool is_late; /* the alarm about late acknowledgements stands */
	uint64_t lost;
};

static bool is_news(enum relay_action action)
{
	return action == RELAY_URGENT || action == RELAY_DEFERRED;
}

static void answer_waiter(struct arrival_waiter waiter, int status, const char *text)
{
	if (waiter.answer)
		waiter.answer(waiter.who, status, text);
}

static void answer(struct arrival *arrival, int status, const char *text)
{
	answer_waiter(arrival->waiter, status, text);
	arrival->waiter.answer = NULL;
	for (size_t i = 0; i < arrival->more_count; i++)
		answer_waiter(arrival->more_waiters[i], status, text);
	arrival->more_count = 0;
}

/* With the answer that somebody waits for. */
static void observe_wait(struct arrivals *arrivals, const struct arrival *arrival)
{
	if (arrival->waiter.answer || arrival->more_count)
		histogram_observe_us(&arrivals->needs.metrics->acknowledged,
			(clock_monotonic_ms() - arrival->since_ms) * 1000);
}

static void free_arrival(struct arrival *arrival)
{
	registry_job_fini(&arrival->job);
	event_free(arrival->event);
	if (arrival->newest)
		free_arrival(arrival->newest);
	free(arrival->more_waiters);
	registering_fini(&arrival->registering);
	free((char *)arrival->was_at.folder);
	free(arrival);
}

static const struct arrival *newest_of(const struct arrival *arrival)
{
	return arrival->newest ? arrival->newest : arrival;
}

static const char *raw_of(const struct arrival *arrival)
{
	return arrival->memory + arrival->merge_key_size;
}

static void on_watch(uv_timer_t *timer);

struct arrivals *arrivals_new(const struct arrivals_needs *needs, const uint8_t seed[16])
{
	const struct overload_needs of_overload = {.max_waiting = needs->config->max_waiting,
		.metrics = needs->metrics,
		.pause = needs->pause,
		.ctx = needs->ctx};
	struct arrivals *arrivals = mem_alloc_zero(1, sizeof(*arrivals));
	arrivals->needs = *needs;
	arrivals->held_parked_end = &arrivals->held;
	arrivals->held_end = &arrivals->held;
	arrivals->overload = overload_new(&of_overload);
	arrivals->mergeable = map_new(seed);
	arrivals->ids = mailbox_ids_new(seed);
	uv_timer_init(needs->loop, &arrivals->watch);
	arrivals->watch.data = arrivals;
	return arrivals;
}

static void on_watch_closed(uv_handle_t *handle)
{
	free(handle->data);
}

void arrivals_free(struct arrivals *arrivals)
{
	if (!arrivals)
		return;
	assert(!arrivals->first && !arrivals->held);
	map_free(arrivals->mergeable);
	mailbox_ids_free(arrivals->ids);
	overload_free(arrivals->overload);
	uv_close((uv_handle_t *)&arrivals->watch, on_watch_closed);
}

uint64_t arrivals_lost(const struct arrivals *arrivals)
{
	return arrivals->lost;
}

uint64_t arrivals_count(const struct arrivals *arrivals)
{
	return arrivals->count;
}

static void link_arrival(struct arrivals *arrivals, struct arrival *arrival)
{
	arrival->previous = arrivals->last;
	if (arrivals->last)
		arrivals->last->next = arrival;
	else
		arrivals->first = arrival;
	arrivals->last = arrival;
	if (!arrivals->unwatched)
		arrivals->unwatched = arrival;
	arrivals->count++;
	if (!uv_is_active((uv_handle_t *)&arrivals->watch))
		uv_timer_start(&arrivals->watch, on_watch, WATCH_MS, WATCH_MS);
	overload_enter(arrivals->overload, arrival->raw_size);
}

static void unlink_arrival(struct arrivals *arrivals, struct arrival *arrival)
{
	if (arrival->previous)
		arrival->previous->next = arrival->next;
	else
		arrivals->first = arrival->next;
	if (arrival->next)
		arrival->next->previous = arrival->previous;
	else
		arrivals->last = arrival->previous;
	if (arrivals->unwatched == arrival)
		arrivals->unwatched = arrival->next;
	arrivals->count--;
	if (arrival->is_parked)
		arrivals->parked--;
	overload_leave(arrivals->overload, newest_of(arrival)->raw_size);
}

static void park(struct arrivals *arrivals, struct arrival *arrival)
{
	if (!arrival->is_parked) {
		arrival->is_parked = true;
		arrivals->parked++;
		if (!arrival->parked_id)
			arrival->parked_id = ++arrivals->last_parked_id;
	}
	const struct arrival *newest = newest_of(arrival);
	queue_park(arrivals->needs.queue, arrival->parked_id, arrival->job.received_ms,
		raw_of(newest), newest->raw_size, &arrival->parked);
}

/*
 * The registry hangs, if it has had work and answered nothing for ARRIVAL_PARK_MS.  One that goes
 * on has a backlog at most, which parking would only lengthen; one without work waits for the
 * queue.  Counted in looks, as a long turn of ours is no silence of the registry's.
 */
static bool is_silent(const struct arrivals *arrivals)
{
	return arrivals->silence >= ARRIVAL_PARK_MS / WATCH_MS;
}

static void on_watch(uv_timer_t *timer)
{
	struct arrivals *arrivals = timer->data;
	if (!arrivals->first) {
		arrivals->silence = 0;
		uv_timer_stop(timer);
		return;
	}
	bool has_work = worker_running(registry_worker(arrivals->needs.registry));
	arrivals->silence = has_work ? arrivals->silence + 1 : 0;
	if (!is_silent(arrivals))
		return;
	int64_t late_ms = clock_monotonic_ms() - ARRIVAL_PARK_MS;
	while (arrivals->unwatched && arrivals->unwatched->since_ms <= late_ms) {
		struct arrival *arrival = arrivals->unwatched;
		arrivals->unwatched = arrival->next;
		if (!arrival->is_matched && !arrival->is_parked)
			park(arrivals, arrival);
	}
}

/* Gone from memory once the registry has answered and the queue holds all that follows. */
static void finish_if_done(struct arrivals *arrivals, struct arrival *arrival)
{
	if (!arrival->is_matched || arrival->stored.waiting || arrival->parked.waiting)
		return;
	if (arrival->is_lost && !arrival->is_safe && !arrival->is_kept)
		arrivals->lost++;
	observe_wait(arrivals, arrival);
	answer(arrival, 0, NULL);
	unlink_arrival(arrivals, arrival);
	free_arrival(arrival);
	if (arrivals->is_late && !arrivals->lost &&
		(!arrivals->first ||
			clock_monotonic_ms() - arrivals->first->since_ms <
				arrivals->needs.config->ack_timeout_ms)) {
		arrivals->is_late = false;
		alarm_clear("intake:late");
	}
}

static void on_written(struct arrival *arrival, int status)
{
	arrival->is_lost = arrival->is_lost || status;
	if (status)
		answer(arrival, -EAGAIN, STOPPING_TEXT);
	finish_if_done(arrival->arrivals, arrival);
}

static void on_stored(struct queue_waiter *waiter, int status)
{
	on_written(MEM_CONTAINER(waiter, struct arrival, stored), status);
}

/* Of several parked states of one row the last one counts. */
static void on_parked(struct queue_waiter *waiter, int status)
{
	struct arrival *arrival = MEM_CONTAINER(waiter, struct arrival, parked);
	arrival->is_safe = arrival->is_safe || !status;
	if (!waiter->waiting && !status) {
		observe_wait(arrival->arrivals, arrival);
		answer(arrival, 0, NULL);
	}
	on_written(arrival, status);
}

void arrivals_on_ack_timeout(struct arrivals *arrivals)
{
	arrivals->is_late = true;
	alarm_raise("intake:late",
		"events could not be put on disk within ack_timeout; they are kept in memory, "
		"%" PRIu64 " wait; look at the disk of %s",
		arrivals->count, arrivals->needs.config->queue);
}

/* Was the mailbox elsewhere when it was last seen? */
static void look_up_id(const struct arrivals *arrivals, struct arrival *arrival)
{
	if (mailbox_ids_follow(
		    arrivals->ids, arrival->event, arrival->job.separator, &arrival->was_at))
		arrival->job.was_at = &arrival->was_at;
}

static void forget_all(
	struct arrivals *arrivals, const struct mailbox *mailboxes, unsigned count, char separator)
{
	for (unsigned i = 0; i < count; i++) {
		if (mailbox_is_inbox(&mailboxes[i]))
			mailbox_ids_forget_owner(arrivals->ids, mailboxes[i].owner);
		else
			mailbox_ids_forget(arrivals->ids, &mailboxes[i], separator);
	}
}

/* What tells of mailboxes by their names leaves in doubt what the ids say of them. */
static void forget_ids(struct arrivals *arrivals, const struct registry_job *job)
{
	const struct mail_event *event = job->event;
	forget_all(arrivals, event->at, event->readings, job->separator);
	forget_all(arrivals, event->from, event->from_readings, job->separator);
	for (size_t i = 0; i < job->subscription_count; i++) {
		const struct mailbox named = {.owner = job->subscriptions[i].owner,
			.folder = job->subscriptions[i].folder};
		mailbox_ids_forget(arrivals->ids, &named, job->separator);
	}
}

/* The folders that somebody subscribes to. */
static void learn_ids(struct arrivals *arrivals, const struct arrival *arrival)
{
	const struct registry_job *job = &arrival->job;
	for (size_t i = 0; i < job->match_count; i++)
		mailbox_ids_learn(arrivals->ids, job->event, job->matches[i].reading,
			newest_of(arrival)->doubts);
}

static void on_registry(struct registry_job *job)
{
	struct arrival *arrival = MEM_CONTAINER(job, struct arrival, job);
	struct arrivals *arrivals = arrival->arrivals;
	if (map_get(arrivals->mergeable, arrival->memory, arrival->merge_key_size) == arrival)
		map_remove(arrivals->mergeable, arrival->memory, arrival->merge_key_size);
	arrival->is_matched = true;
	arrivals->silence = 0;
	if (job->status) {
		/* Stopping, or the database refuses it: the next start takes it from there. */
		if (!arrival->is_parked)
			park(arrivals, arrival);
		finish_if_done(arrivals, arrival);
		return;
	}
	if (is_news(arrival->action))
		learn_ids(arrivals, arrival);
	const struct registry_outcome_needs needs = {.config = arrivals->needs.config,
		.queue = arrivals->needs.queue,
		.delivery = arrivals->needs.delivery,
		.metrics = arrivals->needs.metrics};
	registry_outcome_follow(&needs, arrival->action, job, &arrival->stored);
	if (arrival->is_parked)
		queue_unpark(arrivals->needs.queue, arrival->parked_id, &arrival->stored);
	finish_if_done(arrivals, arrival);
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

static void add_waiter(struct arrival *arrival, struct arrival_waiter waiter)
{
	if (!waiter.answer)
		return;
	arrival->is_kept = arrival->is_kept || waiter.is_keeper;
	if (!arrival->waiter.answer && !arrival->more_count) {
		arrival->waiter = waiter;
		return;
	}
	arrival->more_waiters = mem_realloc_array(
		arrival->more_waiters, arrival->more_count + 1, sizeof(*arrival->more_waiters));
	arrival->more_waiters[arrival->more_count++] = waiter;
}

/* The newest event stands for both: its ACL counts. */
static void merge(struct arrivals *arrivals, struct arrival *into, struct arrival *newer)
{
	overload_leave(arrivals->overload, newest_of(into)->raw_size);
	overload_enter(arrivals->overload, newer->raw_size);
	if (into->newest)
		free_arrival(into->newest);
	into->newest = newer;
	into->job.event = newer->event;
	add_waiter(into, newer->waiter);
	newer->waiter.answer = NULL;
	if (into->is_parked)
		park(arrivals, into);
}

/* Not yet with the registry's thread. */
static bool is_waiting(const struct arrivals *arrivals, const struct arrival *arrival)
{
	const struct worker *worker = registry_worker(arrivals->needs.registry);
	return arrival->number > worker_submitted(worker) - worker_waiting(worker);
}

static void submit(struct arrivals *arrivals, struct arrival *arrival)
{
	/* An empty list means that all was handed over to the thread: nothing can be merged into.
	 */
	if (!worker_waiting(registry_worker(arrivals->needs.registry)))
		map_clear(arrivals->mergeable);
	if (is_news(arrival->action) && !arrival->job.was_at) {
		struct arrival *same =
			map_get(arrivals->mergeable, arrival->memory, arrival->merge_key_size);
		/* One with a row of its own in the file stays what that row stands for. */
		if (same && is_waiting(arrivals, same) && !arrival->parked_id) {
			merge(arrivals, same, arrival);
			return;
		}
		if (same)
			map_remove(arrivals->mergeable, same->memory, same->merge_key_size);
		map_add(arrivals->mergeable, arrival->memory, arrival->merge_key_size, arrival);
	} else {
		map_clear(arrivals->mergeable);
	}
	link_arrival(arrivals, arrival);
	if (arrival->parked_id) {
		arrival->is_parked = true;
		arrival->is_safe = true;
		arrivals->parked++;
	} else if (is_silent(arrivals) || (arrivals->parked && arrival->waiter.answer)) {
		park(arrivals, arrival);
	}
	registry_submit(arrivals->needs.registry, &arrival->job);
	arrival->number = worker_submitted(registry_worker(arrivals->needs.registry));
}

static void enter(struct arrivals *arrivals, struct arrival *arrival)
{
	if (arrival->action == RELAY_REGISTER)
		registering_prepare(&arrival->registering, arrivals->needs.config,
			arrivals->needs.input_files->imapdconf, &arrival->job);
	if (is_news(arrival->action))
		look_up_id(arrivals, arrival);
	else
		forget_ids(arrivals, &arrival->job);
	arrival->doubts = mailbox_ids_doubts(arrivals->ids);
	submit(arrivals, arrival);
}

void arrivals_hold(struct arrivals *arrivals)
{
	arrivals->is_held = true;
}

static void hold(struct arrivals *arrivals, struct arrival *arrival)
{
	struct arrival **place =
		arrival->parked_id ? arrivals->held_parked_end : arrivals->held_end;
	arrival->next = *place;
	*place = arrival;
	if (arrival->parked_id)
		arrivals->held_parked_end = &arrival->next;
	if (!arrival->next)
		arrivals->held_end = &arrival->next;
	arrivals->count++;
	overload_enter(arrivals->overload, arrival->raw_size);
}

static struct arrival *take_held(struct arrivals *arrivals)
{
	struct arrival *arrival = arrivals->held;
	if (!arrival)
		return NULL;
	arrivals->held = mem_steal(arrival->next);
	if (!arrivals->held)
		arrivals->held_end = arrivals->held_parked_end = &arrivals->held;
	arrivals->count--;
	overload_leave(arrivals->overload, arrival->raw_size);
	return arrival;
}

void arrivals_release(struct arrivals *arrivals)
{
	int64_t parked = 0;
	arrivals->is_held = false;
	for (struct arrival *arrival; (arrival = take_held(arrivals));) {
		parked += arrival->parked_id != 0;
		enter(arrivals, arrival);
	}
	if (parked)
		log_event(LOG_LEVEL_INFO, "daemon", "events parked earlier are taken in again",
			log_number("count", parked));
}

void arrivals_give_up_held(struct arrivals *arrivals)
{
	for (struct arrival *arrival; (arrival = take_held(arrivals));) {
		arrivals->lost += !arrival->is_kept && !arrival->parked_id;
		answer(arrival, -EAGAIN, STOPPING_TEXT);
		free_arrival(arrival);
	}
}

void arrivals_give_up_stuck(struct arrivals *arrivals)
{
	for (struct arrival *arrival = arrivals->first; arrival; arrival = arrival->next) {
		arrivals->lost += !arrival->is_safe && !arrival->is_kept;
		answer(arrival, -EAGAIN, STOPPING_TEXT);
	}
}

static struct arrival *arrival_new(struct arrivals *arrivals, enum relay_action action,
	struct mail_event *event, const char *raw, size_t raw_size, int64_t received_ms)
{
	size_t room = is_news(action) ? merge_key_room(event) : 0;
	struct arrival *arrival = mem_alloc(sizeof(*arrival) + room + raw_size);
	*arrival = (struct arrival){.raw_size = raw_size};
	if (room)
		arrival->merge_key_size = merge_key_write(arrival->memory, action, event);
	memcpy(arrival->memory + arrival->merge_key_size, raw, raw_size);
	arrival->arrivals = arrivals;
	arrival->stored.done = on_stored;
	arrival->parked.done = on_parked;
	arrival->action = action;
	arrival->event = event;
	arrival->since_ms = clock_monotonic_ms();
	arrival->job.kind = job_kind(action);
	arrival->job.done = on_registry;
	arrival->job.event = event;
	arrival->job.received_ms = received_ms;
	return arrival;
}

static void reject(struct arrivals *arrivals, struct arrival_waiter waiter, const char *text)
{
	arrivals->needs.metrics->malformed++;
	/* A keeper says what becomes of it. */
	if (!waiter.is_keeper)
		log_seldom(LOG_LEVEL_WARN, "event", "malformed events", waiter.through, text,
			log_text("through", waiter.through));
	answer_waiter(waiter, -EBADMSG, text);
}

static void take_event(struct arrivals *arrivals, const char *json, size_t size,
	int64_t received_ms, uint64_t parked_id, struct arrival_waiter waiter)
{
	const struct config *config = arrivals->needs.config;
	struct mail_event *event = NULL;
	struct err err;
	if (event_parse(&arrivals->needs.input_files->imapdconf->names, json, size, &event, &err)) {
		reject(arrivals, waiter, err.text);
		if (parked_id)
			queue_unpark(arrivals->needs.queue, parked_id, NULL);
		return;
	}
	enum relay_action action = relay_decide(&config->policy, event);
	event_log_came(event, action, waiter.through);
	if (action == RELAY_REGISTER &&
		!config_has_subtopic(config, event->registration.subtopic)) {
		log_seldom(LOG_LEVEL_WARN, "event", "subtopics not configured",
			event->registration.user, "registration for a subtopic not configured",
			log_text("user", event->registration.user),
			log_text("subtopic", event->registration.subtopic));
		action = RELAY_IGNORE;
	}
	if (action == RELAY_REGISTER && event->registration.left_out)
		event_log_left_out(&event->registration);
	enum metrics_transport transport = metrics_transport_of(waiter.through);
	metrics_event(arrivals->needs.metrics, event->kind, transport, action);
	observer_event(arrivals->needs.observer, event, action, transport);
	if (action == RELAY_IGNORE ||
		(!waiter.answer && !parked_id && overload_sheds(arrivals->overload, action))) {
		event_free(event);
		answer_waiter(waiter, 0, NULL);
		if (parked_id)
			queue_unpark(arrivals->needs.queue, parked_id, NULL);
		return;
	}
	struct arrival *arrival = arrival_new(arrivals, action, event, json, size, received_ms);
	add_waiter(arrival, waiter);
	arrival->parked_id = parked_id;
	arrival->job.may_be_done = parked_id || waiter.is_keeper;
	arrival->job.separator =
		arrivals->needs.input_files->imapdconf->names.unixhierarchysep ? '/' : '.';
	if (arrivals->is_held)
		hold(arrivals, arrival);
	else
		enter(arrivals, arrival);
}

/*
 * When the sender was told, or else now.  A time that cannot be is from a clock that was not set
 * when the event was kept.
 */
static int64_t time_of(const struct notification *notification)
{
	int64_t now_ms = clock_unix_ms();
	bool is_likely =
		notification->received_ms >= EARLIEST_MS && notification->received_ms < now_ms;
	return is_likely ? notification->received_ms : now_ms;
}

void arrivals_take(struct arrivals *arrivals, const struct notification *notification,
	struct arrival_waiter waiter)
{
	const struct arrivals_needs *needs = &arrivals->needs;
	struct err err;
	if (!notification_is_event(notification)) {
		needs->metrics->other_class++;
		int refused = forward_take(needs->forward, notification, &err);
		answer_waiter(waiter, refused, refused ? err.text : NULL);
		return;
	}
	if (needs->config->forward_events)
		forward_take(needs->forward, notification, &err);
	if (!notification->message.bytes) {
		reject(arrivals, waiter, "event without a message");
		return;
	}
	take_event(arrivals, notification->message.bytes, notification->message.size,
		time_of(notification), 0, waiter);
}

void arrivals_take_parked(struct arrivals *arrivals, uint64_t parked_id, int64_t received_ms,
	const char *raw, size_t raw_size)
{
	static const struct arrival_waiter nobody = {.through = "parked"};
	assert(parked_id);
	if (parked_id > arrivals->last_parked_id)
		arrivals->last_parked_id = parked_id;
	take_event(arrivals, raw, raw_size, received_ms, parked_id, nobody);
}

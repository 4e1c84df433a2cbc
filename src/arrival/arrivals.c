#include "arrival/arrivals.h"

#include "arrival/admission.h"
#include "arrival/known_ids.h"
#include "arrival/merging.h"
#include "arrival/origin.h"
#include "arrival/overload.h"
#include "arrival/parking.h"
#include "arrival/registry_outcome.h"
#include "base/alarm.h"
#include "base/buf.h"
#include "base/clock.h"
#include "base/log.h"
#include "base/mem.h"
#include "event/mailbox_ids.h"
#include "stats/metrics.h"

#include <assert.h>
#include <errno.h>
#include <inttypes.h>

#define STOPPING_TEXT "not on disk, the service is stopping"
#define EARLIEST_MS INT64_C(1577836800000) /* 2020: nothing was kept before */

struct arrivals {
	struct arrivals_needs needs;
	struct admission_needs admission;
	struct registry_outcome_needs outcome;
	struct overload *overload;
	struct parking *parking;
	struct merging *merging;
	struct mailbox_ids *ids; /* of folders that somebody subscribes to */
	uint64_t count;
	bool is_held;
	struct arrival_list
		held_parked; /* wait for arrivals_release; those parked before a restart go first */
	struct arrival_list held;
	bool is_late; /* the alarm about late acknowledgements stands */
	uint64_t lost;
	uint64_t set_aside;
};

static void observe_wait(struct arrivals *arrivals, const struct arrival *arrival)
{
	if (arrival_is_awaited(arrival))
		histogram_observe_us(&arrivals->needs.metrics->acknowledged,
			(clock_monotonic_ms() - arrival->since_ms) * 1000);
}

struct arrivals *arrivals_new(const struct arrivals_needs *needs, const uint8_t seed[16])
{
	const struct overload_needs of_overload = {.max_waiting = needs->config->max_waiting,
		.metrics = needs->metrics,
		.pause = needs->pause,
		.ctx = needs->ctx};
	struct arrivals *arrivals = mem_alloc_zero(1, sizeof(*arrivals));
	arrivals->needs = *needs;
	TAILQ_INIT(&arrivals->held_parked);
	TAILQ_INIT(&arrivals->held);
	arrivals->overload = overload_new(&of_overload);
	arrivals->parking = parking_new(needs->loop, needs->registry, needs->queue);
	arrivals->merging = merging_new(needs->registry, seed);
	arrivals->ids = mailbox_ids_new(seed);
	arrivals->admission = (struct admission_needs){.config = needs->config,
		.input_files = needs->input_files,
		.metrics = needs->metrics,
		.observer = needs->observer,
		.overload = arrivals->overload,
		.trace = needs->trace};
	arrivals->outcome = (struct registry_outcome_needs){.config = needs->config,
		.queue = needs->queue,
		.topics = needs->topics,
		.metrics = needs->metrics,
		.trace = needs->trace};
	return arrivals;
}

void arrivals_configure(struct arrivals *arrivals)
{
	overload_set_max(arrivals->overload, arrivals->needs.config->max_waiting);
}

void arrivals_free(struct arrivals *arrivals)
{
	if (!arrivals)
		return;
	assert(!arrivals->count);
	parking_free(arrivals->parking);
	merging_free(arrivals->merging);
	mailbox_ids_free(arrivals->ids);
	overload_free(arrivals->overload);
	free(arrivals);
}

uint64_t arrivals_lost(const struct arrivals *arrivals)
{
	return arrivals->lost;
}

uint64_t arrivals_count(const struct arrivals *arrivals)
{
	return arrivals->count;
}

bool arrivals_have_room_for_guests(const struct arrivals *arrivals)
{
	return overload_has_room_for_guests(arrivals->overload);
}

static void answer(struct arrivals *arrivals, struct arrival *arrival, int status, const char *text)
{
	for (size_t i = 0; i < arrival->more_count; i++)
		overload_leave(arrivals->overload, 0);
	arrival_answer(arrival, status, text);
}

static void acknowledge(struct arrivals *arrivals, struct arrival *arrival)
{
	observe_wait(arrivals, arrival);
	answer(arrivals, arrival, 0, event_registration_answer(&arrival->event->registration));
}

static void leave(struct arrivals *arrivals, struct arrival *arrival)
{
	parking_leave(arrivals->parking, arrival);
	overload_leave(arrivals->overload, arrival->largest);
	arrivals->count--;
}

/* It leaves memory once the registry has answered and the queue holds all that follows. */
static void finish_if_done(struct arrivals *arrivals, struct arrival *arrival)
{
	if (!arrival->is_matched || arrival->stored.waiting || arrival->parked.waiting)
		return;
	if (arrival->is_lost && !arrival->is_safe && !arrival->is_kept)
		arrivals->lost++;
	acknowledge(arrivals, arrival);
	leave(arrivals, arrival);
	arrival_free(arrival);
	const struct arrival *first = parking_first(arrivals->parking);
	if (arrivals->is_late && !arrivals->lost &&
		(!first ||
			clock_monotonic_ms() - first->since_ms <
				arrivals->needs.config->ack_timeout_ms)) {
		arrivals->is_late = false;
		alarm_clear("intake:late");
	}
}

static void on_written(struct arrival *arrival, int status)
{
	arrival->is_lost = arrival->is_lost || status;
	if (status)
		answer(arrival->arrivals, arrival, -EAGAIN, STOPPING_TEXT);
	finish_if_done(arrival->arrivals, arrival);
}

static void on_stored(struct queue_waiter *waiter, int status)
{
	on_written(MEM_CONTAINER(waiter, struct arrival, stored), status);
}

/* Nobody is answered before the newest event is on disk, parked or by what follows from it. */
static void on_parked(struct queue_waiter *waiter, int status)
{
	struct arrival *arrival = MEM_CONTAINER(waiter, struct arrival, parked);
	struct arrivals *arrivals = arrival->arrivals;
	bool is_last = !waiter->waiting && !status;
	arrival->is_safe = arrival->is_safe || !status;
	if (is_last && !arrival->must_repark)
		acknowledge(arrivals, arrival);
	else if (is_last && !arrival->is_matched)
		parking_park(arrivals->parking, arrival);
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

static void on_registry(struct registry_job *job)
{
	struct arrival *arrival = MEM_CONTAINER(job, struct arrival, job);
	struct arrivals *arrivals = arrival->arrivals;
	merging_end(arrivals->merging, arrival);
	parking_on_answer(arrivals->parking);
	arrival->is_matched = true;
	if (job->status) {
		/* Stopping, or the database refuses it: the next start takes it from there. */
		arrivals->set_aside += job->status == -EILSEQ;
		if (!arrival->is_parked || arrival->must_repark)
			parking_park(arrivals->parking, arrival);
		finish_if_done(arrivals, arrival);
		return;
	}
	arrival_tell_matched(arrival);
	known_ids_learn(arrivals->ids, arrival);
	registry_outcome_follow(&arrivals->outcome, arrival->action, job, &arrival->stored);
	if (arrival->is_parked)
		queue_unpark(arrivals->needs.queue, arrival->parked_id, &arrival->stored);
	finish_if_done(arrivals, arrival);
}

/* Bounded: one place for all, and one for each further sender that waits; one row on its way. */
static void merge(struct arrivals *arrivals, struct arrival *into, struct arrival *newer)
{
	size_t waiters = into->more_count;
	overload_leave(arrivals->overload, into->largest);
	arrival_merge(into, newer);
	overload_enter(arrivals->overload, into->largest);
	if (into->more_count > waiters)
		overload_enter(arrivals->overload, 0);
	if (into->parked.waiting)
		into->must_repark = true;
	else if (into->is_parked)
		parking_park(arrivals->parking, into);
}

static void submit(struct arrivals *arrivals, struct arrival *arrival)
{
	struct arrival *same = merging_match(arrivals->merging, arrival);
	if (same) {
		merge(arrivals, same, arrival);
		return;
	}
	arrivals->count++;
	overload_enter(arrivals->overload, arrival->largest);
	parking_enter(arrivals->parking, arrival);
	registry_submit(arrivals->needs.registry, &arrival->job);
	merging_begin(arrivals->merging, arrival);
}

static void enter(struct arrivals *arrivals, struct arrival *arrival)
{
	if (arrival->action == RELAY_REGISTER)
		registering_prepare(&arrival->registering, arrivals->needs.config,
			arrivals->needs.input_files, &arrival->job);
	known_ids_consult(arrivals->ids, arrival);
	submit(arrivals, arrival);
}

void arrivals_hold(struct arrivals *arrivals)
{
	arrivals->is_held = true;
}

static void hold(struct arrivals *arrivals, struct arrival *arrival)
{
	struct arrival_list *list = arrival->parked_id ? &arrivals->held_parked : &arrivals->held;
	TAILQ_INSERT_TAIL(list, arrival, place);
	arrivals->count++;
	overload_enter(arrivals->overload, arrival->largest);
}

static struct arrival *take_held(struct arrivals *arrivals)
{
	struct arrival_list *list =
		TAILQ_EMPTY(&arrivals->held_parked) ? &arrivals->held : &arrivals->held_parked;
	struct arrival *arrival = TAILQ_FIRST(list);
	if (!arrival)
		return NULL;
	TAILQ_REMOVE(list, arrival, place);
	arrivals->count--;
	overload_leave(arrivals->overload, arrival->largest);
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
		answer(arrivals, arrival, -EAGAIN, STOPPING_TEXT);
		arrival_free(arrival);
	}
}

void arrivals_give_up_stuck(struct arrivals *arrivals)
{
	for (struct arrival *arrival = parking_first(arrivals->parking); arrival;
		arrival = TAILQ_NEXT(arrival, place)) {
		arrivals->lost += !arrival->is_safe && !arrival->is_kept;
		answer(arrivals, arrival, -EAGAIN, STOPPING_TEXT);
	}
}

static void reject(struct arrivals *arrivals, struct arrival_waiter waiter, const char *text)
{
	arrivals->needs.metrics->malformed++;
	/* A keeper logs that itself. */
	if (!waiter.is_keeper)
		log_seldom(LOG_LEVEL_WARN, "event", "malformed events", waiter.through, text,
			log_text("through", waiter.through));
	arrival_answer_waiter(waiter, -EBADMSG, text);
}

static void turn_down(
	struct arrivals *arrivals, struct arrival_waiter waiter, int status, const char *text)
{
	if (status == -EBADMSG) {
		reject(arrivals, waiter, text);
		return;
	}
	if (status == -EPERM && !waiter.is_keeper)
		arrivals->needs.metrics->rejected[METRICS_REJECTED_not_allowed]++;
	if (!waiter.is_keeper)
		log_seldom(LOG_LEVEL_WARN, "event",
			status == -EPERM ? "requests for other users" : "requests turned down", "",
			text, log_text("through", waiter.through));
	arrival_answer_waiter(waiter, status, text);
}

/* One event as it came. */
struct incoming {
	struct origin origin;
	const char *raw; /* as it is parked; ends with the JSON */
	size_t raw_size;
	const char *json;
	size_t json_size;
	int64_t received_ms;
	uint64_t parked_id;
	struct arrival_waiter waiter;
};

static void let_in(struct arrivals *arrivals, const struct incoming *incoming,
	const struct admission *admission)
{
	struct arrival *arrival = arrival_new(admission->action, admission->event, incoming->raw,
		incoming->raw_size, incoming->received_ms);
	const struct imapdconf *imapdconf = arrivals->needs.input_files->imapdconf;
	arrival->arrivals = arrivals;
	arrival->stored.done = on_stored;
	arrival->parked.done = on_parked;
	arrival->job.done = on_registry;
	arrival_add_waiter(arrival, incoming->waiter);
	arrival->parked_id = incoming->parked_id;
	arrival->job.may_be_done = incoming->parked_id || incoming->waiter.is_keeper;
	if (incoming->origin.source != EVENT_OF_CYRUS)
		arrival->job.separator = DOVECOT_EVENT_SEPARATOR;
	else
		arrival->job.separator = imapdconf->names.unixhierarchysep ? '/' : '.';
	if (arrivals->is_held)
		hold(arrivals, arrival);
	else
		enter(arrivals, arrival);
}

static void take_event(struct arrivals *arrivals, const struct incoming *incoming)
{
	const struct admission_request request = {.origin = &incoming->origin,
		.json = incoming->json,
		.size = incoming->json_size,
		.through = incoming->waiter.through,
		.may_shed = !incoming->waiter.answer && !incoming->parked_id};
	struct admission admission = {0};
	struct err err;
	int status = admission_decide(&arrivals->admission, &request, &admission, &err);
	if (!status && admission.event) {
		let_in(arrivals, incoming, &admission);
		return;
	}
	if (status)
		turn_down(arrivals, incoming->waiter, status, err.text);
	else
		arrival_answer_waiter(incoming->waiter, 0, admission.told);
	if (incoming->parked_id)
		queue_unpark(arrivals->needs.queue, incoming->parked_id, NULL);
}

/*
 * When the event came, or else now.  A time that cannot be is from a clock that was not set
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
		arrival_answer_waiter(waiter, refused, refused ? err.text : NULL);
		return;
	}
	if (needs->config->forward_events)
		forward_take(needs->forward, notification, &err);
	if (!notification->message.bytes) {
		reject(arrivals, waiter, "event without a message");
		return;
	}
	const struct incoming incoming = {.raw = notification->message.bytes,
		.raw_size = notification->message.size,
		.json = notification->message.bytes,
		.json_size = notification->message.size,
		.received_ms = time_of(notification),
		.waiter = waiter};
	take_event(arrivals, &incoming);
}

void arrivals_take_dovecot(struct arrivals *arrivals, const struct dovecot_sender *sender,
	const struct notification *notification, struct arrival_waiter waiter)
{
	const struct origin origin = {.source = EVENT_OF_DOVECOT, .dovecot = *sender};
	size_t size = notification->message.size;
	buf_auto struct buf raw;
	buf_init(&raw);
	if (!origin_write(&origin, notification->message.bytes, size, &raw)) {
		reject(arrivals, waiter, "the names of user and topic are too long");
		return;
	}
	const struct incoming incoming = {.origin = origin,
		.raw = (const char *)raw.data,
		.raw_size = raw.used,
		.json = (const char *)raw.data + raw.used - size,
		.json_size = size,
		.received_ms = time_of(notification),
		.waiter = waiter};
	take_event(arrivals, &incoming);
}

void arrivals_take_xaps(
	struct arrivals *arrivals, const char *json, size_t size, struct arrival_waiter waiter)
{
	const struct incoming incoming = {.origin = {.source = EVENT_OF_XAPS},
		.raw = json,
		.raw_size = size,
		.json = json,
		.json_size = size,
		.received_ms = clock_unix_ms(),
		.waiter = waiter};
	take_event(arrivals, &incoming);
}

void arrivals_take_parked(struct arrivals *arrivals, uint64_t parked_id, int64_t received_ms,
	const char *raw, size_t raw_size)
{
	assert(parked_id);
	parking_know(arrivals->parking, parked_id);
	char memory[ORIGIN_LINE_MAX];
	struct incoming incoming = {.raw = raw,
		.raw_size = raw_size,
		.received_ms = received_ms,
		.parked_id = parked_id,
		.waiter = {.through = "parked"}};
	origin_read(raw, raw_size, memory, &incoming.origin, &incoming.json, &incoming.json_size);
	take_event(arrivals, &incoming);
}

uint64_t arrivals_parked(const struct arrivals *arrivals)
{
	return parking_count(arrivals->parking);
}

uint64_t arrivals_set_aside(const struct arrivals *arrivals)
{
	return arrivals->set_aside;
}

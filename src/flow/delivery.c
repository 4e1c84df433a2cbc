#include "flow/delivery.h"

#include "base/alarm.h"
#include "base/clock.h"
#include "base/log.h"
#include "base/mem.h"
#include "flow/flights.h"
#include "flow/probe.h"
#include "flow/topic_alarm.h"
#include "stats/failures.h"
#include "stats/metrics.h"
#include "stats/topic_health.h"

#include <assert.h>
#include <stdio.h>
#include <string.h>

#define NOT_FORGOTTEN_RETRY_MS (5 * CLOCK_MINUTE_MS) /* 410, but the phone has registered since */
/*
 * Trouble of one token is given up after a day, but not before so many attempts; after very many in
 * any case, as a day begins again with each start.  No clock that can be set has a say in it.
 */
#define GIVE_UP_MS CLOCK_DAY_MS
#define GIVE_UP_ATTEMPTS 20
#define GIVE_UP_ATTEMPTS_MAX 1000
#define TROUBLE_LINES 200 /* a minute, about pushes that were not taken; more say nothing new */
#define ALARM_NAME_SIZE 101

struct delivery {
	struct delivery_needs needs;
	struct sender *sender;
	struct probes *probes;
	uv_check_t turn;
	uv_timer_t due;
	unsigned handles;
	bool is_awake;
	bool is_stopped;
	struct topic_health *topics;
	struct flights *flights;
};

static void look(struct delivery *delivery);

static void on_turn(uv_check_t *handle)
{
	struct delivery *delivery = handle->data;
	if (delivery->is_awake)
		look(delivery);
}

static void on_due(uv_timer_t *handle)
{
	look(handle->data);
}

static void on_closed(uv_handle_t *handle)
{
	struct delivery *delivery = handle->data;
	if (!--delivery->handles)
		free(delivery);
}

void delivery_free(struct delivery *delivery)
{
	if (!delivery)
		return;
	flights_free(delivery->flights);
	topic_health_free(delivery->topics);
	sender_free(delivery->sender);
	probes_free(delivery->probes);
	uv_close((uv_handle_t *)&delivery->turn, on_closed);
	uv_close((uv_handle_t *)&delivery->due, on_closed);
}

void delivery_stop(struct delivery *delivery)
{
	delivery->is_stopped = true;
	uv_timer_stop(&delivery->due);
}

void delivery_wake(struct delivery *delivery)
{
	if (delivery->is_awake || delivery->is_stopped)
		return;
	delivery->is_awake = true;
	/* This may be after the turn's check: a timer that is due makes another turn. */
	uv_timer_start(&delivery->due, on_due, 0, 0);
}

/* Until nothing more is due, or there is no room: `room` is called only after a refusal. */
static void launch_due(struct delivery *delivery, const char *topic)
{
	const struct push *push;
	if (sender_room(delivery->sender, topic) == 0)
		return;
	do
		push = queue_next(delivery->needs.queue, topic);
	while (push && flights_launch(delivery->flights, push));
}

/* Hands over pushes that are due as far as there is room, and plans the next look. */
static void look(struct delivery *delivery)
{
	delivery->is_awake = false;
	if (delivery->is_stopped)
		return;
	probes_launch(delivery->probes, delivery->sender, PROBE_FIRST);
	size_t position = 0;
	const char *topic;
	queue_begin_turn(delivery->needs.queue);
	while ((topic = queue_next_topic(delivery->needs.queue, &position))) {
		if (!sender_has_credential(delivery->sender, topic))
			topic_health_no_credential(delivery->topics, topic);
		launch_due(delivery, topic);
	}
	probes_launch(delivery->probes, delivery->sender, PROBE_AFTER_PUSHES);
	topic_health_looked(delivery->topics);
	int64_t wake_in_ms = queue_wake_in_ms(delivery->needs.queue);
	/* A push that was answered while it was handed over has woken us again. */
	if (delivery->is_awake)
		wake_in_ms = 0;
	if (wake_in_ms == INT64_MAX)
		uv_timer_stop(&delivery->due);
	else
		uv_timer_start(
			&delivery->due, on_due, wake_in_ms > 0 ? (uint64_t)wake_in_ms : 1, 0);
}

static void trace_answer(struct delivery *delivery, const struct push *push,
	const struct apns_answer *answer, enum trace_then then)
{
	struct trace_entry entry = {.kind = TRACE_ANSWER,
		.what = then,
		.user = push->target->user,
		.key = push->target->key,
		.other_ms = push->sent_unix_ms,
		.ending = answer->ending,
		.status = (unsigned)answer->status,
		.text = answer->reason,
		.count = push->hash_count};
	memcpy(entry.apns_id, push->apns_id, sizeof(entry.apns_id));
	for (unsigned i = 0; i < push->hash_count && i < TRACE_ENTRY_HASHES_MAX; i++)
		entry.hashes[entry.hash_count++] = trace_entry_hash(push->hashes[i]);
	trace_put(delivery->needs.trace, &entry, TRACE_MAJOR);
}

static void tell_answer(struct delivery *delivery, const struct flight *flight,
	const struct apns_answer *answer, enum verdict_action action, enum trace_then what)
{
	static const char *const words[TRACE_THENS] = {[TRACE_DONE] = "done",
		[TRACE_DROP] = "drop",
		[TRACE_FORGET] = "forget",
		[TRACE_STOP] = "stop",
		[TRACE_RETRY] = "again",
		[TRACE_HOLD] = "hold",
		[TRACE_GIVEN_UP] = "given up after a day"};
	const char *then = words[what];
	const struct push_target *target = flight->scheduled->target;
	int64_t took_ms = clock_monotonic_ms() - flight->push.sent_ms;
	enum log_level level = LOG_LEVEL_INFO;
	const char *text = "push not taken";
	if (action == VERDICT_DONE) {
		text = "pushed";
	} else if (action == VERDICT_DROP) {
		level = LOG_LEVEL_ERROR;
		text = "Apple rejects a push as malformed; it is dropped, please report this";
	}
	if (action == VERDICT_DONE || !log_may(level, "pushes not taken", "", TROUBLE_LINES))
		level = LOG_LEVEL_DEBUG;
	log_event(level, "apns", text, log_text("user", target->user),
		log_masked("token", target->token), log_masked("account", target->account_id),
		log_text("ending", metrics_ending_name(answer->ending)),
		log_number("status", answer->status), log_text("reason", answer->reason),
		log_text("then", then), log_number("hashes", flight->scheduled->hash_count),
		log_number("attempts", flight->scheduled->attempts), log_number("ms", took_ms));
	histogram_observe_us(&delivery->needs.metrics->answered, took_ms * 1000);
	if (delivery->needs.trace)
		trace_answer(delivery, flight->scheduled, answer, what);
	observer_answered(delivery->needs.observer, target, flight->scheduled->hash_count, answer,
		then, took_ms);
}

static void on_registry(struct registry_job *job);

/* FORGET and STOP: the flight stays open until the registry has done it. */
static void ask_registry(struct delivery *delivery, struct flight *flight,
	const struct apns_answer *answer, const struct verdict *verdict)
{
	const struct push_target *target = flight->scheduled->target;
	flight->status = answer->status;
	memcpy(flight->reason, answer->reason, sizeof(flight->reason));
	flight->job = (struct registry_job){
		.kind = verdict->action == VERDICT_STOP ? REGISTRY_STOP : REGISTRY_FORGET,
		.done = on_registry,
		.received_ms = clock_unix_ms(),
		.token = target->token,
		.topic = target->topic,
		.before_ms = verdict->forget_before_unix_ms,
		.answer_status = answer->status,
		.reason = flight->reason,
		.target = target,
	};
	registry_submit(delivery->needs.registry, &flight->job);
}

void delivery_renewed(struct delivery *delivery, const struct registry_key *key)
{
	topic_health_renewed(delivery->topics, key, clock_monotonic_ms());
}

void delivery_gone(struct delivery *delivery, const struct registry_key *key)
{
	topic_health_gone(delivery->topics, key, clock_monotonic_ms());
}

void delivery_drop(struct delivery *delivery, const struct registry_key *keys, size_t count,
	struct queue_waiter *waiter)
{
	queue_drop_all(delivery->needs.queue, keys, count, waiter);
	for (size_t i = 0; i < count; i++)
		delivery_gone(delivery, &keys[i]);
}

static bool is_given_up(const struct push *push, int64_t now_ms)
{
	return push->attempts >= GIVE_UP_ATTEMPTS_MAX ||
		(push->attempts >= GIVE_UP_ATTEMPTS &&
			now_ms - push->failing_since_ms > GIVE_UP_MS);
}

static void on_registry(struct registry_job *job)
{
	struct flight *flight = MEM_CONTAINER(job, struct flight, job);
	struct delivery *delivery = flight->delivery;
	int64_t now_ms = clock_monotonic_ms();
	bool is_done = false;
	for (size_t i = 0; i < job->gone_count; i++)
		is_done |= !memcmp(&job->gone[i], &flight->key, sizeof(flight->key));
	if (job->kind == REGISTRY_STOP) {
		queue_stop_all(delivery->needs.queue, job->gone, job->gone_count);
		delivery->needs.metrics->stopped += job->gone_count;
	} else {
		delivery_drop(delivery, job->gone, job->gone_count, NULL);
		delivery->needs.metrics->gone[METRICS_GONE_apple] += job->gone_count;
	}
	if (job->kind == REGISTRY_STOP && is_done)
		topic_health_mismatch(delivery->topics, flight->scheduled->target, now_ms);
	if (job->gone_count)
		log_seldom(LOG_LEVEL_INFO, "registry", "registrations ended by Apple",
			flight->scheduled->target->user,
			job->kind == REGISTRY_STOP ? "registrations are stopped: Apple's answer"
						   : "registrations are gone: Apple's answer",
			log_text("reason", flight->reason),
			log_number("count", (int64_t)job->gone_count));
	/* Not done: the phone has registered since, or the registry is being stopped. */
	bool is_over = !job->status &&
		(is_done ||
			(!flight->scheduled->is_renewed && is_given_up(flight->scheduled, now_ms)));
	if (is_over && !is_done) {
		delivery->needs.metrics->given_up++;
		log_seldom(LOG_LEVEL_INFO, "apns", "pushes given up",
			flight->scheduled->target->user, "push is given up after a day",
			log_text("user", flight->scheduled->target->user),
			log_number("status", flight->status), log_text("reason", flight->reason));
	}
	if (is_over)
		queue_settled(delivery->needs.queue, &flight->key, flight->status, flight->reason);
	else
		queue_doubt(delivery->needs.queue, &flight->key, flight->status, flight->reason,
			NOT_FORGOTTEN_RETRY_MS);
	flights_return(delivery->flights, flight);
	delivery_wake(delivery);
}

static void hold_credential(
	struct delivery *delivery, const char *topic, const struct apns_answer *answer)
{
	char why[ERR_TEXT_MAX];
	snprintf(why, sizeof(why), "Apple refuses pushes: %d %s; %s", answer->status,
		answer->reason[0] ? answer->reason : "without a reason",
		verdict_remedy(answer->reason));
	sender_hold(delivery->sender, topic, why);
}

static void hold(struct delivery *delivery, const struct flight *flight,
	const struct apns_answer *answer, const struct verdict *verdict)
{
	if (verdict->scope == VERDICT_TOKEN)
		topic_health_bad_token(delivery->topics, flight->scheduled->target);
	else
		hold_credential(delivery, flight->scheduled->target->topic, answer);
}

static void on_answered(void *ctx, struct sender_push *push, const struct apns_answer *answer,
	const struct verdict *verdict)
{
	struct delivery *delivery = ctx;
	struct flight *flight = push->ctx;
	if (!flight) {
		if (probe_is_refused(verdict))
			hold_credential(delivery, push->topic, answer);
		probe_answered(push, answer, verdict);
		return;
	}
	metrics_answer(delivery->needs.metrics, answer);
	int64_t now_ms = clock_monotonic_ms();
	if (verdict->action != VERDICT_DONE && answer->ending != APNS_NOT_PROCESSED)
		failures_add_push(delivery->needs.failures, answer,
			verdict->scope == VERDICT_TOKEN ? flight->scheduled->target->user : NULL,
			clock_unix_ms());
	switch (verdict->action) {
	case VERDICT_DONE:
		tell_answer(delivery, flight, answer, verdict->action, TRACE_DONE);
		topic_health_taken(delivery->topics, flight->scheduled->target, now_ms);
		queue_settled(delivery->needs.queue, &flight->key, answer->status, answer->reason);
		break;
	case VERDICT_DROP:
		tell_answer(delivery, flight, answer, verdict->action, TRACE_DROP);
		queue_settled(delivery->needs.queue, &flight->key, answer->status, answer->reason);
		break;
	case VERDICT_FORGET:
	case VERDICT_STOP:
		tell_answer(delivery, flight, answer, verdict->action,
			verdict->action == VERDICT_STOP ? TRACE_STOP : TRACE_FORGET);
		ask_registry(delivery, flight, answer, verdict);
		return;
	case VERDICT_RETRY:
		if (verdict->scope == VERDICT_TOKEN && is_given_up(flight->scheduled, now_ms)) {
			tell_answer(delivery, flight, answer, verdict->action, TRACE_GIVEN_UP);
			delivery->needs.metrics->given_up++;
			queue_settled(delivery->needs.queue, &flight->key, answer->status,
				answer->reason);
			break;
		}
		tell_answer(delivery, flight, answer, verdict->action, TRACE_RETRY);
		queue_retry(delivery->needs.queue, &flight->key, answer->status, answer->reason,
			verdict->delay_ms, verdict->counts);
		break;
	case VERDICT_HOLD:
		/* First, as an observer of the answer asks what follows. */
		hold(delivery, flight, answer, verdict);
		tell_answer(delivery, flight, answer, verdict->action, TRACE_HOLD);
		queue_retry(delivery->needs.queue, &flight->key, answer->status, answer->reason,
			verdict->delay_ms, verdict->counts);
		break;
	}
	flights_return(delivery->flights, flight);
	delivery_wake(delivery);
}

static void on_room(void *ctx, const char *topic)
{
	(void)topic;
	delivery_wake(ctx);
}

static void on_state(void *ctx, const struct credential *credential, const char *text)
{
	struct delivery *delivery = ctx;
	char name[ALARM_NAME_SIZE];
	snprintf(name, ALARM_NAME_SIZE, "apns:%.80s", credential->name);
	if (text) {
		alarm_raise(name, "credential \"%s\": %s", credential->name, text);
		failures_add_connection(
			delivery->needs.failures, credential->name, text, clock_unix_ms());
	} else {
		alarm_clear(name);
	}
	delivery_wake(delivery);
}

static void on_probe_wanted(void *ctx)
{
	delivery_wake(ctx);
}

int delivery_new(const struct delivery_needs *needs, const struct sender_settings *settings,
	struct delivery **ret, struct err *err)
{
	static const struct sender_callbacks callbacks = {
		.answered = on_answered, .room = on_room, .state = on_state};
	struct delivery *delivery = mem_alloc_zero(1, sizeof(*delivery));
	int status =
		sender_new(needs->loop, settings, &callbacks, delivery, &delivery->sender, err);
	if (status) {
		free(delivery);
		return status;
	}
	delivery->needs = *needs;
	const struct flights_needs of_flights = {.delivery = delivery,
		.sender = delivery->sender,
		.queue = needs->queue,
		.metrics = needs->metrics};
	delivery->flights = flights_new(&of_flights);
	delivery->topics = topic_health_new(topic_alarm_set, NULL);
	delivery->probes = probes_new(on_probe_wanted, delivery);
	/* After the turn's input and before the sender's and the workers' end of turn. */
	uv_check_init(needs->loop, &delivery->turn);
	delivery->turn.data = delivery;
	uv_check_start(&delivery->turn, on_turn);
	uv_unref((uv_handle_t *)&delivery->turn);
	uv_timer_init(needs->loop, &delivery->due);
	delivery->due.data = delivery;
	delivery->handles = 2;
	delivery_wake(delivery);
	*ret = delivery;
	return 0;
}

struct sender *delivery_sender(const struct delivery *delivery)
{
	return delivery->sender;
}

struct probes *delivery_probes(const struct delivery *delivery)
{
	return delivery->probes;
}

struct topic_health *delivery_topics(const struct delivery *delivery)
{
	return delivery->topics;
}

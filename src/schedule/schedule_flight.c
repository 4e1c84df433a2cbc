/*
 * How a push of schedule.h leaves, and what becomes of it.
 */
#include "schedule/schedule_entry.h"

#include "base/backoff.h"
#include "base/mem.h"

#include <assert.h>
#include <string.h>

#define SPREAD_A_CALL 1000

void schedule_flight_free(struct flight *flight)
{
	if (!flight)
		return;
	news_fini(&flight->carried);
	push_target_free(flight->old_target);
	free(flight);
}

static void tell_phone(const struct entry *entry, struct queue_job *job, int64_t last_push_unix_ms,
	int status, const char *reason)
{
	job->parts |= QUEUE_PHONE;
	job->phone.last_push_ms = last_push_unix_ms;
	job->phone.last_status = status;
	job->phone.last_event_ms = entry->event_unix_ms;
	size_t size = reason ? strnlen(reason, QUEUE_REASON_MAX - 1) : 0;
	if (size)
		memcpy(job->phone.last_reason, reason, size);
}

static const struct push *take_off(
	struct schedule *schedule, struct entry *entry, struct schedule_time time)
{
	uint32_t count =
		entry->news.count < SCHEDULE_HASHES_MAX ? entry->news.count : SCHEDULE_HASHES_MAX;
	struct flight *flight = mem_alloc(sizeof(*flight) + (size_t)count * MAILBOX_HASH_SIZE);
	*flight = (struct flight){.sent_ms = time.now_ms,
		.former_due_ms = entry->due_ms,
		.former_not_before_ms = entry->not_before_ms,
		.former_left_ms = entry->left_ms,
		.former_turns = topic_heaps_turns(&schedule->heaps, entry->target->topic),
		.former_is_spread = entry->is_spread,
		.former_is_among_urgent = entry->is_among_urgent,
		.former_has_flown = entry->has_flown};
	entry->left_ms = time.now_ms;
	news_take(&entry->news, count, &flight->carried);
	const struct queue_news *rows = news_rows(&flight->carried);
	for (uint32_t i = 0; i < count; i++) {
		memcpy(flight->hashes[i], rows[i].hash, MAILBOX_HASH_SIZE);
		if (rows[i].seq > flight->upto_seq)
			flight->upto_seq = rows[i].seq;
	}
	int64_t urgent_ms = news_urgent_ms(&flight->carried);
	bool is_urgent = urgent_ms != INT64_MAX;
	flight->push = (struct push){
		.target = entry->target,
		.hashes = (const char(*)[MAILBOX_HASH_SIZE])flight->hashes,
		.hash_count = count,
		.attempts = entry->attempts,
		.failing_since_ms = entry->failures ? entry->failing_since_ms : time.now_ms,
		.sent_unix_ms = time.unix_ms,
		.urgency = is_urgent ? QUEUE_URGENT : QUEUE_DEFERRED,
		.first_unix_ms = is_urgent ? urgent_ms : news_first_ms(&flight->carried),
	};
	memcpy(flight->push.apns_id, entry->apns_id, sizeof(entry->apns_id));
	entry->flight = flight;
	entry->has_flown = true;
	entry->is_doubted = false;
	entry->is_spread = false;
	entry->is_among_urgent = false;
	entry->not_before_ms = NEVER_MS;
	entry->due_ms = entry->news.count ? time.now_ms : INT64_MAX;
	schedule_enter(schedule, entry, FLYING);
	return &flight->push;
}

static struct flight *land(struct entry *entry)
{
	assert(entry && entry->state == FLYING);
	return mem_steal(entry->flight);
}

static void take_back_news(struct entry *entry, struct flight *flight)
{
	const struct queue_news *carried = news_rows(&flight->carried);
	for (uint32_t i = 0; i < flight->carried.count; i++) {
		bool is_new;
		news_put(&entry->news, &carried[i], &is_new);
	}
}

/*
 * A deferred push that is overdue by more than its own spread waited for the service.  All that did
 * must not wake their phones at once.
 */
static bool is_to_spread(const struct schedule *schedule, struct entry *entry, int64_t now_ms)
{
	return !entry->is_spread && !news_has_urgent(&entry->news) &&
		now_ms - entry->due_ms > schedule->settings.deferred_delay_ms;
}

/* The first of those due on the topic, after the overdue ones are put off; NULL: none. */
static struct entry *first_due(struct schedule *schedule, const char *topic, int64_t now_ms)
{
	for (int i = 0; i < SPREAD_A_CALL; i++) {
		struct heap_node *node = topic_heaps_due(&schedule->heaps, topic, now_ms);
		struct entry *entry = node ? MEM_CONTAINER(node, struct entry, node) : NULL;
		if (!entry || !is_to_spread(schedule, entry, now_ms))
			return entry;
		entry->is_spread = true;
		entry->due_ms = now_ms +
			random_upto(&schedule->chance, schedule->settings.deferred_delay_ms);
		schedule_stand(schedule, entry);
	}
	schedule->is_spreading = true;
	return NULL;
}

const struct push *schedule_next(
	struct schedule *schedule, const char *topic, struct schedule_time time)
{
	schedule_reap(schedule, time.now_ms);
	struct entry *first = first_due(schedule, topic, time.now_ms);
	if (!first || !slow_start_allows(&schedule->caution, time.now_ms) ||
		!rate_take(&schedule->rate, time.now_ms))
		return NULL;
	slow_start_leave(&schedule->caution, time.now_ms);
	const struct push *push = take_off(schedule, first, time);
	topic_heaps_took_turn(&schedule->heaps, topic, push->urgency == QUEUE_URGENT);
	return push;
}

void schedule_put_back(struct schedule *schedule, const struct registry_key *key)
{
	struct entry *entry = schedule_find(schedule, key);
	struct flight *flight = land(entry);
	take_back_news(entry, flight);
	entry->due_ms = flight->former_due_ms;
	entry->not_before_ms = flight->former_not_before_ms;
	entry->left_ms = flight->former_left_ms;
	entry->is_spread = flight->former_is_spread;
	entry->is_among_urgent = flight->former_is_among_urgent;
	entry->has_flown = flight->former_has_flown;
	topic_heaps_set_turns(&schedule->heaps, entry->target->topic, flight->former_turns);
	schedule_flight_free(flight);
	schedule_enter(schedule, entry, WAITING);
	rate_give_back(&schedule->rate);
	slow_start_take_back(&schedule->caution);
}

void schedule_begin_turn(struct schedule *schedule)
{
	schedule->is_spreading = false;
	topic_heaps_begin_turn(&schedule->heaps);
}

const char *schedule_next_topic(const struct schedule *schedule, size_t *position, int64_t now_ms)
{
	return topic_heaps_next_topic(&schedule->heaps, position, now_ms);
}

int64_t schedule_wake_ms(const struct schedule *schedule, int64_t now_ms)
{
	if (schedule->is_spreading)
		return now_ms;
	bool has_due;
	int64_t wake_ms = topic_heaps_wake_ms(&schedule->heaps, now_ms, &has_due);
	int64_t rate_ms = rate_wake_ms(&schedule->rate, now_ms);
	int64_t caution_ms = slow_start_wake_ms(&schedule->caution, now_ms);
	if (has_due && rate_ms > now_ms && rate_ms < wake_ms)
		wake_ms = rate_ms;
	return has_due && caution_ms < wake_ms ? caution_ms : wake_ms;
}

/* The verdict on a flight is in this job; NULL: in the last one so far. */
static void settle(struct schedule *schedule, struct queue_job *job, int64_t now_ms)
{
	if (job)
		job->is_awaited = slow_start_is_on(&schedule->caution);
	slow_start_land(&schedule->caution, job ? job->seq : schedule->seq);
	slow_start_stored(&schedule->caution, schedule->stored_seq, now_ms);
}

static void go_on(struct schedule *schedule, struct entry *entry)
{
	if (!entry->news.count)
		schedule_enter(schedule, entry, RESTING);
	else if (entry->storing_seq > schedule->stored_seq)
		schedule_enter(schedule, entry, STORING);
	else
		schedule_enter(schedule, entry, WAITING);
	schedule_account(schedule, entry);
}

struct queue_job *schedule_settled(struct schedule *schedule, const struct registry_key *key,
	int status, const char *reason, struct schedule_time time)
{
	struct entry *entry = schedule_find(schedule, key);
	struct flight *flight = land(entry);
	entry->last_push_ms = flight->sent_ms;
	entry->failures = 0;
	if (entry->news.count)
		entry->due_ms = schedule_not_too_soon(schedule, entry, entry->due_ms);

	struct queue_job *job = NULL;
	if (!flight->is_orphan) {
		job = schedule_new_job(schedule, key, entry);
		tell_phone(entry, job, flight->push.sent_unix_ms, status, reason);
		if (entry->news.count) {
			job->parts |= QUEUE_NEWS_SETTLE;
			job->upto_seq = flight->upto_seq;
			if (entry->has_flown)
				schedule_new_apns_id(schedule, entry);
			/* Else a crash would find news that was pushed under the next apns_id. */
			entry->storing_seq = job->seq;
			schedule_tell_row(entry, job, QUEUE_PUSH_MOVE, time);
		} else if (entry->row) {
			schedule_delete_row(entry, job);
		}
	}
	settle(schedule, job, time.now_ms);
	schedule_flight_free(flight);
	go_on(schedule, entry);
	return job;
}

struct queue_job *schedule_retry(struct schedule *schedule, const struct registry_key *key,
	int status, const char *reason, int64_t delay_ms, bool counts, struct schedule_time time)
{
	struct entry *entry = schedule_find(schedule, key);
	struct flight *flight = land(entry);
	if (flight->is_orphan) {
		settle(schedule, NULL, time.now_ms);
		schedule_flight_free(flight);
		go_on(schedule, entry);
		return NULL;
	}
	if (counts && !entry->failures)
		entry->failing_since_ms = flight->sent_ms;
	take_back_news(entry, flight);
	schedule_flight_free(flight);

	if (delay_ms < 0)
		delay_ms = backoff_random_ms(SCHEDULE_RETRY_MIN_MS, SCHEDULE_RETRY_MAX_MS,
			entry->failures, &schedule->chance);
	entry->not_before_ms = time.now_ms + delay_ms;
	entry->due_ms = schedule_not_too_soon(schedule, entry, entry->not_before_ms);
	if (counts) {
		entry->failures++;
		/* News that made the set grow meanwhile has an apns_id that has not flown. */
		if (entry->has_flown)
			entry->attempts++;
	}

	struct queue_job *job = NULL;
	/* Repeated at once and never processed: the row on disk says nothing else. */
	if (counts || delay_ms || status) {
		job = schedule_new_job(schedule, key, entry);
		tell_phone(entry, job, 0, status, reason);
		if (entry->news.count)
			schedule_tell_row(entry, job, QUEUE_PUSH_MOVE, time);
		else if (entry->row)
			schedule_delete_row(entry, job);
		settle(schedule, job, time.now_ms);
	} else {
		slow_start_take_back(&schedule->caution);
	}
	go_on(schedule, entry);
	return job;
}

struct queue_job *schedule_doubt(struct schedule *schedule, const struct registry_key *key,
	int status, const char *reason, int64_t delay_ms, struct schedule_time time)
{
	struct entry *entry = schedule_find(schedule, key);
	assert(entry && entry->flight);
	bool is_renewed = entry->flight->push.is_renewed;
	bool is_orphan = entry->flight->is_orphan;
	struct queue_job *job = schedule_retry(
		schedule, key, status, reason, is_renewed ? 0 : delay_ms, true, time);
	entry->is_doubted = !is_renewed && !is_orphan && entry->state != RESTING;
	if (job)
		job->is_doubted = entry->is_doubted;
	return job;
}

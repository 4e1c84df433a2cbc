#include "queue/queue.h"

#include "base/clock.h"
#include "base/mem.h"
#include "queue/store.h"

struct queue {
	struct schedule *schedule;
	struct store *store;
	struct schedule_time turn; /* when queue_begin_turn was called */
	struct queue_callbacks callbacks;
	void *ctx;
};

static struct schedule_time now(void)
{
	return (struct schedule_time){clock_monotonic_ms(), clock_unix_ms()};
}

/* NULL: nothing was decided.  Right after the decision, so that the order is the schedule's. */
static void submit(struct queue *queue, struct queue_job *job, struct queue_waiter *waiter)
{
	if (!job)
		return;
	job->waiter = waiter;
	if (waiter)
		waiter->waiting++;
	store_submit(queue->store, job);
}

/* The store's callbacks. */

static void on_done(void *ctx, struct queue_job *job)
{
	struct queue *queue = ctx;
	struct queue_waiter *waiter = job->waiter;
	int status = job->status;
	if (!status)
		schedule_stored(queue->schedule, job->seq, now());
	if (job->parts & QUEUE_PARK)
		free((char *)job->raw);
	queue_job_free(job);
	if (!status)
		queue->callbacks.stored(queue->ctx);
	if (waiter) {
		waiter->waiting--;
		waiter->done(waiter, status);
	}
}

static void on_trouble(void *ctx, const char *text)
{
	struct queue *queue = ctx;
	queue->callbacks.trouble(queue->ctx, text);
}

static void on_salvaged(void *ctx, const char *text)
{
	struct queue *queue = ctx;
	queue->callbacks.salvaged(queue->ctx, text);
}

static void on_failed(void *ctx, const char *text)
{
	struct queue *queue = ctx;
	queue->callbacks.failed(queue->ctx, text);
}

static void on_push(void *ctx, int64_t row, struct push_target *target,
	const uint8_t apns_id[QUEUE_APNS_ID_SIZE], int64_t due_ms, unsigned attempts,
	bool is_doubted, int64_t first_ms, int64_t last_push_ms)
{
	struct queue *queue = ctx;
	(void)first_ms;
	schedule_load_push(queue->schedule, row, target, apns_id, due_ms, attempts, is_doubted,
		last_push_ms, now());
}

static void on_news(
	void *ctx, const struct registry_key *key, int64_t row, const struct queue_news *news)
{
	struct queue *queue = ctx;
	(void)row;
	schedule_load_news(queue->schedule, key, news);
}

static void on_parked(
	void *ctx, uint64_t parked_id, int64_t received_ms, const char *raw, size_t raw_size)
{
	struct queue *queue = ctx;
	queue->callbacks.parked(queue->ctx, parked_id, received_ms, raw, raw_size);
}

static void on_loaded(void *ctx)
{
	struct queue *queue = ctx;
	struct job_list jobs;
	job_list_init(&jobs);
	schedule_loaded(queue->schedule, &jobs, now());
	for (struct job *job; (job = job_list_take(&jobs));)
		submit(queue, MEM_CONTAINER(job, struct queue_job, job), NULL);
	queue->callbacks.loaded(queue->ctx);
}

int queue_new(uv_loop_t *loop, const struct queue_settings *settings, const uint8_t seed[16],
	const struct queue_callbacks *callbacks, void *ctx, struct queue **ret, struct err *err)
{
	static const struct store_loader loader = {
		.push = on_push, .news = on_news, .parked = on_parked};
	static const struct store_callbacks of_store = {.done = on_done,
		.trouble = on_trouble,
		.salvaged = on_salvaged,
		.failed = on_failed,
		.loaded = on_loaded};
	struct queue *queue = mem_alloc_zero(1, sizeof(*queue));
	queue->schedule = schedule_new(&settings->schedule, seed);
	queue->callbacks = *callbacks;
	queue->ctx = ctx;
	int status = store_new(loop, settings->path, &loader, &of_store, queue, &queue->store, err);
	if (status) {
		schedule_free(queue->schedule);
		free(queue);
		return status;
	}
	*ret = queue;
	return 0;
}

int queue_load(struct queue *queue, struct err *err)
{
	return store_load(queue->store, err);
}

void queue_set(struct queue *queue, const struct schedule_settings *settings)
{
	schedule_set(queue->schedule, settings, clock_monotonic_ms());
}

bool queue_is_loaded(const struct queue *queue)
{
	return store_is_loaded(queue->store);
}

bool queue_free(struct queue *queue)
{
	if (!queue)
		return true;
	if (!store_free(queue->store))
		return false;
	schedule_free(queue->schedule);
	free(queue);
	return true;
}

struct queue_plan queue_add(struct queue *queue, struct push_target *target,
	const char (*hashes)[MAILBOX_HASH_SIZE], unsigned hash_count, enum queue_urgency urgency,
	struct queue_waiter *waiter)
{
	struct queue_job *job =
		schedule_add(queue->schedule, target, hashes, hash_count, urgency, now());
	struct queue_plan plan = job->plan;
	submit(queue, job, waiter);
	return plan;
}

void queue_renew(struct queue *queue, struct push_target *target,
	const char (*hashes)[MAILBOX_HASH_SIZE], unsigned hash_count, struct queue_waiter *waiter)
{
	submit(queue, schedule_renew(queue->schedule, target, hashes, hash_count, now()), waiter);
}

void queue_drop_all(struct queue *queue, const struct registry_key *keys, size_t count,
	struct queue_waiter *waiter)
{
	for (size_t i = 0; i < count; i++)
		submit(queue, schedule_drop(queue->schedule, &keys[i]), waiter);
}

void queue_stop_all(struct queue *queue, const struct registry_key *keys, size_t count)
{
	for (size_t i = 0; i < count; i++)
		submit(queue, schedule_stop(queue->schedule, &keys[i]), NULL);
}

static struct queue_job *follow(struct schedule *schedule, const struct registry_effect *effect)
{
	switch (effect->kind) {
	case REGISTRY_EFFECT_SUSPENDED:
		return schedule_suspend(schedule, &effect->key, now());
	case REGISTRY_EFFECT_RESUMED:
		return schedule_resume(schedule, &effect->key, now());
	case REGISTRY_EFFECT_ABSENT:
		return schedule_drop(schedule, &effect->key);
	case REGISTRY_EFFECT_LOST:
		break;
	}
	return schedule_lose(schedule, &effect->key, effect->hash, now());
}

void queue_follow(
	struct queue *queue, const struct registry_effect *effect, struct queue_waiter *waiter)
{
	submit(queue, follow(queue->schedule, effect), waiter);
}

bool queue_discard(struct queue *queue, struct push_target *target)
{
	struct queue_job *job = schedule_renew(queue->schedule, target, NULL, 0, now());
	submit(queue, job, NULL);
	return job;
}

void queue_hurry(struct queue *queue, const struct registry_key *key)
{
	submit(queue, schedule_hurry(queue->schedule, key, now()), NULL);
}

static struct queue_job *numbered_job(struct queue *queue, unsigned parts)
{
	struct queue_job *job = queue_job_new();
	job->parts = parts;
	job->seq = schedule_next_seq(queue->schedule);
	return job;
}

void queue_park(struct queue *queue, uint64_t parked_id, int64_t received_ms, const char *raw,
	size_t raw_size, struct queue_waiter *waiter)
{
	struct queue_job *job = numbered_job(queue, QUEUE_PARK);
	job->parked_id = parked_id;
	job->parked_received_ms = received_ms;
	job->raw = mem_dup_n(raw, raw_size); /* freed in on_done */
	job->raw_size = raw_size;
	submit(queue, job, waiter);
}

void queue_unpark(struct queue *queue, uint64_t parked_id, struct queue_waiter *waiter)
{
	struct queue_job *job = numbered_job(queue, QUEUE_UNPARK);
	job->parked_id = parked_id;
	submit(queue, job, waiter);
}

void queue_empty_log(struct queue *queue, struct queue_waiter *waiter)
{
	submit(queue, numbered_job(queue, QUEUE_EMPTY_LOG), waiter);
}

void queue_begin_turn(struct queue *queue)
{
	queue->turn = now();
	schedule_begin_turn(queue->schedule);
}

const char *queue_next_topic(const struct queue *queue, size_t *position)
{
	return schedule_next_topic(queue->schedule, position, queue->turn.now_ms);
}

const struct push *queue_next(struct queue *queue, const char *topic)
{
	return schedule_next(queue->schedule, topic, queue->turn);
}

void queue_put_back(struct queue *queue, const struct registry_key *key)
{
	schedule_put_back(queue->schedule, key);
}

int64_t queue_wake_in_ms(const struct queue *queue)
{
	int64_t wake_ms = schedule_wake_ms(queue->schedule, queue->turn.now_ms);
	return wake_ms == INT64_MAX ? INT64_MAX : wake_ms - queue->turn.now_ms;
}

void queue_settled(
	struct queue *queue, const struct registry_key *key, int status, const char *reason)
{
	submit(queue, schedule_settled(queue->schedule, key, status, reason, now()), NULL);
}

void queue_retry(struct queue *queue, const struct registry_key *key, int status,
	const char *reason, int64_t delay_ms, bool counts)
{
	submit(queue, schedule_retry(queue->schedule, key, status, reason, delay_ms, counts, now()),
		NULL);
}

void queue_doubt(struct queue *queue, const struct registry_key *key, int status,
	const char *reason, int64_t delay_ms)
{
	submit(queue, schedule_doubt(queue->schedule, key, status, reason, delay_ms, now()), NULL);
}

void queue_read(struct queue *queue, unsigned parts, struct queue_reading *reading,
	struct queue_waiter *waiter)
{
	struct queue_job *job = numbered_job(queue, parts);
	job->reading = reading;
	submit(queue, job, waiter);
}

const char *queue_state(const struct queue *queue, const struct registry_key *key)
{
	return schedule_state(queue->schedule, key, now().now_ms);
}

int64_t queue_limited_until_ms(const struct queue *queue, const struct registry_key *key)
{
	return schedule_limited_until_ms(queue->schedule, key, now());
}

size_t queue_suspended(const struct queue *queue, struct registry_key **ret)
{
	return schedule_suspended(queue->schedule, ret);
}

size_t queue_waiting_count(const struct queue *queue, const char *topic)
{
	return schedule_waiting(queue->schedule, topic);
}

void queue_count(const struct queue *queue, struct schedule_counts *ret)
{
	schedule_count(queue->schedule, ret);
}

uint64_t queue_pending(const struct queue *queue)
{
	return schedule_pending(queue->schedule);
}

const struct histogram *queue_commit_times(const struct queue *queue)
{
	return worker_histogram(store_worker(queue->store));
}

#include "world.h"

#include "base/mem.h"

#include <assert.h>
#include <stdio.h>
#include <string.h>

static struct schedule *start(struct world *world)
{
	uint8_t seed[16] = {1, 2, 3};
	memcpy(seed + 8, &world->starts, sizeof(world->starts));
	world->starts++;
	return schedule_new(&world->settings, seed);
}

struct world *world_new(const struct schedule_settings *settings)
{
	struct world *world = mem_alloc_zero(1, sizeof(*world));
	world->settings = *settings;
	world->schedule = start(world);
	world->time = (struct schedule_time){1000000, UNIX_MS};
	return world;
}

void world_free(struct world *world)
{
	for (size_t i = 0; i < world->push_count; i++)
		push_target_free(world->pushes[i].target);
	schedule_free(world->schedule);
	free(world);
}

void world_pass(struct world *world, int64_t ms)
{
	world->time.now_ms += ms;
	world->time.unix_ms += ms;
}

struct registry_key world_key(unsigned phone)
{
	struct registry_key key = {{0}};
	memcpy(key.bytes, &phone, sizeof(phone));
	return key;
}

struct push_target *world_target(unsigned phone, const char *topic)
{
	struct registry_key key = world_key(phone);
	return push_target_new(&key, "user", "aabb", "account", topic, 2, true, false, 1);
}

void world_hash(unsigned mailbox, char ret[MAILBOX_HASH_SIZE])
{
	snprintf(ret, MAILBOX_HASH_SIZE, "%032x", mailbox);
}

static int is_key(const struct registry_key *a, const struct registry_key *b)
{
	return !memcmp(a, b, sizeof(*a));
}

static struct world_push *find_row(struct world *world, const struct registry_key *key)
{
	for (size_t i = 0; i < world->push_count; i++) {
		if (is_key(&world->pushes[i].target->key, key))
			return &world->pushes[i];
	}
	return NULL;
}

static int is_taken(const struct world *world, int64_t row)
{
	for (size_t i = 0; i < world->push_count; i++) {
		if (world->pushes[i].row == row)
			return 1;
	}
	return 0;
}

static void put_news(
	struct world *world, const struct registry_key *key, const struct queue_news *news)
{
	for (size_t i = 0; i < world->news_count; i++) {
		if (is_key(&world->news[i].key, key) &&
			!strcmp(world->news[i].news.hash, news->hash)) {
			world->news[i].news = *news;
			return;
		}
	}
	assert(world->news_count < WORLD_ROWS);
	world->news[world->news_count++] = (struct world_news){*key, *news};
}

static void delete_news(
	struct world *world, const struct registry_key *key, uint64_t upto_seq, const char *hash)
{
	for (size_t i = world->news_count; i-- > 0;) {
		const struct world_news *row = &world->news[i];
		if (is_key(&row->key, key) && row->news.seq <= upto_seq &&
			(!hash || !strcmp(row->news.hash, hash)))
			world->news[i] = world->news[--world->news_count];
	}
}

void world_write(struct world *world, struct queue_job *job)
{
	world->last_parts = job ? job->parts : 0;
	if (!job)
		return;
	assert(job->seq > world->seq);
	world->seq = job->seq;
	struct world_push *row = find_row(world, &job->key);
	if (job->parts & QUEUE_PUSH_PUT) {
		if (!row) {
			assert(world->push_count < WORLD_ROWS);
			assert(job->row > 0 && !is_taken(world, job->row));
			row = &world->pushes[world->push_count++];
			*row = (struct world_push){.row = job->row};
		}
		push_target_free(row->target);
		row->target = mem_steal(job->target);
		row->first_ms = job->first_ms;
	}
	assert(!row || !job->parts || job->parts == QUEUE_PHONE_DELETE || job->row == row->row);
	if (job->parts & (QUEUE_PUSH_PUT | QUEUE_PUSH_MOVE)) {
		assert(row);
		memcpy(row->apns_id, job->apns_id, sizeof(row->apns_id));
		row->due_ms = job->due_ms;
		row->attempts = job->attempts;
		row->is_doubted = job->is_doubted;
	}
	if (job->parts & QUEUE_NEWS_PUT) {
		assert(row);
		for (size_t i = 0; i < job->news_count; i++)
			put_news(world, &job->key, &job->news[i]);
	}
	if (job->parts & QUEUE_NEWS_SETTLE)
		delete_news(world, &job->key, job->upto_seq, NULL);
	for (size_t i = 0; job->parts & QUEUE_NEWS_DROP && i < job->news_count; i++)
		delete_news(world, &job->key, UINT64_MAX, job->news[i].hash);
	if (job->parts & QUEUE_PHONE && row && job->phone.last_push_ms)
		row->last_push_ms = job->phone.last_push_ms;
	if (job->parts & QUEUE_PUSH_DELETE) {
		delete_news(world, &job->key, UINT64_MAX, NULL);
		if (row) {
			push_target_free(row->target);
			*row = world->pushes[--world->push_count];
		}
	}
	world->last = *job;
	queue_job_free(job);
}

void world_stored(struct world *world)
{
	schedule_stored(world->schedule, world->seq, world->time);
}

void world_restart(struct world *world, int64_t down_ms)
{
	schedule_free(world->schedule);
	world->schedule = start(world);
	world->time.now_ms = 5000; /* another boot */
	world->time.unix_ms += down_ms;
	world->seq = 0;
	for (size_t i = 0; i < world->push_count; i++) {
		const struct world_push *row = &world->pushes[i];
		schedule_load_push(world->schedule, row->row, push_target_ref(row->target),
			row->apns_id, row->due_ms, row->attempts, row->is_doubted,
			row->last_push_ms, world->time);
	}
	for (size_t i = 0; i < world->news_count; i++)
		schedule_load_news(world->schedule, &world->news[i].key, &world->news[i].news);
	struct job_list jobs;
	job_list_init(&jobs);
	schedule_loaded(world->schedule, &jobs, world->time);
	for (struct job *job; (job = job_list_take(&jobs));)
		world_write(world, MEM_CONTAINER(job, struct queue_job, job));
}

void world_add(struct world *world, unsigned phone, unsigned mailbox, enum queue_urgency urgency)
{
	char hash[1][MAILBOX_HASH_SIZE];
	world_hash(mailbox, hash[0]);
	world_write(world,
		schedule_add(world->schedule, world_target(phone, TOPIC),
			(const char(*)[MAILBOX_HASH_SIZE])hash, 1, urgency, world->time));
}

const struct push *world_next(struct world *world)
{
	return schedule_next(world->schedule, TOPIC, world->time);
}

void world_told(struct world *world, unsigned phone)
{
	struct registry_key key = world_key(phone);
	world_write(world, schedule_settled(world->schedule, &key, 200, "", world->time));
}

void world_retry(struct world *world, unsigned phone, int64_t delay_ms)
{
	struct registry_key key = world_key(phone);
	world_write(world,
		schedule_retry(world->schedule, &key, 503, "ServiceUnavailable", delay_ms, true,
			world->time));
}

void world_renew(struct world *world, unsigned phone, const unsigned *mailboxes, unsigned count)
{
	char hashes[2 * SCHEDULE_HASHES_MAX][MAILBOX_HASH_SIZE];
	assert(count <= 2 * SCHEDULE_HASHES_MAX);
	for (unsigned i = 0; i < count; i++)
		world_hash(mailboxes[i], hashes[i]);
	world_write(world,
		schedule_renew(world->schedule, world_target(phone, TOPIC),
			(const char(*)[MAILBOX_HASH_SIZE])hashes, count, world->time));
}

void world_drop(struct world *world, unsigned phone)
{
	struct registry_key key = world_key(phone);
	world_write(world, schedule_drop(world->schedule, &key));
}

void world_stop(struct world *world, unsigned phone)
{
	struct registry_key key = world_key(phone);
	world_write(world, schedule_stop(world->schedule, &key));
}

struct world_push *world_row(struct world *world, unsigned phone)
{
	struct registry_key key = world_key(phone);
	return find_row(world, &key);
}

size_t world_news_of(const struct world *world, unsigned phone)
{
	struct registry_key key = world_key(phone);
	size_t count = 0;
	for (size_t i = 0; i < world->news_count; i++)
		count += (size_t)is_key(&world->news[i].key, &key);
	return count;
}

unsigned world_phone(const struct push *push)
{
	unsigned phone;
	memcpy(&phone, push->target->key.bytes, sizeof(phone));
	return phone;
}

int world_carries(const struct push *push, unsigned mailbox)
{
	char hash[MAILBOX_HASH_SIZE];
	world_hash(mailbox, hash);
	for (unsigned i = 0; i < push->hash_count; i++) {
		if (!strcmp(push->hashes[i], hash))
			return 1;
	}
	return 0;
}

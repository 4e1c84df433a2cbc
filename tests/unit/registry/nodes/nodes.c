/*
 * `registry_nodes SECONDS [SEED] URL` plays for so long on that database, where the site is not
 * known yet.
 */
#include "nodes.h"

#include "base/clock.h"
#include "base/mem.h"
#include "database/database.h"

#include <errno.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#define NODES 20
#define BATCHES_MAX 4 /* of a node in an epoch */
#define BEGIN_MS (INT64_C(20000) * CLOCK_DAY_MS)
#define STEP_MS CLOCK_HOUR_MS /* from one epoch to the next, at most */
/* Clocks of nodes differ by as much as is no wrong clock. */
#define APART_MS (2 * CLOCK_MINUTE_MS)
#define TIMEOUT_MS 60000
#define CONFLICT_PAUSE_MS 10

struct node {
	pthread_t thread;
	unsigned number;
	struct random random;
	struct registry_store *store;
	struct batch *batches[BATCHES_MAX];
	size_t count;
};

static struct registry_settings settings = {
	.site = "nodes",
	.registration_ttl_ms = 12 * CLOCK_HOUR_MS,
	.deleted_user_grace_ms = 6 * CLOCK_HOUR_MS,
	.registrations_per_user = 4,
	.timeout_ms = TIMEOUT_MS,
};
static struct registry_ops ops; /* the driver's, counted */
static const struct registry_ops *driver;
static struct node nodes[NODES];
static pthread_barrier_t begins;
static pthread_barrier_t ends;
static atomic_bool is_over;
static atomic_uint_fast64_t moments;
static atomic_uint_fast64_t conflicts;
static atomic_uint_fast64_t jobs;
static int64_t now_ms = BEGIN_MS; /* of the epoch */
static _Thread_local struct batch *current;

static uint64_t moment(void)
{
	return atomic_fetch_add(&moments, 1) + 1;
}

static int put(
	struct registry_db *db, const struct registry_row *rows, size_t count, struct err *err)
{
	text_note_rows(rows, count);
	return driver->put(db, rows, count, err);
}

/* No database has looked at anything before it is asked for the first time. */
static int begin(struct registry_db *db, enum registry_access access, struct err *err)
{
	int failed = driver->begin(db, access, err);
	text_forget_rows();
	if (current) {
		current->began = atomic_load(&moments);
		current->writes = access == REGISTRY_WRITES;
	}
	return failed;
}

static int commit(struct registry_db *db, struct err *err)
{
	if (current)
		current->committing = moment();
	int failed = driver->commit(db, err);
	if (!failed && current)
		current->committed = moment();
	return failed;
}

static struct registry_db *open_db(void)
{
	struct registry_db *db = NULL;
	struct err err = {"no text"};
	if (driver->open(settings.place, &settings, &db, &err)) {
		fprintf(stderr, "%s\n", err.text);
		exit(1);
	}
	db->ops = &ops;
	return db;
}

static void random_pause(struct node *node)
{
	struct timespec pause = {
		.tv_nsec = random_upto(&node->random, CONFLICT_PAUSE_MS) * 1000000};
	nanosleep(&pause, NULL);
}

/* As the registry's thread does: at once again, then after pauses. */
static void run(struct node *node, struct batch *batch)
{
	struct err err = {"no text"};
	batch_list(batch);
	current = batch;
	for (unsigned failures = 0;; failures++) {
		int failed = registry_store_run_at(node->store, &batch->list, batch->now_ms, &err);
		if (!failed)
			break;
		if (failed != -EAGAIN) {
			fprintf(stderr, "node %u: %s\n", node->number, err.text);
			exit(1);
		}
		atomic_fetch_add(&conflicts, 1);
		if (failures > 0)
			random_pause(node);
	}
	current = NULL;
	batch->said = text_of_results(batch);
	for (size_t i = 0; i < batch->count; i++)
		registry_job_fini(&batch->jobs[i].job);
	atomic_fetch_add(&jobs, batch->count);
}

static void play_epoch(struct node *node)
{
	node->count = 1 + (size_t)random_upto(&node->random, BATCHES_MAX - 1);
	for (size_t i = 0; i < node->count; i++) {
		struct batch *batch = mem_alloc_zero(1, sizeof(*batch));
		batch->node = node->number;
		jobs_make(batch, &node->random,
			now_ms +
				(int64_t)(node->number * BATCHES_MAX + i) * APART_MS / NODES /
					BATCHES_MAX);
		node->batches[i] = batch;
		run(node, batch);
	}
}

static void *play(void *ctx)
{
	struct node *node = ctx;
	for (;;) {
		pthread_barrier_wait(&begins);
		if (is_over)
			return NULL;
		play_epoch(node);
		pthread_barrier_wait(&ends);
	}
}

static bool judge_epoch(struct registry_db *db)
{
	struct batch *batches[NODES * BATCHES_MAX];
	size_t count = 0;
	for (size_t i = 0; i < NODES; i++) {
		for (size_t j = 0; j < nodes[i].count; j++)
			batches[count++] = nodes[i].batches[j];
	}
	mem_auto char *state = text_of_site(db);
	bool is_well = oracle_judges(batches, count, state);
	for (size_t i = 0; i < count; i++)
		batch_free(batches[i]);
	return is_well;
}

static void start(uint64_t seed)
{
	pthread_barrier_init(&begins, NULL, NODES + 1);
	pthread_barrier_init(&ends, NULL, NODES + 1);
	for (unsigned i = 0; i < NODES; i++) {
		uint8_t bytes[RANDOM_SEED_SIZE] = {(uint8_t)(i + 1)};
		memcpy(bytes + sizeof(seed), &seed, sizeof(seed));
		nodes[i].number = i;
		random_init(&nodes[i].random, bytes);
		nodes[i].store = registry_store_of(open_db(), &settings);
		pthread_create(&nodes[i].thread, NULL, play, &nodes[i]);
	}
}

static void stop(void)
{
	is_over = true;
	pthread_barrier_wait(&begins);
	for (size_t i = 0; i < NODES; i++) {
		pthread_join(nodes[i].thread, NULL);
		registry_store_close(nodes[i].store);
	}
	pthread_barrier_destroy(&begins);
	pthread_barrier_destroy(&ends);
}

int main(int argc, char **argv)
{
	driver = argc > 2 ? database_driver(argv[argc - 1], &settings.place) : NULL;
	if (!driver) {
		fprintf(stderr, "usage: registry_nodes SECONDS [SEED] URL\n");
		return 2;
	}
	int64_t until_ms = clock_monotonic_ms() + atoll(argv[1]) * CLOCK_SECOND_MS;
	uint64_t seed = argc > 3 ? strtoull(argv[2], NULL, 10) : (uint64_t)clock_unix_ms();
	printf("nodes: seed %llu\n", (unsigned long long)seed);
	fflush(stdout);
	ops = *driver;
	ops.put = put;
	ops.begin = begin;
	ops.commit = commit;
	oracle_start(&settings, strcmp(driver->scheme, "postgresql") != 0);
	struct registry_db *db = open_db();
	start(seed);
	bool is_well = true;
	uint64_t epochs = 0;
	do {
		now_ms += 1 + random_upto(&nodes[0].random, STEP_MS);
		pthread_barrier_wait(&begins);
		pthread_barrier_wait(&ends);
		is_well = judge_epoch(db);
		epochs++;
	} while (is_well && clock_monotonic_ms() < until_ms);
	stop();
	ops.close(db);
	const struct oracle_counts *counts = oracle_counts();
	printf("nodes: %d nodes, %llu epochs, %llu batches, %llu jobs, %llu conflicts, "
	       "%llu steps, %llu readers astray, %s\n",
		NODES, (unsigned long long)epochs, (unsigned long long)counts->batches,
		(unsigned long long)jobs, (unsigned long long)conflicts,
		(unsigned long long)counts->steps, (unsigned long long)counts->astray,
		is_well ? "0 differences" : "a DIFFERENCE");
	oracle_end();
	return is_well ? 0 : 1;
}

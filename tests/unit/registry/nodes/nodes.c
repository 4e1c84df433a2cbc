/*
 * `registry_nodes SECONDS [SEED] URL...` plays for so long on that database, where the site is not
 * known yet.  Several urls are several ways to it, and guards_judge judges.
 */
#include "nodes.h"

#include "base/backoff.h"
#include "base/clock.h"
#include "base/mem.h"
#include "database/database.h"
#include "driver/failure.h"

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
#define PAUSE_MIN_MS 2
#define PAUSE_MAX_MS 1000
#define FAILURES_MAX 1000 /* of a batch: for several minutes */
#define URLS_MAX 3
/* So that none goes because there are too many: the users have fewer devices. */
#define MANY 100

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
static char *const *urls;
static size_t url_count;
static pthread_barrier_t begins;
static pthread_barrier_t ends;
static atomic_bool is_over;
static atomic_uint_fast64_t moments;
static atomic_uint_fast64_t conflicts;
static atomic_uint_fast64_t losses; /* of connections */
static atomic_uint_fast64_t jobs;
static uint64_t batches_played;
static uint64_t doubts;		  /* commits without an answer */
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

static int census(struct registry_db *db, struct registry_census *ret, struct err *err)
{
	int failed = driver->census(db, ret, err);
	if (!failed && current && current->counted.census_count < JOBS_MAX)
		current->counted.censuses[current->counted.census_count++] = *ret;
	return failed;
}

static int find_expired(struct registry_db *db, int64_t before_ms, size_t limit,
	registry_key_fn *on_key, void *ctx, uint64_t *ret_total, struct err *err)
{
	int failed = driver->find_expired(db, before_ms, limit, on_key, ctx, ret_total, err);
	if (!failed && current && current->counted.expired_count < JOBS_MAX)
		current->counted.expired[current->counted.expired_count++] = *ret_total;
	return failed;
}

/* No database has looked at anything before it is asked for the first time. */
static int begin(struct registry_db *db, enum registry_access access, struct err *err)
{
	int failed = driver->begin(db, access, err);
	text_forget_rows();
	if (current) {
		current->began = atomic_load(&moments);
		current->writes = access == REGISTRY_WRITES;
		current->counted = (struct counted){0};
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
	if (failed && current && current->writes && failure_is_open(failed)) {
		if (current->doubt_count == DOUBTS_MAX)
			abort();
		current->doubts[current->doubt_count++] =
			(struct doubt){current->began, current->counted};
	}
	return failed;
}

static struct registry_db *open_db(const char *url)
{
	struct registry_settings of_url = settings;
	struct registry_db *db = NULL;
	struct err err = {"no text"};
	if (database_driver(url, &of_url.place) != driver ||
		driver->open(of_url.place, &of_url, &db, &err)) {
		fprintf(stderr, "%s\n", err.text);
		exit(1);
	}
	db->ops = &ops;
	return db;
}

static void pause_after(struct node *node, unsigned failures)
{
	int64_t ms = backoff_random_ms(PAUSE_MIN_MS, PAUSE_MAX_MS, failures - 1, &node->random);
	struct timespec pause = {.tv_sec = ms / 1000, .tv_nsec = ms % 1000 * 1000000};
	nanosleep(&pause, NULL);
}

/* As the registry's thread does: at once again, then after pauses that grow. */
static void run(struct node *node, struct batch *batch)
{
	struct err err = {"no text"};
	batch_list(batch);
	current = batch;
	for (unsigned failures = 0;; failures++) {
		int failed = registry_store_run_at(node->store, &batch->list, batch->now_ms, &err);
		if (!failed)
			break;
		bool is_lost = failure_is_open(failed);
		if ((failure_of(failed) != FAILURE_CONFLICT && !is_lost) ||
			failures > FAILURES_MAX) {
			fprintf(stderr, "node %u: %s\n", node->number, err.text);
			exit(1);
		}
		atomic_fetch_add(is_lost ? &losses : &conflicts, 1);
		if (failures > 0)
			pause_after(node, failures);
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
					BATCHES_MAX,
			url_count > 1);
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

static bool judge_epoch(struct registry_db *const *dbs)
{
	struct batch *batches[NODES * BATCHES_MAX];
	size_t count = 0;
	for (size_t i = 0; i < NODES; i++) {
		for (size_t j = 0; j < nodes[i].count; j++)
			batches[count++] = nodes[i].batches[j];
	}
	batches_played += count;
	for (size_t i = 0; i < count; i++)
		doubts += batches[i]->doubt_count;
	if (url_count > 1)
		return guards_judge(batches, count, dbs, url_count);
	mem_auto char *state = text_of_site(dbs[0]);
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
		nodes[i].store = registry_store_of(open_db(urls[i % url_count]), &settings);
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

static uint64_t play_until(int64_t until_ms, struct registry_db *const *dbs, bool *ret_is_well)
{
	uint64_t epochs = 0;
	do {
		now_ms += 1 + random_upto(&nodes[0].random, STEP_MS);
		pthread_barrier_wait(&begins);
		pthread_barrier_wait(&ends);
		*ret_is_well = judge_epoch(dbs);
		epochs++;
	} while (*ret_is_well && clock_monotonic_ms() < until_ms);
	return epochs;
}

static void tell(uint64_t epochs, bool is_well)
{
	const struct oracle_counts *counts = oracle_counts();
	printf("nodes: %d nodes, %llu epochs, %llu batches, %llu jobs, %llu conflicts, "
	       "%llu lost, %llu in doubt, %llu steps, %llu readers astray, %s\n",
		NODES, (unsigned long long)epochs, (unsigned long long)batches_played,
		(unsigned long long)jobs, (unsigned long long)conflicts, (unsigned long long)losses,
		(unsigned long long)doubts, (unsigned long long)counts->steps,
		(unsigned long long)counts->astray, is_well ? "0 differences" : "a DIFFERENCE");
}

int main(int argc, char **argv)
{
	bool has_seed = argc > 2 && !strchr(argv[2], ':');
	int first_url = has_seed ? 3 : 2;
	urls = argv + first_url;
	url_count = argc > first_url ? (size_t)(argc - first_url) : 0;
	driver = url_count ? database_driver(urls[0], &settings.place) : NULL;
	if (!driver || url_count > URLS_MAX) {
		fprintf(stderr, "usage: registry_nodes SECONDS [SEED] URL...\n");
		return 2;
	}
	int64_t until_ms = clock_monotonic_ms() + atoll(argv[1]) * CLOCK_SECOND_MS;
	uint64_t seed = has_seed ? strtoull(argv[2], NULL, 10) : (uint64_t)clock_unix_ms();
	printf("nodes: seed %llu\n", (unsigned long long)seed);
	fflush(stdout);
	if (url_count > 1)
		settings.registrations_per_user = MANY;
	ops = *driver;
	ops.put = put;
	ops.begin = begin;
	ops.commit = commit;
	ops.census = census;
	ops.find_expired = find_expired;
	oracle_start(&settings, strcmp(driver->scheme, "postgresql") != 0);
	struct registry_db *dbs[URLS_MAX];
	for (size_t i = 0; i < url_count; i++)
		dbs[i] = open_db(urls[i]);
	start(seed);
	bool is_well = true;
	uint64_t epochs = play_until(until_ms, dbs, &is_well);
	stop();
	for (size_t i = 0; i < url_count; i++)
		ops.close(dbs[i]);
	tell(epochs, is_well);
	oracle_end();
	guards_end();
	return is_well ? 0 : 1;
}

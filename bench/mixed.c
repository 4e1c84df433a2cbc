/*
 * bench_mixed - nodes that run mixed batches on one registry at once: news, and among it phones
 * that renew and new ones.
 *
 * Each node is a thread with a connection, and runs its batches one after the other by the
 * registry's own code, without a daemon: what counts is how the nodes are in each other's way.  Of
 * a registry that bench_fill has filled.
 */
#include "people.h"

#include "base/clock.h"
#include "base/mem.h"
#include "base/random.h"
#include "database/database.h"
#include "registry/batch.h"
#include "registry/registry.h"

#include <errno.h>
#include <getopt.h>
#include <inttypes.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define NODES_MAX 16
#define NEWS 2000
#define REGISTRATIONS 200
#define NEW 20 /* of them, of users who had none */
#define TIMEOUT_MS CLOCK_MINUTE_MS

struct person {
	struct registry_job job;
	struct mail_event event;
	struct registry_subscription inbox;
	char user[PEOPLE_USER_SIZE];
	char token[PEOPLE_TOKEN_SIZE];
	char account[PEOPLE_ACCOUNT_SIZE];
};

struct node {
	pthread_t thread;
	struct random random;
	struct registry_store *store;
	struct person people[NEWS + REGISTRATIONS];
	bool has_failed;
};

static struct registry_settings settings;
static const char *topic;
static uint32_t user_count;
static uint32_t batches = 100;
static atomic_uint_fast32_t newcomers;
static atomic_uint_fast64_t conflicts;

/* `newcomer`: not 0, and the user stands behind the n-th in the alphabet. */
static void prepare(struct person *person, uint32_t n, bool registers, uint32_t newcomer)
{
	memset(person, 0, sizeof(*person));
	people_user(n, person->user);
	if (newcomer)
		snprintf(person->user + strlen(person->user),
			sizeof(person->user) - strlen(person->user), "x%u", newcomer % 100000);
	person->event.readings = 1;
	person->event.at[0] = (struct mailbox){.owner = person->user, .folder = ""};
	person->job.kind = registers ? REGISTRY_REGISTER : REGISTRY_NEWS;
	person->job.received_ms = clock_unix_ms();
	person->job.event = &person->event;
	if (!registers)
		return;
	people_token(n, person->token);
	people_account(n, person->account);
	person->event.registration = (struct event_registration){
		.user = person->user,
		.token = person->token,
		.account_id = person->account,
		.subtopic = "com.apple.mobilemail",
		.aps_version = 2,
	};
	person->inbox = (struct registry_subscription){
		.name = "INBOX", .owner = person->user, .folder = ""};
	mailbox_hash("INBOX", person->inbox.hash);
	person->job.subscriptions = &person->inbox;
	person->job.subscription_count = 1;
	person->job.topic = topic;
	person->job.confirmed = true;
}

static uint32_t anybody(struct node *node)
{
	return (uint32_t)random_upto(&node->random, user_count - 1);
}

static int run_batch(struct node *node, struct err *err)
{
	struct job_list batch;
	job_list_init(&batch);
	const size_t every = (NEWS + REGISTRATIONS) / REGISTRATIONS;
	for (size_t i = 0; i < NEWS + REGISTRATIONS; i++) {
		bool registers = i % every == 0;
		bool is_new = i % (every * (REGISTRATIONS / NEW)) == 0;
		prepare(&node->people[i], anybody(node), registers,
			is_new ? (uint32_t)atomic_fetch_add(&newcomers, 1) + 1 : 0);
		job_list_append(&batch, &node->people[i].job.job);
	}
	int failed;
	while ((failed = registry_store_run(node->store, &batch, err)) == -EAGAIN)
		atomic_fetch_add(&conflicts, 1);
	for (size_t i = 0; i < NEWS + REGISTRATIONS; i++)
		registry_job_fini(&node->people[i].job);
	return failed;
}

static void *run(void *ctx)
{
	struct node *node = ctx;
	struct err err = {"no text"};
	for (uint32_t i = 0; i < batches && !node->has_failed; i++)
		node->has_failed = run_batch(node, &err) != 0;
	if (node->has_failed)
		fprintf(stderr, "bench_mixed: %s\n", err.text);
	return NULL;
}

static int open_node(struct node *node, uint8_t number, struct err *err)
{
	uint8_t seed[RANDOM_SEED_SIZE] = {number};
	random_init(&node->random, seed);
	return registry_store_open(&settings, &node->store, err);
}

static int run_nodes(uint32_t count)
{
	struct node *nodes = mem_alloc_zero(count, sizeof(*nodes));
	struct err err = {"no text"};
	int failed = 0;
	uint32_t opened = 0;
	while (opened < count && !failed) {
		failed = open_node(&nodes[opened], (uint8_t)(opened + 1), &err);
		opened += !failed;
	}
	if (failed)
		fprintf(stderr, "bench_mixed: %s\n", err.text);
	int64_t began_ms = clock_monotonic_ms();
	for (uint32_t i = 0; i < opened && !failed; i++)
		pthread_create(&nodes[i].thread, NULL, run, &nodes[i]);
	for (uint32_t i = 0; i < opened && !failed; i++)
		pthread_join(nodes[i].thread, NULL);
	double seconds = (double)(clock_monotonic_ms() - began_ms) / 1000;
	for (uint32_t i = 0; i < opened; i++) {
		failed |= nodes[i].has_failed;
		registry_store_close(nodes[i].store);
	}
	free(nodes);
	uint64_t jobs = (uint64_t)count * batches * (NEWS + REGISTRATIONS);
	if (!failed)
		printf("{\"jobs\":%" PRIu64 ",\"seconds\":%.3f,\"conflicts\":%" PRIu64
		       ",\"newcomers\":%" PRIu32 "}\n",
			jobs, seconds, (uint64_t)conflicts, (uint32_t)newcomers);
	return failed ? 1 : 0;
}

static void usage(FILE *to)
{
	fputs("usage: bench_mixed --registry URL --users N --site SITE --topic TOPIC [--nodes N]\n"
	      "                   [--batches N] [--first N]\n"
	      "\n"
	      "  --users N    users of the registry (bench_fill --count)\n"
	      "  --nodes N    at once; default: 1\n"
	      "  --batches N  of each node, with 2000 news and 200 registrations; default: 100\n"
	      "  --first N    so many newcomers have come already; default: 0\n",
		to);
}

int main(int argc, char **argv)
{
	static const struct option long_options[] = {{"registry", required_argument, NULL, 'r'},
		{"users", required_argument, NULL, 'u'}, {"site", required_argument, NULL, 's'},
		{"topic", required_argument, NULL, 't'}, {"nodes", required_argument, NULL, 'n'},
		{"batches", required_argument, NULL, 'b'}, {"first", required_argument, NULL, 'f'},
		{"help", no_argument, NULL, 'h'}, {NULL, 0, NULL, 0}};
	const char *url = NULL;
	uint32_t nodes = 1;
	int option;
	while ((option = getopt_long(argc, argv, "", long_options, NULL)) != -1) {
		switch (option) {
		case 'r':
			url = optarg;
			break;
		case 'u':
			user_count = (uint32_t)strtoul(optarg, NULL, 10);
			break;
		case 's':
			settings.site = optarg;
			break;
		case 't':
			topic = optarg;
			break;
		case 'n':
			nodes = (uint32_t)strtoul(optarg, NULL, 10);
			break;
		case 'b':
			batches = (uint32_t)strtoul(optarg, NULL, 10);
			break;
		case 'f':
			newcomers = (uint32_t)strtoul(optarg, NULL, 10);
			break;
		case 'h':
			usage(stdout);
			return 0;
		default:
			usage(stderr);
			return 2;
		}
	}
	settings.ops = url ? database_driver(url, &settings.place) : NULL;
	if (!settings.ops || !user_count || !settings.site || !topic || nodes < 1 ||
		nodes > NODES_MAX) {
		usage(stderr);
		return 2;
	}
	settings.registration_ttl_ms = 90 * CLOCK_DAY_MS;
	settings.registrations_per_user = 20;
	settings.timeout_ms = TIMEOUT_MS;
	return run_nodes(nodes);
}

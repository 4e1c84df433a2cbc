/*
 * bench_fill - makes a registry of N registrations: one user, one phone each, through the
 * registry's own rules.
 */
#include "people.h"

#include "base/clock.h"
#include "base/mem.h"
#include "database/database.h"
#include "registry/batch.h"
#include "registry/registry.h"

#include <errno.h>
#include <getopt.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define BATCH 20000
/* A server checkpoints meanwhile. */
#define TIMEOUT_MS (10 * CLOCK_MINUTE_MS)

struct phone {
	struct registry_job job;
	struct mail_event event;
	struct registry_subscription subscriptions[2];
	const char *mailboxes[2];
	char user[PEOPLE_USER_SIZE];
	char token[PEOPLE_TOKEN_SIZE];
	char account[PEOPLE_ACCOUNT_SIZE];
};

struct options {
	const char *url; /* or the path of a file */
	const char *site;
	const char *topic;
	uint32_t count;
	bool with_notes;
};

static void subscribe(struct phone *phone, const char *name, const char *folder)
{
	struct registry_subscription *subscription =
		&phone->subscriptions[phone->job.subscription_count];
	subscription->name = name;
	subscription->owner = phone->user;
	subscription->folder = folder;
	mailbox_hash(name, subscription->hash);
	phone->mailboxes[phone->job.subscription_count++] = name;
}

static void prepare(
	struct phone *phone, const struct options *options, uint32_t n, int64_t received_ms)
{
	memset(phone, 0, sizeof(*phone));
	people_user(n, phone->user);
	people_token(n, phone->token);
	people_account(n, phone->account);
	subscribe(phone, "INBOX", "");
	if (options->with_notes)
		subscribe(phone, "Notes", "Notes");
	phone->event = (struct mail_event){
		.kind = EVENT_APPLE_PUSH_SERVICE,
		.mbtype = 'e',
		.user = phone->user,
		.registration = {.user = phone->user,
			.token = phone->token,
			.account_id = phone->account,
			.subtopic = "com.apple.mobilemail",
			.aps_version = 2,
			.mailboxes = phone->mailboxes,
			.mailbox_count = phone->job.subscription_count},
	};
	phone->job.kind = REGISTRY_REGISTER;
	phone->job.received_ms = received_ms;
	phone->job.event = &phone->event;
	phone->job.subscriptions = phone->subscriptions;
	phone->job.topic = options->topic;
	phone->job.confirmed = true;
}

static int fill(struct registry_store *store, const struct options *options, struct err *err)
{
	mem_auto struct phone *phones = mem_alloc_zero(BATCH, sizeof(*phones));
	for (uint32_t n = 0; n < options->count;) {
		struct job_list batch;
		job_list_init(&batch);
		for (struct phone *phone = phones; n < options->count && phone < phones + BATCH;
			phone++, n++) {
			prepare(phone, options, n, clock_unix_ms());
			job_list_append(&batch, &phone->job.job);
		}
		size_t prepared = batch.count;
		int status = registry_store_run(store, &batch, err);
		if (status)
			return status;
		for (size_t i = 0; i < prepared; i++) {
			if (phones[i].job.status || !phones[i].job.is_new)
				return err_set(err, -EEXIST,
					"user %s could not be registered anew; the registry must "
					"be empty",
					phones[i].user);
			registry_job_fini(&phones[i].job);
		}
	}
	return 0;
}

static void usage(FILE *to)
{
	fputs("usage: bench_fill --registry URL|FILE --count N --site SITE --topic TOPIC "
	      "[--notes]\n"
	      "\n"
	      "Registers N phones in a new registry, for the INBOX, with --notes for Notes as "
	      "well.\n",
		to);
}

int main(int argc, char **argv)
{
	static const struct option long_options[] = {{"registry", required_argument, NULL, 'r'},
		{"count", required_argument, NULL, 'n'}, {"site", required_argument, NULL, 's'},
		{"topic", required_argument, NULL, 't'}, {"notes", no_argument, NULL, 'N'},
		{"help", no_argument, NULL, 'h'}, {NULL, 0, NULL, 0}};
	struct options options = {0};
	int option;
	while ((option = getopt_long(argc, argv, "", long_options, NULL)) != -1) {
		switch (option) {
		case 'r':
			options.url = optarg;
			break;
		case 'n':
			options.count = (uint32_t)strtoul(optarg, NULL, 10);
			break;
		case 's':
			options.site = optarg;
			break;
		case 't':
			options.topic = optarg;
			break;
		case 'N':
			options.with_notes = true;
			break;
		case 'h':
			usage(stdout);
			return 0;
		default:
			usage(stderr);
			return 2;
		}
	}
	if (!options.url || !options.site || !options.topic || !options.count) {
		usage(stderr);
		return 2;
	}
	mem_auto char *url = strchr(options.url, ':') ? mem_dup(options.url)
						      : mem_printf("sqlite:%s", options.url);
	const char *place = NULL;
	const struct registry_ops *driver = database_driver(url, &place);
	if (!driver) {
		fprintf(stderr, "bench_fill: %s: no such kind of database\n", options.url);
		return 2;
	}
	const struct registry_settings settings = {.ops = driver,
		.place = place,
		.site = options.site,
		.timeout_ms = TIMEOUT_MS,
		.registration_ttl_ms = 30 * CLOCK_DAY_MS,
		.deleted_user_grace_ms = 7 * CLOCK_DAY_MS,
		.registrations_per_user = 64};
	struct registry_store *store = NULL;
	struct err err;
	int64_t began_ms = clock_monotonic_ms();
	int status = registry_store_open(&settings, &store, &err);
	if (!status)
		status = fill(store, &options, &err);
	registry_store_close(store);
	if (status) {
		fprintf(stderr, "bench_fill: %s: %s\n", options.url, err.text);
		return 1;
	}
	printf("{\"registrations\":%" PRIu32 ",\"seconds\":%.1f}\n", options.count,
		(double)(clock_monotonic_ms() - began_ms) / 1000);
	return 0;
}

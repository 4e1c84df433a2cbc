#include "nodes.h"

#include "base/clock.h"
#include "base/map.h"
#include "base/mem.h"

#include <stdatomic.h>
#include <stdio.h>
#include <string.h>

#define SUBTOPIC "com.apple.mobilemail"
#define LATE_MS (3 * CLOCK_MINUTE_MS)
#define OF(array) (sizeof(array) / sizeof((array)[0]))

const char *const nodes_users[NODES_USERS] = {"alice", "bob", "carol", "dave", "erin", "frank",
	"grace", "heidi", "ivan", "judy", "mallory", "niaj"};
const char *const nodes_site = "nodes";

/*
 * With three accounts each a user has fewer registrations than tombstones are kept, and all are
 * asked for: the ids of two that were left at once are in the order in which they were drawn.
 */
static const char *const tokens[] = {
	"0000000000000000000000000000000000000000000000000000000000000000",
	"1111111111111111111111111111111111111111111111111111111111111111",
	"2222222222222222222222222222222222222222222222222222222222222222",
	"3333333333333333333333333333333333333333333333333333333333333333",
	"4444444444444444444444444444444444444444444444444444444444444444",
};
static const char *const accounts[] = {"one", "two", "three"};
static const char *const topics[] = {"com.apple.mail.XServer.one", "com.apple.mail.XServer.two"};
/* The INBOX comes more often. */
static const char *const folders[] = {"", "", "", "A", "A/B", "A/B/C", "A/Bc", "B", "C"};

static size_t upto(struct random *random, size_t count)
{
	return (size_t)random_upto(random, (int64_t)count - 1);
}

#define ONE_OF(random, array) ((array)[upto(random, OF(array))])

static bool once_in(struct random *random, size_t count)
{
	return upto(random, count) == 0;
}

/* Times of different jobs differ: of two that are the same age the database may take either. */
static int64_t unique_ms(int64_t time_ms)
{
	static atomic_uint_fast64_t number;
	return time_ms - time_ms % 4096 + (int64_t)(atomic_fetch_add(&number, 1) % 4096);
}

static struct mailbox random_mailbox(struct random *random)
{
	return (struct mailbox){
		.owner = ONE_OF(random, nodes_users), .folder = ONE_OF(random, folders)};
}

static struct mailbox random_folder(struct random *random)
{
	struct mailbox mailbox;
	do
		mailbox = random_mailbox(random);
	while (mailbox_is_inbox(&mailbox));
	return mailbox;
}

static struct registry_key random_key(struct random *random)
{
	return registry_key_make(nodes_site, ONE_OF(random, nodes_users), ONE_OF(random, tokens),
		ONE_OF(random, accounts), SUBTOPIC);
}

static void add_box(struct played *played, const char *user, const struct mailbox *mailbox)
{
	size_t at = played->job.subscription_count;
	char *name = played->names[at];
	snprintf(name, sizeof(played->names[at]), "%s%s%s%s",
		strcmp(mailbox->owner, user) == 0 ? "" : "Other Users/",
		strcmp(mailbox->owner, user) == 0 ? "" : mailbox->owner,
		strcmp(mailbox->owner, user) == 0 ? "" : "/",
		*mailbox->folder ? mailbox->folder : "INBOX");
	for (size_t i = 0; i < at; i++) {
		if (strcmp(played->names[i], name) == 0)
			return;
	}
	struct registry_subscription *box = &played->boxes[at];
	*box = (struct registry_subscription){
		.name = name, .owner = mailbox->owner, .folder = mailbox->folder};
	snprintf(box->hash, sizeof(box->hash), "%032llx",
		(unsigned long long)map_hash((const uint8_t[16]){0}, name, strlen(name)));
	played->job.subscription_count++;
}

static void make_registration(struct played *played, struct random *random)
{
	struct registry_job *job = &played->job;
	const char *user = ONE_OF(random, nodes_users);
	played->event.registration = (struct event_registration){
		.user = user,
		.token = ONE_OF(random, tokens),
		.account_id = ONE_OF(random, accounts),
		.subtopic = SUBTOPIC,
		.aps_version = once_in(random, 8) ? 1 : 2,
	};
	job->subscriptions = played->boxes;
	add_box(played, user, &(struct mailbox){.owner = user, .folder = ""});
	for (size_t more = upto(random, BOXES_MAX); more > 0; more--) {
		struct mailbox mailbox = random_mailbox(random);
		if (!once_in(random, 3))
			mailbox.owner = user;
		add_box(played, user, &mailbox);
	}
	job->topic = once_in(random, 6) ? "" : ONE_OF(random, topics);
	if (!*job->topic)
		job->topic = topics[0];
	job->confirmed = !once_in(random, 8);
}

static void make_import(struct played *played, struct random *random)
{
	make_registration(played, random);
	struct registry_job *job = &played->job;
	job->kind = REGISTRY_IMPORT;
	job->is_dry_run = once_in(random, 8);
	played->past.is_undated = once_in(random, 4);
	if (!played->past.is_undated)
		job->received_ms =
			unique_ms(job->received_ms - random_upto(random, 10 * CLOCK_HOUR_MS));
	job->past = &played->past;
}

static void make_news(struct played *played, struct random *random)
{
	played->job.kind = REGISTRY_NEWS;
	played->event.readings = 1;
	played->event.at[0] = random_mailbox(random);
	if (once_in(random, 10)) {
		played->was_at = random_folder(random);
		played->event.at[0] = random_folder(random);
		if (!once_in(random, 4))
			played->event.at[0].owner = played->was_at.owner;
		played->job.was_at = &played->was_at;
		played->job.was_seen_ms =
			played->job.received_ms - random_upto(random, CLOCK_HOUR_MS);
		played->job.separator = '/';
	}
}

static void make_mailbox_change(struct played *played, struct random *random)
{
	struct registry_job *job = &played->job;
	played->event.readings = 1;
	played->event.at[0] = random_mailbox(random);
	job->kind = REGISTRY_MAILBOX_DELETE;
	if (once_in(random, 2))
		return;
	job->kind = REGISTRY_MAILBOX_RENAME;
	job->separator = '/';
	played->event.from_readings = 1;
	played->event.from[0] = once_in(random, 8) ? random_mailbox(random) : random_folder(random);
	if (mailbox_is_inbox(&played->event.from[0]))
		return;
	played->event.at[0] = random_folder(random);
	if (!once_in(random, 4))
		played->event.at[0].owner = played->event.from[0].owner;
}

static void make_verdict(struct played *played, struct random *random)
{
	struct registry_job *job = &played->job;
	job->kind = once_in(random, 3) ? REGISTRY_STOP : REGISTRY_FORGET;
	job->token = ONE_OF(random, tokens);
	job->topic = ONE_OF(random, topics);
	job->before_ms = unique_ms(job->received_ms - random_upto(random, CLOCK_HOUR_MS));
	job->answer_status = 410;
	job->reason = job->kind == REGISTRY_STOP ? "DeviceTokenNotForTopic" : "Unregistered";
}

static void add_keys(struct played *played, struct random *random)
{
	played->job.keys = played->keys;
	played->job.key_count = 1 + upto(random, KEYS_MAX);
	for (size_t i = 0; i < played->job.key_count; i++)
		played->keys[i] = random_key(random);
}

static void make_tidy(struct played *played, struct random *random)
{
	played->job.kind = REGISTRY_TIDY;
	played->job.is_asked = once_in(random, 4);
	add_keys(played, random);
}

static void make_question(struct played *played, struct random *random)
{
	struct registry_job *job = &played->job;
	struct registry_query *query = &played->query;
	job->query = query;
	query->limit = 1 + upto(random, 20);
	switch (upto(random, 5)) {
	case 0:
		job->kind = REGISTRY_COUNT;
		break;
	case 1:
		job->kind = REGISTRY_LIST_FORGOTTEN;
		query->user = ONE_OF(random, nodes_users);
		query->limit = REGISTRY_TOMBSTONES_PER_USER;
		break;
	case 2:
		job->kind = REGISTRY_REMOVE;
		job->before_ms = once_in(random, 2) ? 0 : job->received_ms - CLOCK_HOUR_MS;
		add_keys(played, random);
		break;
	case 3:
		job->kind = once_in(random, 4) ? REGISTRY_REMOVE_USER : REGISTRY_LIST;
		query->user = ONE_OF(random, nodes_users);
		break;
	default:
		job->kind = REGISTRY_LIST;
		query->after_user = once_in(random, 2) ? ONE_OF(random, nodes_users) : NULL;
		break;
	}
}

/* A device has one account, so that the account supersedes none. */
static void make_guarded(struct played *played, struct random *random)
{
	struct registry_job *job = &played->job;
	size_t lot = upto(random, 100);
	if (lot < 60) {
		make_registration(played, random);
		played->event.registration.account_id = accounts[0];
	} else if (lot < 70) {
		make_verdict(played, random);
		job->kind = REGISTRY_FORGET;
	} else {
		played->event.readings = 1;
		played->event.at[0] = random_mailbox(random);
		job->kind = lot < 80 ? REGISTRY_MAILBOX_DELETE : REGISTRY_NEWS;
	}
}

static void make(struct played *played, struct random *random, int64_t now_ms, bool guarded)
{
	*played = (struct played){0};
	played->job.event = &played->event;
	played->job.received_ms = unique_ms(now_ms - random_upto(random, LATE_MS));
	size_t lot = upto(random, 100);
	if (guarded)
		make_guarded(played, random);
	else if (lot < 35)
		make_registration(played, random);
	else if (lot < 47)
		make_mailbox_change(played, random);
	else if (lot < 55)
		make_verdict(played, random);
	else if (lot < 58)
		make_tidy(played, random);
	else if (lot < 60)
		make_import(played, random);
	else if (lot < 95)
		make_news(played, random);
	else
		make_question(played, random);
}

void jobs_make(struct batch *batch, struct random *random, int64_t now_ms, bool guarded)
{
	batch->now_ms = now_ms;
	batch->count = 1 + upto(random, JOBS_MAX);
	for (size_t i = 0; i < batch->count; i++)
		make(&batch->jobs[i], random, now_ms, guarded);
}

void batch_list(struct batch *batch)
{
	job_list_init(&batch->list);
	for (size_t i = 0; i < batch->count; i++)
		job_list_append(&batch->list, &batch->jobs[i].job.job);
}

void batch_free(struct batch *batch)
{
	for (size_t i = 0; i < batch->count; i++)
		registry_job_fini(&batch->jobs[i].job);
	free(batch->said);
	free(batch);
}

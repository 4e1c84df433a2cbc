/*
 * Part of judge.h: the events, and what follows from each.
 */
#include "judge_inner.h"

#include "../disk.h"
#include "../folder.h"
#include "../life.h"
#include "../virtual.h"
#include "base/mem.h"

#include <string.h>

struct event {
	struct event *next;
	struct judge_event of; /* its strings are ours */
	uint64_t order;	       /* its place among all events of this life */
	bool is_acked;
	bool is_done; /* with its file */
	bool is_refused;
	bool is_processed;
	bool is_set_aside; /* the registry has refused it, in this life */
	struct change {
		struct model_registration *registration;
		char hash[MAILBOX_HASH_SIZE];
		uint64_t changed;
	} * targets;
	size_t target_count;
};

static struct event *events; /* in order */
static struct event **events_end = &events;
static uint64_t newest_news;   /* the last that was matched in this life */
static struct change *changes; /* of the current job */
static size_t change_count;

static void free_event(struct event *event)
{
	free((char *)event->of.owner);
	free((char *)event->of.folder);
	free((char *)event->of.trace);
	free((char *)event->of.account_id);
	free(event->targets);
	free(event);
}

static void unlink_event(struct event *event)
{
	struct event **at = &events;
	while (*at != event)
		at = &(*at)->next;
	*at = event->next;
	if (!event->next)
		events_end = at;
	free_event(event);
}

static struct event *find_event(uint64_t which)
{
	struct event *event = events;
	while (event && event->of.number != which)
		event = event->next;
	return event;
}

void judge_sent(const struct judge_event *sent)
{
	struct event *event = mem_alloc_zero(1, sizeof(*event));
	event->of = *sent;
	event->order = sent->number;
	event->of.owner = sent->owner ? mem_dup(sent->owner) : NULL;
	event->of.folder = sent->folder ? mem_dup(sent->folder) : NULL;
	event->of.trace = sent->trace ? mem_dup(sent->trace) : NULL;
	event->of.account_id = sent->account_id ? mem_dup(sent->account_id) : NULL;
	*events_end = event;
	events_end = &event->next;
	event->is_acked = sent->is_kept;
	if (sent->what == JUDGE_IGNORED && !sent->is_request)
		unlink_event(event);
}

/* It is acknowledged: a push that leaves later is owed from now on. */
static void owe(struct model_registration *registration, const char *hash, uint64_t event)
{
	struct model_name *name = model_name(registration, hash);
	if (!registration->exists || registration->is_stopped || !name->changed ||
		name->pushed > event || name->owed >= event)
		return;
	name->owed = event;
}

static void check_durable(const struct event *event, const struct change *target)
{
	struct model_registration *registration = target->registration;
	const struct model_name *name = model_name(registration, target->hash);
	if (!registration->exists || registration->is_stopped || !name->changed ||
		name->forgiven > target->changed || name->pushed > event->order)
		return;
	judge_rule(
		disk_has_news(&registration->key, target->hash) || disk_has_parked(event->of.trace),
		"an acknowledged change is on disk");
}

void judge_acked(uint64_t which)
{
	struct event *event = find_event(which);
	judge_rule(event && !event->is_acked, "an event is acknowledged once");
	if (event->of.what == JUDGE_IGNORED) {
		unlink_event(event);
		return;
	}
	if (!event->is_processed) {
		judge_rule(disk_has_parked(event->of.trace),
			"an event that the registry has not had is parked before its "
			"acknowledgement");
		event->is_acked = true;
		return;
	}
	for (size_t i = 0; i < event->target_count; i++) {
		check_durable(event, &event->targets[i]);
		owe(event->targets[i].registration, event->targets[i].hash, which);
	}
	unlink_event(event);
}

void judge_refused(uint64_t which)
{
	struct event *event = find_event(which);
	if (!event)
		return;
	event->is_refused = true;
	if (event->is_processed)
		unlink_event(event);
}

void judge_taken(uint64_t which)
{
	struct event *event = find_event(which);
	if (event)
		event->order = judge_next();
}

void judge_done(uint64_t which)
{
	struct event *event = find_event(which);
	if (!event)
		return;
	event->is_done = true;
	if (!event->is_processed) {
		judge_rule(disk_has_parked(event->of.trace),
			"a file is of no more use when its event is parked, or done");
		return;
	}
	for (size_t i = 0; i < event->target_count; i++)
		check_durable(event, &event->targets[i]);
	unlink_event(event);
}

static bool is_urgent(const struct registry_job *job)
{
	return job->kind == REGISTRY_NEWS && job->event->kind == EVENT_MESSAGE_NEW;
}

void judge_events_changed(
	struct model_registration *registration, const char *hash, uint64_t changed)
{
	changes = mem_realloc_array(changes, change_count + 1, sizeof(*changes));
	changes[change_count].registration = registration;
	changes[change_count].changed = changed;
	strcpy(changes[change_count++].hash, hash);
}

static bool is_about(const struct registry_job *job, const char *owner, const char *folder)
{
	const struct mail_event *event = job->event;
	for (unsigned i = 0; i < event->readings; i++) {
		if (!strcmp(owner, event->at[i].owner) && !strcmp(folder, event->at[i].folder))
			return model_believes(event, event->at, event->readings, i);
	}
	return false;
}

static uint64_t number_of(const struct registry_job *job)
{
	return strtoull(job->event->user + 1, NULL, 10);
}

/* An event that was done before comes again. */
static uint64_t order_of(uint64_t which)
{
	const struct event *event = find_event(which);
	uint64_t again = event ? 0 : folder_order(which);
	return event ? event->order : again ? again : which;
}

/* `came`: the job's place, as its event may be gone. */
static bool is_meant(const struct event *event, const struct registry_job *job, uint64_t came)
{
	if (event->is_processed || event->is_set_aside)
		return false;
	/* A file that was not taken in yet, except one that was parked in an earlier life. */
	if (event->of.is_kept && event->order == event->of.number &&
		!disk_has_parked(event->of.trace))
		return false;
	switch (job->kind) {
	case REGISTRY_NEWS:
		return event->of.what == JUDGE_NEWS && event->of.is_urgent == is_urgent(job) &&
			event->order <= came && is_about(job, event->of.owner, event->of.folder);
	case REGISTRY_REGISTER:
		return event->of.what == JUDGE_REGISTRATION &&
			!strcmp(event->of.account_id, job->event->registration.account_id);
	case REGISTRY_MAILBOX_DELETE:
	case REGISTRY_MAILBOX_RENAME:
		return event->of.what == JUDGE_MAILBOX && event->of.number == number_of(job);
	case REGISTRY_FORGET:
	case REGISTRY_STOP:
	case REGISTRY_TIDY:
	case REGISTRY_LIST:
	case REGISTRY_LIST_FORGOTTEN:
	case REGISTRY_REMOVE:
	case REGISTRY_REMOVE_USER:
	case REGISTRY_IMPORT:
	case REGISTRY_COUNT:
		break;
	}
	return false;
}

/* Deletes and renames are barriers: later news must not be matched before them. */
static void check_order(const struct registry_job *job)
{
	bool is_news = job->kind == REGISTRY_NEWS;
	if (!is_news && job->kind != REGISTRY_MAILBOX_DELETE &&
		job->kind != REGISTRY_MAILBOX_RENAME)
		return;
	uint64_t came = order_of(number_of(job));
	judge_rule(is_news || came > newest_news, "no news is merged across a barrier");
	if (is_news && came > newest_news)
		newest_news = came;
}

static void process(struct event *event)
{
	event->is_processed = true;
	if (event->is_acked) {
		for (size_t i = 0; i < change_count; i++)
			owe(changes[i].registration, changes[i].hash, event->order);
	}
	if (event->of.is_kept ? !event->is_done
			      : event->of.is_request && !event->is_acked && !event->is_refused) {
		event->targets = mem_realloc_array(NULL, change_count, sizeof(*changes));
		if (change_count)
			memcpy(event->targets, changes, change_count * sizeof(*changes));
		event->target_count = change_count;
		return;
	}
	unlink_event(event);
}

/* Of all that are meant; a registration is a job of its own, and they are done in the order of
   their events. */
static void for_those_meant(const struct registry_job *job, void (*follow)(struct event *event))
{
	uint64_t came = job->kind == REGISTRY_NEWS ? order_of(number_of(job)) : UINT64_MAX;
	struct event *first = NULL;
	for (struct event *event = events; event;) {
		struct event *next = event->next;
		bool is_it = is_meant(event, job, came);
		if (is_it && job->kind != REGISTRY_REGISTER)
			follow(event);
		else if (is_it && (!first || event->order < first->order))
			first = event;
		event = next;
	}
	if (first)
		follow(first);
}

static void set_aside(struct event *event)
{
	event->is_set_aside = true;
}

void judge_set_aside(const struct registry_job *job)
{
	for_those_meant(job, set_aside);
}

void judge_events_job(const struct registry_job *job)
{
	check_order(job);
	/* A push that the verdict did not settle is pending from now on. */
	struct model_registration *pushed_to = job->target ? model_find(&job->target->key) : NULL;
	if (pushed_to)
		pushed_to->excused_until_ms = virtual_now_ms() +
			(pushed_to->renewed > pushed_to->left ? LIFE_MIN_INTERVAL_MS
							      : JUDGE_RETRY_MAX_MS);
	for_those_meant(job, process);
	change_count = 0;
}

void judge_events_died(void)
{
	for (struct event *event = events; event;) {
		struct event *next = event->next;
		event->order = event->of.number;
		/* Files that are not done are taken in again. */
		event->is_processed = false;
		event->is_set_aside = false;
		event->target_count = 0;
		free(mem_steal(event->targets));
		if (!event->is_acked)
			unlink_event(event);
		event = next;
	}
}

void judge_events_started(void)
{
	newest_news = 0;
}

void judge_events_forget(uint64_t before)
{
	while (events && !events->of.is_request && !events->is_acked && events->of.number < before)
		unlink_event(events);
}

unsigned judge_events_owed(void)
{
	unsigned owed = 0;
	for (const struct event *event = events; event; event = event->next)
		owed += event->is_acked;
	return owed;
}

void judge_events_end(void)
{
	while (events)
		unlink_event(events);
	free(mem_steal(changes));
}

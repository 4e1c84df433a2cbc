#include "nodes.h"

#include "base/mem.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* All that was ever done. */
static struct batch **done;
static size_t done_count;

static struct registry_key key_of(const struct registry_job *job)
{
	const struct event_registration *sent = &job->event->registration;
	return registry_key_make(
		nodes_site, sent->user, sent->token, sent->account_id, sent->subtopic);
}

/* What decides over a registration, of all that was done. */
struct fate {
	bool is_forgotten; /* by an answer of Apple that is newer */
	bool is_renewed;   /* later */
};

static struct fate fate_of(const struct registry_job *registered)
{
	struct fate fate = {false, false};
	struct registry_key key = key_of(registered);
	for (size_t i = 0; i < done_count; i++) {
		for (size_t j = 0; j < done[i]->count; j++) {
			const struct registry_job *job = &done[i]->jobs[j].job;
			if (job->kind == REGISTRY_FORGET)
				fate.is_forgotten |= job->before_ms > registered->received_ms &&
					strcmp(job->token, registered->event->registration.token) ==
						0;
			if (job->kind != REGISTRY_REGISTER ||
				job->received_ms <= registered->received_ms)
				continue;
			struct registry_key other = key_of(job);
			fate.is_renewed |= memcmp(&other, &key, sizeof(key)) == 0;
		}
	}
	return fate;
}

static bool were_at_once(const struct batch *one, const struct batch *other)
{
	return one->began < other->committed && other->began < one->committed;
}

/*
 * May a mailbox that a phone registered be gone?  A deletion that is older too takes it along while
 * the phone renews by another way, as the two write different rows.
 */
static bool may_be_gone(const struct registry_subscription *box, const struct batch *registering,
	const struct registry_job *registered)
{
	for (size_t i = 0; i < done_count; i++) {
		bool at_once = were_at_once(done[i], registering);
		for (size_t j = 0; j < done[i]->count; j++) {
			const struct registry_job *job = &done[i]->jobs[j].job;
			const struct mailbox *gone = &job->event->at[0];
			if (job->kind == REGISTRY_MAILBOX_DELETE &&
				(at_once || job->received_ms > registered->received_ms) &&
				strcmp(gone->owner, box->owner) == 0 &&
				(!*gone->folder || strcmp(gone->folder, box->folder) == 0))
				return true;
		}
	}
	return false;
}

static size_t count_of(const char *text, const char *part)
{
	size_t count = 0;
	for (const char *at = text; (at = strstr(at, part)); at++)
		count++;
	return count;
}

/* `site`: as text_of_site says it. */
static bool is_kept(const char *site, const struct batch *batch, const struct registry_job *job)
{
	struct fate fate = fate_of(job);
	if (fate.is_forgotten || fate.is_renewed)
		return true;
	struct registry_key key = key_of(job);
	mem_auto char *registration = mem_printf("registration %s ", text_of_key(&key));
	mem_auto char *subscription = mem_printf("\tsubscription %s ", text_of_key(&key));
	mem_auto char *renewed = mem_printf(" renewed %" PRId64 " ", job->received_ms);
	const char *stored = strstr(site, registration);
	if (!stored || !memmem(stored, strcspn(stored, "\n"), renewed, strlen(renewed))) {
		fprintf(stderr, "%sis lost as%s\n", registration, renewed);
		return false;
	}
	size_t found = 0;
	for (size_t i = 0; i < job->subscription_count; i++) {
		const struct registry_subscription *box = &job->subscriptions[i];
		mem_auto char *line = mem_printf(
			"%s%s = %s:%s ", subscription, box->name, box->owner, box->folder);
		size_t count = count_of(site, line);
		found += count;
		if (count == 1 || may_be_gone(box, batch, job))
			continue;
		fprintf(stderr, "%sas%s: missing is%s\n", registration, renewed, line);
		return false;
	}
	if (found == count_of(site, subscription))
		return true;
	fprintf(stderr, "%sas%s: there are others\n", registration, renewed);
	return false;
}

/* Who had to do with that user, for people. */
static void show(const char *user)
{
	for (size_t i = 0; i < done_count; i++) {
		mem_auto char *jobs = text_of_jobs(done[i]);
		if (strstr(jobs, user))
			fprintf(stderr,
				"node %u began %" PRIu64 " committing %" PRIu64
				" committed %" PRIu64 " writes %d\n%s  brought\n%s",
				done[i]->node, done[i]->began, done[i]->committing,
				done[i]->committed, done[i]->writes, jobs, done[i]->said);
	}
}

static bool are_all_kept(const char *site)
{
	for (size_t i = 0; i < done_count; i++) {
		for (size_t j = 0; j < done[i]->count; j++) {
			const struct registry_job *job = &done[i]->jobs[j].job;
			if (job->kind != REGISTRY_REGISTER || is_kept(site, done[i], job))
				continue;
			show(job->event->registration.user);
			return false;
		}
	}
	return true;
}

bool guards_judge(
	struct batch **batches, size_t count, struct registry_db *const *dbs, size_t db_count)
{
	done = mem_realloc_array(done, done_count + count, sizeof(*done));
	memcpy(done + done_count, batches, count * sizeof(*done));
	done_count += count;
	mem_auto char *first = text_of_site(dbs[0]);
	for (size_t i = 0; i < db_count; i++) {
		mem_auto char *text = text_of_site(dbs[i]);
		if (strcmp(first, text) != 0) {
			fprintf(stderr, "---- by the first\n%s---- by number %zu\n%s", first, i + 1,
				text);
			return false;
		}
	}
	return are_all_kept(first);
}

void guards_end(void)
{
	for (size_t i = 0; i < done_count; i++)
		batch_free(done[i]);
	free(done);
}

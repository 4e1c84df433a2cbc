#include "registry/registry_job.h"

#include "base/mem.h"

#include <stdlib.h>

void registry_listed_fini(struct registry_listed *listed)
{
	for (size_t i = 0; i < listed->subscription_count; i++) {
		free((char *)listed->subscriptions[i].name);
		free((char *)listed->subscriptions[i].owner);
		free((char *)listed->subscriptions[i].folder);
	}
	free(listed->subscriptions);
	free(listed->subtopic);
	free(listed->stopped_reason);
	push_target_free(listed->target);
}

static void free_listing(struct registry_listing *listing)
{
	if (!listing)
		return;
	for (size_t i = 0; i < listing->count; i++)
		registry_listed_fini(&listing->listed[i]);
	free(listing->listed);
	free(listing);
}

void registry_tombstone_fini(struct registry_tombstone *tombstone)
{
	free((char *)tombstone->user);
	free((char *)tombstone->token);
	free((char *)tombstone->account_id);
	free((char *)tombstone->topic);
	free((char *)tombstone->reason);
}

static void free_tombstones(struct registry_tombstones *tombstones)
{
	if (!tombstones)
		return;
	for (size_t i = 0; i < tombstones->count; i++)
		registry_tombstone_fini(&tombstones->tombstones[i]);
	free(tombstones->tombstones);
	free(tombstones);
}

void registry_job_undo(struct registry_job *job)
{
	for (size_t i = 0; i < job->match_count; i++) {
		push_target_free(job->matches[i].target);
		if (job->matches[i].hashes != job->one_hash)
			free(job->matches[i].hashes);
	}
	if (job->matches != &job->one_match)
		free(job->matches);
	free(job->gone);
	free(job->effects);
	job->matches = NULL;
	job->match_count = 0;
	job->gone = NULL;
	job->gone_count = 0;
	job->effects = NULL;
	job->effect_count = 0;
	job->moved_ms = 0;
	job->has_moved = false;
	job->is_new = false;
	job->list_changed = false;
	job->is_stale = false;
	job->is_again = false;
	job->is_double = false;
	job->imported = REGISTRY_IMPORTED_NEW;
	job->kept_back = 0;
	job->is_done_elsewhere = false;
	free(mem_steal(job->refusal));
	free_listing(mem_steal(job->listing));
	free_tombstones(mem_steal(job->tombstones));
}

void registry_job_fini(struct registry_job *job)
{
	registry_job_undo(job);
	if (job->kept) {
		registry_job_undo(job->kept);
		free(mem_steal(job->kept));
	}
}

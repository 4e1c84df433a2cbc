#include "registry/registry_job.h"

#include "base/mem.h"

#include <stdlib.h>

const char *const registry_state_names[REGISTRY_STATES] = {
	[REGISTRY_ACTIVE] = "active",
	[REGISTRY_SUPERSEDED] = "superseded",
	[REGISTRY_SUSPENDED] = "suspended",
	[REGISTRY_STOPPED] = "stopped",
};

enum registry_state registry_state_of(
	const char *stopped_reason, int64_t suspended_ms, int64_t superseded_ms)
{
	if (stopped_reason)
		return REGISTRY_STOPPED;
	if (suspended_ms > 0)
		return REGISTRY_SUSPENDED;
	return superseded_ms > 0 ? REGISTRY_SUPERSEDED : REGISTRY_ACTIVE;
}

const char *const registry_why_names[REGISTRY_WHYS] = {
	[REGISTRY_WHY_APPLE] = "apple",
	[REGISTRY_WHY_EXPIRED] = "expired",
	[REGISTRY_WHY_SUPERSEDED] = "superseded",
	[REGISTRY_WHY_LIMIT] = "limit",
	[REGISTRY_WHY_DELETED] = "deleted",
	[REGISTRY_WHY_REMOVED] = "removed",
};

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

void registry_trace_fini(struct registry_trace *trace)
{
	free((char *)trace->user);
	free((char *)trace->token);
	free((char *)trace->account_id);
	free((char *)trace->topic);
	free((char *)trace->reason);
}

static void free_traces(struct registry_traces *traces)
{
	if (!traces)
		return;
	for (size_t i = 0; i < traces->count; i++)
		registry_trace_fini(&traces->traces[i]);
	free(traces->traces);
	free(traces);
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
	free_traces(mem_steal(job->traces));
}

void registry_job_fini(struct registry_job *job)
{
	registry_job_undo(job);
	if (job->kept) {
		registry_job_undo(job->kept);
		free(mem_steal(job->kept));
	}
}

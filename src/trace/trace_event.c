#include "trace/trace_event.h"

#include "base/clock.h"

#include <string.h>

/* For the user whose mailbox it is, and only if he is known to have a phone. */
static void put_of_owner(struct trace *trace, enum event_kind kind, const struct mailbox *at,
	enum trace_outcome what, enum trace_weight weight)
{
	if (!trace_knows(trace, at->owner))
		return;
	const struct trace_entry entry = {.kind = TRACE_EVENT,
		.event = kind,
		.what = what,
		.user = at->owner,
		.owner = at->owner,
		.folder = at->folder};
	trace_put(trace, &entry, weight);
}

void trace_event_ignored(struct trace *trace, const struct mail_event *event, bool is_shed)
{
	if (event->kind == EVENT_APPLE_PUSH_SERVICE) {
		const struct trace_entry entry = {.kind = TRACE_REGISTRATION,
			.what = TRACE_UNWANTED,
			.user = event->registration.user,
			.count = (uint32_t)event->registration.mailbox_count};
		trace_put(trace, &entry, TRACE_MAJOR);
	} else if (event->readings) {
		put_of_owner(trace, event->kind, &event->at[0],
			is_shed			       ? TRACE_SHED
				: event->mbtype != 'e' ? TRACE_NO_MAIL
						       : TRACE_NOT_WANTED,
			TRACE_MINOR);
	}
}

void trace_event_not_listed(struct trace *trace, const struct mail_event *event)
{
	if (event->readings)
		put_of_owner(trace, event->kind, &event->at[0], TRACE_NOT_LISTED, TRACE_MINOR);
}

static struct trace_entry of_match(const struct mail_event *event,
	const struct registry_match *match, const struct push_target *target)
{
	const struct mailbox *at = &event->at[match->reading];
	struct trace_entry entry = {.kind = TRACE_EVENT,
		.event = event->kind,
		.user = target->user,
		.key = target->key,
		.owner = at->owner,
		.folder = at->folder};
	for (unsigned i = 0; i < match->hash_count && i < TRACE_ENTRY_HASHES_MAX; i++)
		entry.hashes[entry.hash_count++] = trace_entry_hash(match->hashes[i]);
	return entry;
}

void trace_event_refused(struct trace *trace, const struct mail_event *event,
	const struct registry_match *match, enum trace_outcome why)
{
	if (!trace)
		return;
	struct trace_entry entry = of_match(event, match, match->target);
	entry.what = why;
	trace_put(trace, &entry, TRACE_MINOR);
}

static enum trace_outcome outcome_of(enum queue_urgency urgency, struct queue_plan plan)
{
	if (plan.is_limited && !plan.is_merged)
		return TRACE_LIMITED;
	if (plan.is_behind)
		return TRACE_BEHIND;
	if (plan.is_merged)
		return TRACE_MERGED;
	if (urgency != QUEUE_URGENT)
		return TRACE_DEFERRED;
	return plan.is_due ? TRACE_AT_ONCE : TRACE_RESTS;
}

void trace_event_planned(struct trace *trace, const struct mail_event *event,
	const struct registry_match *match, const struct push_target *target,
	enum queue_urgency urgency, struct queue_plan plan)
{
	if (!trace)
		return;
	struct trace_entry entry = of_match(event, match, target);
	entry.what = outcome_of(urgency, plan);
	if (entry.what != TRACE_AT_ONCE)
		entry.other_ms = plan.due_ms;
	trace_put(trace, &entry, match->is_own ? TRACE_ORDINARY : TRACE_MINOR);
}

void trace_event_registered(struct trace *trace, const struct registry_job *job)
{
	if (!trace)
		return;
	const struct event_registration *registration = &job->event->registration;
	struct trace_entry entry = {.kind = TRACE_REGISTRATION,
		.what = job->is_stale	    ? TRACE_STALE
			: job->is_new	    ? TRACE_NEW
			: job->list_changed ? TRACE_CHANGED
					    : TRACE_RENEWED,
		.user = registration->user,
		.count = (uint32_t)registration->mailbox_count};
	if (job->match_count) {
		entry.key = job->matches[0].target->key;
		entry.text = job->matches[0].target->topic;
	}
	trace_put(trace, &entry, TRACE_MAJOR);
}

void trace_event_mailbox_change(
	struct trace *trace, enum event_kind kind, const struct mailbox *old, bool is_delete)
{
	put_of_owner(trace, kind, old, is_delete ? TRACE_FOLDER_GONE : TRACE_FOLDER_MOVED,
		TRACE_ORDINARY);
}

void trace_event_effect(struct trace *trace, const struct registry_effect *effect)
{
	static const enum trace_kind kinds[] = {
		[REGISTRY_EFFECT_SUSPENDED] = TRACE_SUSPENDED,
		[REGISTRY_EFFECT_RESUMED] = TRACE_RESUMED,
		[REGISTRY_EFFECT_LOST] = TRACE_UNLISTED,
	};
	if (effect->kind == REGISTRY_EFFECT_ABSENT)
		return;
	const struct trace_entry entry = {.kind = kinds[effect->kind], .key = effect->key};
	trace_put(trace, &entry, TRACE_MAJOR);
}

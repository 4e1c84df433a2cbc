#include "arrival/registry_outcome.h"

#include "arrival/event_log.h"
#include "base/clock.h"
#include "base/log.h"
#include "base/mem.h"
#include "trace/trace_event.h"

static bool is_off(const struct config *config, const char *user)
{
	return !user_settings_is_pushed_to(config->users, user);
}

/* May the registration of this user have it? */
static bool may_be_pushed_to(const struct config *config, const struct mail_event *event,
	const struct registry_match *match)
{
	if (match->is_own)
		return event_is_believed(event, event->at, event->readings, match->reading);
	/* It may have been registered while that was allowed. */
	if (!config->shared_mailboxes)
		return false;
	return event_lets_read(event, config->groups, match->target->user);
}

static void on_news(const struct registry_outcome_needs *needs, enum queue_urgency urgency,
	struct registry_job *job, struct queue_waiter *waiter)
{
	if (job->has_moved) {
		event_log_mailbox_change(job->was_at, false);
		trace_event_mailbox_change(needs->trace, job->event->kind, job->was_at, false);
	}
	if (!job->match_count)
		trace_event_not_listed(needs->trace, job->event);
	for (size_t i = 0; i < job->match_count; i++) {
		struct registry_match *match = &job->matches[i];
		if (!may_be_pushed_to(needs->config, job->event, match)) {
			trace_event_refused(needs->trace, job->event, match,
				match->is_own || needs->config->shared_mailboxes
					? TRACE_NO_RIGHT
					: TRACE_NOT_SHARED);
			continue;
		}
		if (is_off(needs->config, match->target->user)) {
			log_event(LOG_LEVEL_DEBUG, "relay", "no push, as it is off for this user",
				log_text("event", event_kind_name(job->event->kind)),
				log_text("user", match->target->user));
			trace_event_refused(needs->trace, job->event, match, TRACE_PUSH_OFF);
			continue;
		}
		log_event(LOG_LEVEL_DEBUG, "relay", "news for a subscriber",
			log_text("event", event_kind_name(job->event->kind)),
			log_text("user", match->target->user),
			log_masked("token", match->target->token),
			log_masked("account", match->target->account_id));
		__attribute__((cleanup(push_target_cleanup))) struct push_target *target =
			push_target_ref(match->target);
		struct queue_plan plan = queue_add(needs->queue, mem_steal(match->target),
			(const char(*)[MAILBOX_HASH_SIZE])match->hashes, match->hash_count, urgency,
			waiter);
		trace_event_planned(needs->trace, job->event, match, target, urgency, plan);
	}
}

static void tell_registered(
	const struct registry_outcome_needs *needs, const struct registry_job *job)
{
	const struct event_registration *registration = &job->event->registration;
	needs->metrics->received[job->is_stale ? METRICS_RECEIVED_stale
			: job->is_new	       ? METRICS_RECEIVED_new
			: job->list_changed    ? METRICS_RECEIVED_changed
					       : METRICS_RECEIVED_renewed]++;
	log_seldom(LOG_LEVEL_INFO, "registry", "registrations of a phone", registration->user,
		job->is_stale		    ? "registration is older than what is known"
			: job->is_new	    ? "phone registered"
			: job->list_changed ? "phone registered other mailboxes"
					    : "phone renewed its registration",
		log_text("user", registration->user), log_masked("token", registration->token),
		log_masked("account", registration->account_id),
		log_number("version", registration->aps_version),
		log_number("mailboxes", (int64_t)registration->mailbox_count));
}

static void on_registered(const struct registry_outcome_needs *needs, struct registry_job *job,
	struct queue_waiter *waiter)
{
	if (!job->is_double) {
		tell_registered(needs, job);
		trace_event_registered(needs->trace, job);
	}
	if (!job->match_count)
		return;
	struct registry_match *match = &job->matches[0];
	const char(*hashes)[MAILBOX_HASH_SIZE] = (const char(*)[MAILBOX_HASH_SIZE])match->hashes;
	topic_health_renewed(needs->topics, &match->target->key, clock_monotonic_ms());
	queue_renew(
		needs->queue, push_target_ref(match->target), hashes, match->hash_count, waiter);
	if ((job->is_new || job->list_changed || job->is_again) && match->hash_count &&
		!is_off(needs->config, match->target->user))
		queue_add(needs->queue, mem_steal(match->target), hashes, match->hash_count,
			QUEUE_DEFERRED, waiter);
}

static void drop_gone(const struct registry_outcome_needs *needs, const struct registry_job *job,
	struct queue_waiter *waiter)
{
	queue_drop_all(needs->queue, job->gone, job->gone_count, waiter);
	for (size_t i = 0; i < job->gone_count; i++)
		topic_health_gone(needs->topics, &job->gone[i], clock_monotonic_ms());
	needs->metrics->gone[METRICS_GONE_replaced] += job->gone_count;
	if (job->gone_count)
		log_seldom(LOG_LEVEL_INFO, "registry", "registrations are gone", "",
			"registrations are gone",
			log_text("event", event_kind_name(job->event->kind)),
			log_number("count", (int64_t)job->gone_count));
}

void registry_outcome_follow(const struct registry_outcome_needs *needs, enum relay_action action,
	struct registry_job *job, struct queue_waiter *waiter)
{
	for (size_t i = 0; i < job->effect_count; i++) {
		queue_follow(needs->queue, &job->effects[i], waiter);
		trace_event_effect(needs->trace, &job->effects[i]);
	}
	switch (action) {
	case RELAY_URGENT:
		on_news(needs, QUEUE_URGENT, job, waiter);
		break;
	case RELAY_DEFERRED:
		on_news(needs, QUEUE_DEFERRED, job, waiter);
		break;
	case RELAY_REGISTER:
		on_registered(needs, job, waiter);
		break;
	case RELAY_MAILBOX_DELETE:
		event_log_mailbox_change(&job->event->at[0], true);
		trace_event_mailbox_change(
			needs->trace, job->event->kind, &job->event->at[0], true);
		break;
	case RELAY_MAILBOX_RENAME:
		event_log_mailbox_change(&job->event->from[0], false);
		trace_event_mailbox_change(
			needs->trace, job->event->kind, &job->event->from[0], false);
		break;
	case RELAY_IGNORE:
	case RELAY_ACTIONS:
		break;
	}
	drop_gone(needs, job, waiter);
}

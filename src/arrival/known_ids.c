#include "arrival/known_ids.h"

static void forget(
	struct mailbox_ids *ids, const struct mailbox *mailboxes, unsigned count, char separator)
{
	for (unsigned i = 0; i < count; i++) {
		if (mailbox_is_inbox(&mailboxes[i]))
			mailbox_ids_forget_owner(ids, mailboxes[i].owner);
		else
			mailbox_ids_forget(ids, &mailboxes[i], separator);
	}
}

static void forget_all(struct mailbox_ids *ids, const struct registry_job *job)
{
	const struct mail_event *event = job->event;
	forget(ids, event->at, event->readings, job->separator);
	forget(ids, event->from, event->from_readings, job->separator);
	for (size_t i = 0; i < job->subscription_count; i++) {
		const struct mailbox named = {.owner = job->subscriptions[i].owner,
			.folder = job->subscriptions[i].folder};
		mailbox_ids_forget(ids, &named, job->separator);
	}
}

void known_ids_consult(struct mailbox_ids *ids, struct arrival *arrival)
{
	if (!arrival_is_news(arrival))
		forget_all(ids, &arrival->job);
	else if (mailbox_ids_follow(ids, arrival->event, arrival->job.separator, &arrival->was_at,
			 &arrival->job.was_seen_ms))
		arrival->job.was_at = &arrival->was_at;
	arrival->doubts = mailbox_ids_doubts(ids);
}

void known_ids_learn(struct mailbox_ids *ids, const struct arrival *arrival)
{
	const struct registry_job *job = &arrival->job;
	const struct arrival *newest = arrival_newest(arrival);
	for (size_t i = 0; arrival_is_news(arrival) && i < job->match_count; i++)
		mailbox_ids_learn(ids, job->event, job->matches[i].reading, newest->doubts,
			newest->job.received_ms);
}

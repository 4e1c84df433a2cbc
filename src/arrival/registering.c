#include "arrival/registering.h"

#include "base/mem.h"

#include <string.h>

void registering_fini(struct registering *registering)
{
	free(registering->subscriptions);
	free(registering->names);
	free(registering->topic);
}

static size_t mailbox_room(const char *name, const char *user)
{
	return 4 * strlen(name) + strlen(user) + 2;
}

static void prepare_mailboxes(struct registering *registering, const struct config *config,
	const struct imapdconf *imapdconf, struct registry_job *job)
{
	const struct event_registration *sent = &job->event->registration;
	struct mailbox_namespace names = imapdconf->names;
	names.is_admins = imapdconf_is_admin(imapdconf, config->groups, sent->user);
	size_t room = 0;
	for (size_t i = 0; i < sent->mailbox_count; i++)
		room += mailbox_room(sent->mailboxes[i], sent->user);
	registering->names = mem_alloc(room);
	registering->subscriptions =
		mem_alloc_zero(sent->mailbox_count, sizeof(*registering->subscriptions));
	char *memory = registering->names;
	size_t count = 0;
	for (size_t i = 0; i < sent->mailbox_count; i++) {
		struct mailbox mailbox;
		const char *name = sent->mailboxes[i];
		mailbox_from_name(&names, name, sent->user, memory, &mailbox);
		memory += mailbox_room(name, sent->user);
		if (!config->shared_mailboxes && strcmp(mailbox.owner, sent->user) != 0)
			continue;
		struct registry_subscription *subscription = &registering->subscriptions[count++];
		subscription->name = name;
		subscription->owner = mailbox.owner;
		subscription->folder = mailbox.folder;
		mailbox_hash(name, subscription->hash);
	}
	job->subscriptions = registering->subscriptions;
	job->subscription_count = count;
}

void registering_prepare(struct registering *registering, const struct config *config,
	const struct imapdconf *imapdconf, struct registry_job *job)
{
	prepare_mailboxes(registering, config, imapdconf, job);
	registering->topic = mem_dup(imapdconf->aps_topic);
	job->topic = registering->topic;
	job->confirmed = true;
}

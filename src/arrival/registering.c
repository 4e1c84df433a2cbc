#include "arrival/registering.h"

#include "base/mem.h"
#include "event/user_site.h"
#include "event/xaps_event.h"

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

static struct mailbox_namespace namespace_of(const struct mail_event *event,
	const struct config *config, const struct imapdconf *imapdconf)
{
	if (event->source == EVENT_OF_XAPS)
		return xaps_event_names(config->xaps_fold_users);
	struct mailbox_namespace names = imapdconf->names;
	names.is_admins = imapdconf_is_admin(imapdconf, config->groups, event->registration.user);
	return names;
}

/* Of Dovecot's plugin, which says what each name means. */
static void prepare_places(
	struct registering *registering, const struct config *config, struct registry_job *job)
{
	const struct event_registration *sent = &job->event->registration;
	registering->subscriptions =
		mem_alloc_zero(sent->mailbox_count, sizeof(*registering->subscriptions));
	size_t count = 0;
	for (size_t i = 0; i < sent->mailbox_count; i++) {
		if (!config->shared_mailboxes && strcmp(sent->places[i].owner, sent->user) != 0)
			continue;
		struct registry_subscription *subscription = &registering->subscriptions[count++];
		subscription->name = sent->mailboxes[i];
		subscription->owner = sent->places[i].owner;
		subscription->folder = sent->places[i].folder;
		mailbox_hash(subscription->name, subscription->hash);
	}
	job->subscriptions = registering->subscriptions;
	job->subscription_count = count;
}

static void prepare_names(struct registering *registering, const struct config *config,
	const struct input_files *input_files, struct registry_job *job)
{
	const struct event_registration *sent = &job->event->registration;
	struct mailbox_namespace names = namespace_of(job->event, config, input_files->imapdconf);
	const char *others_site = job->event->source == EVENT_OF_CYRUS
		? input_files_dovecot_site(config, input_files)
		: "";
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
		if (user_site_has(others_site, mailbox.owner))
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
	const struct input_files *input_files, struct registry_job *job)
{
	const struct event_registration *sent = &job->event->registration;
	if (sent->places)
		prepare_places(registering, config, job);
	else
		prepare_names(registering, config, input_files, job);
	registering->topic = mem_dup(sent->topic ? sent->topic : input_files->imapdconf->aps_topic);
	job->topic = registering->topic;
	job->confirmed = job->event->source != EVENT_OF_XAPS;
}

#include "flow/registering.h"

#include "base/mem.h"

#include <string.h>

void registering_fini(struct registering *registering)
{
	free(registering->subscriptions);
	free(registering->names);
	free(registering->topic);
	for (size_t i = 0; i < registering->former_topic_count; i++)
		free(registering->former_topics[i]);
	free(registering->former_topics);
}

/* The topic of now, and those of before that the phone may have been given, if we can push there.
 */
static void prepare_topics(
	struct registering *registering, const struct core *core, struct registry_job *job)
{
	const char *former[FORMER_MAX];
	size_t count = former_topics(core->former, job->received_ms, former);
	registering->topic = mem_dup(former_current(core->former));
	for (size_t i = 0; i < count; i++) {
		if (!sender_has_credential(core->sender, former[i]))
			continue;
		registering->former_topics = mem_realloc_array(registering->former_topics,
			registering->former_topic_count + 1, sizeof(*registering->former_topics));
		registering->former_topics[registering->former_topic_count++] = mem_dup(former[i]);
	}
	job->topic = registering->topic;
	job->former_topics = (const char *const *)registering->former_topics;
	job->former_topic_count = registering->former_topic_count;
}

static size_t mailbox_room(const char *name, const char *user)
{
	return 4 * strlen(name) + strlen(user) + 2;
}

static void prepare_mailboxes(
	struct registering *registering, const struct core *core, struct registry_job *job)
{
	const struct event_registration *sent = &job->event->registration;
	const struct imapdconf *imapdconf = core->input_files->imapdconf;
	struct mailbox_namespace names = imapdconf->names;
	names.is_admins = imapdconf_is_admin(imapdconf, core->config->groups, sent->user);
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
		if (!core->config->shared_mailboxes && strcmp(mailbox.owner, sent->user) != 0)
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

void registering_prepare(
	struct registering *registering, const struct core *core, struct registry_job *job)
{
	prepare_mailboxes(registering, core, job);
	prepare_topics(registering, core, job);
	job->confirmed = true;
}

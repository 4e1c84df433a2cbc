#include "event/relay.h"

#include <stdio.h>
#include <string.h>

static const struct {
	enum event_kind kind;
	enum relay_action action;
} defaults[] = {
	{EVENT_MESSAGE_NEW, RELAY_URGENT},
	{EVENT_MESSAGE_APPEND, RELAY_DEFERRED},
	{EVENT_MESSAGE_COPY, RELAY_DEFERRED},
	{EVENT_MESSAGE_MOVE, RELAY_DEFERRED},
	{EVENT_MESSAGE_EXPUNGE, RELAY_DEFERRED},
	{EVENT_MESSAGE_READ, RELAY_DEFERRED},
	{EVENT_MESSAGE_TRASH, RELAY_DEFERRED},
	{EVENT_MESSAGE_EXPIRE, RELAY_IGNORE},
	{EVENT_FLAGS_SET, RELAY_IGNORE},
	{EVENT_FLAGS_CLEAR, RELAY_IGNORE},
};

#define DEFAULTS (sizeof(defaults) / sizeof(defaults[0]))

const char *relay_action_name(enum relay_action action)
{
	static const char *const names[RELAY_ACTIONS] = {
		"ignore", "urgent", "deferred", "register", "delete", "rename"};
	return names[action];
}

void relay_policy_init(struct relay_policy *policy)
{
	*policy = (struct relay_policy){.of_clears_seen = RELAY_DEFERRED};
	for (unsigned kind = 0; kind < EVENT_KINDS; kind++)
		policy->of[kind] = RELAY_IGNORE;
	for (unsigned i = 0; i < DEFAULTS; i++)
		policy->of[defaults[i].kind] = defaults[i].action;
}

bool relay_policy_set(struct relay_policy *policy, const char *name, enum relay_action action)
{
	if (!strcmp(name, "FlagsClear:Seen")) {
		policy->of_clears_seen = action;
		return true;
	}
	for (unsigned i = 0; i < DEFAULTS; i++) {
		if (!strcmp(name, event_kind_name(defaults[i].kind))) {
			policy->of[defaults[i].kind] = action;
			return true;
		}
	}
	return false;
}

void relay_policy_clear(struct relay_policy *policy, enum relay_action action)
{
	for (unsigned kind = 0; kind < EVENT_KINDS; kind++)
		if (policy->of[kind] == action)
			policy->of[kind] = RELAY_IGNORE;
	if (policy->of_clears_seen == action)
		policy->of_clears_seen = RELAY_IGNORE;
}

static void print_name(char *text, size_t size, const char *name)
{
	size_t used = strlen(text);
	snprintf(text + used, size - used, "%s%s", used ? ", " : "", name);
}

void relay_policy_print(
	const struct relay_policy *policy, enum relay_action action, char *text, size_t size)
{
	*text = '\0';
	for (unsigned i = 0; i < DEFAULTS; i++)
		if (policy->of[defaults[i].kind] == action)
			print_name(text, size, event_kind_name(defaults[i].kind));
	if (policy->of_clears_seen == action)
		print_name(text, size, "FlagsClear:Seen");
}

enum relay_action relay_decide(const struct relay_policy *policy, const struct mail_event *event)
{
	if (event->kind == EVENT_APPLE_PUSH_SERVICE)
		return RELAY_REGISTER;
	if (event->source == EVENT_OF_XAPS)
		return event->kind == EVENT_MESSAGE_NEW ? RELAY_URGENT : RELAY_DEFERRED;
	if (event->mbtype != 'e' || !event->readings)
		return RELAY_IGNORE;
	if (event->kind == EVENT_MAILBOX_DELETE)
		return RELAY_MAILBOX_DELETE;
	if (event->kind == EVENT_MAILBOX_RENAME)
		return event->from_readings ? RELAY_MAILBOX_RENAME : RELAY_IGNORE;
	if (event->kind == EVENT_FLAGS_CLEAR && event->clears_seen)
		return policy->of_clears_seen;
	return policy->of[event->kind];
}

/*
 * relay - decides what follows from an event.
 *
 * Pure.  Which events push, and how soon, are settings (urgent_events, deferred_events); the rest
 * is fixed: registrations, deletes and renames change the registry, events of mailboxes that do not
 * hold mail never push mail.  Dovecot's plugin for xapsd reports what xapsd pushes: new mail is
 * urgent, all else deferred, whatever the settings say.
 */
#ifndef MAILPUSH_EVENT_RELAY_H
#define MAILPUSH_EVENT_RELAY_H

#include "event/event.h"

#include <stdbool.h>
#include <stddef.h>

enum relay_action {
	RELAY_IGNORE,
	RELAY_URGENT,
	RELAY_DEFERRED,
	RELAY_REGISTER,
	RELAY_MAILBOX_DELETE,
	RELAY_MAILBOX_RENAME,
	RELAY_ACTIONS
};

/* What a mail event does, by kind; FlagsClear with and without \Seen are two entries. */
struct relay_policy {
	enum relay_action of[EVENT_KINDS];
	enum relay_action of_clears_seen;
};

const char *relay_action_name(enum relay_action action);

/* The defaults: the table "What follows from an event" in docs/architecture.md. */
void relay_policy_init(struct relay_policy *policy);
/*
 * Sets what events called `name` do: `MessageNew`, ..., or `FlagsClear:Seen`.  False: no such
 * event, or one that cannot push.
 */
bool relay_policy_set(struct relay_policy *policy, const char *name, enum relay_action action);

/* Events that did `action` are ignored from now on. */
void relay_policy_clear(struct relay_policy *policy, enum relay_action action);

/* Writes the names of the events that do `action`, as mailpush.conf would list them. */
void relay_policy_print(
	const struct relay_policy *policy, enum relay_action action, char *text, size_t size);

enum relay_action relay_decide(const struct relay_policy *policy, const struct mail_event *event);

#endif

#include "arrival/event_log.h"

#include "base/log.h"

void event_log_mailbox_change(const struct mailbox *old, bool is_delete)
{
	if (mailbox_is_inbox(old))
		log_seldom(LOG_LEVEL_INFO, "registry", "accounts gone", old->owner,
			"account is gone, its registrations are suspended",
			log_text("owner", old->owner), log_text("folder", old->folder));
	else
		log_event(LOG_LEVEL_DEBUG, "registry",
			is_delete ? "folder is gone, so are its subscriptions"
				  : "folder moved, its subscriptions follow",
			log_text("owner", old->owner), log_text("folder", old->folder));
}

void event_log_came(const struct mail_event *event, enum relay_action action, const char *through)
{
	bool is_registration = event->kind == EVENT_APPLE_PUSH_SERVICE;
	log_event(LOG_LEVEL_DEBUG, "relay", "event came",
		log_text("event", event_kind_name(event->kind)),
		log_text("owner",
			is_registration		  ? event->registration.user
				: event->readings ? event->at[0].owner
						  : ""),
		log_text("folder", event->readings ? event->at[0].folder : ""),
		log_text("by", event->user), log_text("through", through),
		log_text("source", event_source_names[event->source]),
		log_text("action", relay_action_name(action)));
}

void event_log_left_out(const struct event_registration *registration)
{
	log_seldom(LOG_LEVEL_WARN, "event", "registrations that name too much", registration->user,
		"registration names too many mailboxes, or some that do not count; the rest counts",
		log_text("user", registration->user),
		log_number("mailboxes", (int64_t)registration->mailbox_count),
		log_number("left_out", (int64_t)registration->left_out));
}

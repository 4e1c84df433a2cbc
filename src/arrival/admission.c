#include "arrival/admission.h"

#include "arrival/event_log.h"
#include "base/log.h"

#include <errno.h>

/* RELAY_IGNORE in place of a registration that does not concern us. */
static enum relay_action check_registration(
	const struct config *config, const struct event_registration *registration)
{
	if (!config_has_subtopic(config, registration->subtopic)) {
		log_seldom(LOG_LEVEL_WARN, "event", "subtopics not configured", registration->user,
			"registration for a subtopic not configured",
			log_text("user", registration->user),
			log_text("subtopic", registration->subtopic));
		return RELAY_IGNORE;
	}
	if (registration->left_out)
		event_log_left_out(registration);
	return RELAY_REGISTER;
}

int admission_decide(const struct admission_needs *needs, const char *json, size_t size,
	const char *through, bool may_shed, struct mail_event **ret, enum relay_action *ret_action,
	struct err *err)
{
	struct mail_event *event = NULL;
	if (event_parse(&needs->input_files->imapdconf->names, json, size, &event, err))
		return -EBADMSG;
	enum relay_action action = relay_decide(&needs->config->policy, event);
	event_log_came(event, action, through);
	if (action == RELAY_REGISTER)
		action = check_registration(needs->config, &event->registration);
	enum metrics_transport transport = metrics_transport_of(through);
	metrics_event(needs->metrics, event->kind, transport, action);
	observer_event(needs->observer, event, action, transport);
	if (action == RELAY_IGNORE || (may_shed && overload_sheds(needs->overload, action))) {
		event_free(event);
		event = NULL;
	}
	*ret = event;
	*ret_action = action;
	return 0;
}

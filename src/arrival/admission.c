#include "arrival/admission.h"

#include "arrival/event_log.h"
#include "base/log.h"
#include "event/user_site.h"
#include "event/xaps_event.h"
#include "trace/trace_event.h"

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

/* *ret NULL: it asks for the topic. */
static int parse(const struct admission_needs *needs, const struct admission_request *request,
	struct mail_event **ret, struct err *err)
{
	const struct origin *origin = request->origin;
	int failed;
	if (origin->source == EVENT_OF_DOVECOT)
		failed = dovecot_event_parse(
			request->json, request->size, &origin->dovecot, ret, err);
	else if (origin->source == EVENT_OF_XAPS)
		failed = xaps_event_parse(
			request->json, request->size, needs->config->xaps_fold_users, ret, err);
	else
		failed = event_parse(&needs->input_files->imapdconf->names, request->json,
			request->size, ret, err);
	return failed == -EPERM || failed == -ENOENT ? failed : failed ? -EBADMSG : 0;
}

/* From here on users have the names by which they are known. */
static int name_users(
	const struct admission_needs *needs, struct mail_event *event, struct err *err)
{
	const char *site = input_files_dovecot_site(needs->config, needs->input_files);
	int failed = event->source == EVENT_OF_CYRUS ? user_site_guard(site, event, err)
						     : user_site_enter(site, event, err);
	return failed ? -EBADMSG : 0;
}

int admission_decide(const struct admission_needs *needs, const struct admission_request *request,
	struct admission *ret, struct err *err)
{
	struct mail_event *event = NULL;
	int failed = parse(needs, request, &event, err);
	if (failed)
		return failed;
	if (!event) {
		*ret = (struct admission){.told = request->origin->dovecot.topic};
		return 0;
	}
	failed = name_users(needs, event, err);
	if (failed) {
		event_free(event);
		return failed;
	}
	enum relay_action action = relay_decide(&needs->config->policy, event);
	event_log_came(event, action, request->through);
	bool is_registration = action == RELAY_REGISTER;
	if (is_registration) {
		event->registration.is_own_alone |= !needs->config->shared_mailboxes;
		action = check_registration(needs->config, &event->registration);
	}
	enum metrics_transport transport = metrics_transport_of(request->through);
	metrics_event(needs->metrics, event, transport, action);
	observer_event(needs->observer, event, action, transport);
	bool is_shed = action != RELAY_IGNORE && request->may_shed &&
		overload_sheds(needs->overload, action);
	if (action != RELAY_IGNORE && !is_shed) {
		*ret = (struct admission){.event = event, .action = action};
		return 0;
	}
	trace_event_ignored(needs->trace, event, is_shed);
	bool is_promised = is_registration && event->source == EVENT_OF_DOVECOT;
	event_free(event);
	if (is_promised)
		return err_set(err, -ENOTSUP, "phones cannot register here for that subtopic");
	*ret = (struct admission){.action = action};
	return 0;
}

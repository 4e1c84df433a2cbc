#include "xaps/xaps_request.h"

#include "base/mem.h"
#include "event/xaps_event.h"

#include <errno.h>
#include <jansson.h>
#include <string.h>

static bool is_empty(const char *text)
{
	return !text || !*text;
}

static int lacks(const char *what, struct err *err)
{
	return err_set(err, -EINVAL, "%s is missing, empty or no text", what);
}

static bool are_texts(const json_t *list)
{
	for (size_t i = 0; i < json_array_size(list); i++)
		if (!json_is_string(json_array_get(list, i)))
			return false;
	return json_is_array(list);
}

/* Takes `event`. */
static int finish(enum xaps_request_kind kind, char *event, const char *user, const char *topic,
	struct xaps_request *ret, struct err *err)
{
	if (!event)
		return err_set(err, -EINVAL, "a text is not UTF-8");
	*ret = (struct xaps_request){.kind = kind,
		.user = mem_dup(user),
		.topic = topic ? mem_dup(topic) : NULL,
		.event = event};
	return 0;
}

int xaps_request_register(const char *user, const char *token, const char *account_id,
	const char *subtopic, json_t *mailboxes, const struct xaps_topics *topics,
	struct xaps_request *ret, struct err *err)
{
	if (is_empty(user))
		return lacks("the user", err);
	if (is_empty(token))
		return lacks("the device token", err);
	if (is_empty(account_id))
		return lacks("the account id", err);
	if (is_empty(subtopic))
		return lacks("the subtopic", err);
	if (strcmp(subtopic, XAPS_REQUEST_SUBTOPIC) != 0)
		return err_set(err, -EINVAL, "the subtopic is not " XAPS_REQUEST_SUBTOPIC);
	if (!are_texts(mailboxes) || !json_array_size(mailboxes))
		return err_set(
			err, -EINVAL, "the mailboxes are missing, empty or no list of texts");
	const char *topic = topics->of(topics->ctx, user);
	const struct xaps_event_registration registration = {.user = user,
		.token = token,
		.account_id = account_id,
		.subtopic = subtopic,
		.mailboxes = mailboxes,
		.topic = topic};
	return finish(XAPS_REQUEST_REGISTER, xaps_event_write_registration(&registration), user,
		topic, ret, err);
}

/* New mail counts before all else that may have happened with it. */
static const char *first_of(const json_t *events)
{
	for (size_t i = 0; i < json_array_size(events); i++)
		if (!strcmp(json_string_value(json_array_get(events, i)), "MessageNew"))
			return "MessageNew";
	return json_string_value(json_array_get(events, 0));
}

int xaps_request_notify(const char *user, const char *mailbox, const json_t *events,
	struct xaps_request *ret, struct err *err)
{
	if (is_empty(user))
		return lacks("the user", err);
	if (is_empty(mailbox))
		return lacks("the mailbox", err);
	if (!are_texts(events) || !json_array_size(events))
		return err_set(err, -EINVAL, "the events are missing, empty or no list of texts");
	if (strcmp(mailbox, "INBOX") != 0) {
		*ret = (struct xaps_request){.kind = XAPS_REQUEST_NOTHING, .user = mem_dup(user)};
		return 0;
	}
	return finish(XAPS_REQUEST_NOTIFY, xaps_event_write_news(user, first_of(events)), user,
		NULL, ret, err);
}

static json_t *load(const char *json, size_t size, struct err *err)
{
	json_error_t error;
	json_t *root = json_loadb(json, size, 0, &error);
	if (!root)
		err_set(err, -EINVAL, "not JSON at byte %d", error.position);
	return root;
}

/* NULL if it is no text, or holds a NUL. */
static const char *text_of(const json_t *root, const char *key)
{
	return json_string_value(json_object_get(root, key));
}

int xaps_request_parse_register(const char *json, size_t size, const struct xaps_topics *topics,
	struct xaps_request *ret, struct err *err)
{
	json_auto_t *root = load(json, size, err);
	if (!root)
		return -EINVAL;
	return xaps_request_register(text_of(root, "Username"), text_of(root, "ApsDeviceToken"),
		text_of(root, "ApsAccountId"), text_of(root, "ApsSubtopic"),
		json_object_get(root, "Mailboxes"), topics, ret, err);
}

int xaps_request_parse_notify(
	const char *json, size_t size, struct xaps_request *ret, struct err *err)
{
	json_auto_t *root = load(json, size, err);
	if (!root)
		return -EINVAL;
	return xaps_request_notify(text_of(root, "Username"), text_of(root, "Mailbox"),
		json_object_get(root, "Events"), ret, err);
}

void xaps_request_fini(struct xaps_request *request)
{
	free(request->user);
	free(request->topic);
	free(request->event);
	*request = (struct xaps_request){0};
}

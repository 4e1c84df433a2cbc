#include "event/xaps_event.h"

#include "base/mem.h"

#include <errno.h>
#include <string.h>

#define BEGINNING "{\"source\":\"xaps\","
#define REGISTER "Register"
/* Of no namespace: no name begins with a control character. */
#define NO_PREFIX "\001"

/* Those of messages; anything else that Dovecot may say is EVENT_OTHER. */
static enum event_kind kind_of(const char *name)
{
	enum event_kind kind = event_kind_of(name);
	return kind >= EVENT_MESSAGE_NEW && kind <= EVENT_FLAGS_CLEAR ? kind : EVENT_OTHER;
}

char *xaps_event_write_registration(const struct xaps_event_registration *registration)
{
	json_auto_t *json = json_pack("{ss,ss,ss,ss,ss,ss,sO,ss}", "source", "xaps", "event",
		REGISTER, "user", registration->user, "token", registration->token, "account_id",
		registration->account_id, "subtopic", registration->subtopic, "mailboxes",
		registration->mailboxes, "topic", registration->topic);
	return json ? json_dumps(json, JSON_COMPACT) : NULL;
}

char *xaps_event_write_news(const char *user, const char *name)
{
	json_auto_t *json = json_pack("{ss,ss,ss}", "source", "xaps", "event",
		event_kind_name(kind_of(name)), "user", user);
	return json ? json_dumps(json, JSON_COMPACT) : NULL;
}

bool xaps_event_is(const char *json, size_t size)
{
	size_t beginning = sizeof(BEGINNING) - 1;
	return size > beginning && !memcmp(json, BEGINNING, beginning);
}

struct mailbox_namespace xaps_event_names(bool folds_users)
{
	return (struct mailbox_namespace){.altnamespace = true,
		.unixhierarchysep = true,
		.defaultdomain = "",
		.userprefix = NO_PREFIX,
		.sharedprefix = NO_PREFIX,
		.keeps_case = !folds_users};
}

/* Anything but nothing and control characters. */
static bool is_name(const char *text)
{
	for (const char *c = text; *c; c++)
		if ((unsigned char)*c < 0x20 || *c == 0x7f)
			return false;
	return *text;
}

static int read_news(const struct mailbox_namespace *names, const json_t *root, const char *name,
	struct mail_event **ret, struct err *err)
{
	const json_t *value = json_object_get(root, "user");
	const char *user = json_string_value(value);
	size_t size = json_string_length(value);
	if (!user || !is_name(user))
		return err_set(err, -EINVAL, "%s: user is not a user", name);
	if (size > MAILBOX_USER_MAX)
		return err_set(err, -EMSGSIZE, "%s: user has %zu bytes, at most %d are allowed",
			name, size, MAILBOX_USER_MAX);
	struct mail_event *event = mem_alloc(sizeof(*event) + size + 1);
	char *owner = (char *)(event + 1);
	mailbox_owner_of_user(names, user, owner);
	*event = (struct mail_event){.source = EVENT_OF_XAPS,
		.kind = kind_of(name),
		.mbtype = 'e',
		.at = {{.owner = owner, .folder = ""}},
		.readings = 1,
		.user = owner};
	*ret = event;
	return 0;
}

int xaps_event_parse(
	const char *json, size_t size, bool folds_users, struct mail_event **ret, struct err *err)
{
	const struct mailbox_namespace names = xaps_event_names(folds_users);
	json_error_t error;
	json_auto_t *root = json_loadb(json, size, 0, &error);
	const char *name = json_string_value(json_object_get(root, "event"));
	if (!name)
		return err_set(err, -EINVAL, "not an event of xaps");
	if (strcmp(name, REGISTER) != 0)
		return read_news(&names, root, name, ret, err);
	int failed = event_from_registration(
		&names, root, json_string_value(json_object_get(root, "topic")), ret, err);
	if (!failed)
		(*ret)->source = EVENT_OF_XAPS;
	return failed;
}

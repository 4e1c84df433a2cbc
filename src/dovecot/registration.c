#include "dovecot/registration.h"

#include "event/bounds.h"

#include <imap-arg.h>
#include <strnum.h>

static const char *read_value(struct registration *registration, const char *key,
	const struct imap_arg *arg, const char **ret_version)
{
	const struct {
		const char *key;
		const char **place;
	} strings[] = {
		{"aps-version", ret_version},
		{"aps-account-id", &registration->account_id},
		{"aps-device-token", &registration->device_token},
		{"aps-subtopic", &registration->subtopic},
	};
	for (size_t i = 0; i < N_ELEMENTS(strings); i++)
		if (!strcasecmp(key, strings[i].key) &&
			!imap_arg_get_astring(arg, strings[i].place))
			return t_strdup_printf(
				"BAD The value of %s is not a string", strings[i].key);
	if (!strcasecmp(key, "mailboxes") && !imap_arg_get_list(arg, &registration->mailboxes))
		return "BAD The value of mailboxes is not a list";
	return NULL;
}

static bool is_made_of(const char *text, const char *characters, size_t least, size_t most)
{
	size_t size = strlen(text);
	return size >= least && size <= most && strspn(text, characters) == size;
}

#define DIGITS "0123456789"
#define LETTERS "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ"

static const char *check(const struct registration *registration)
{
	if (!registration->account_id)
		return "NO aps-account-id is missing";
	if (!registration->device_token)
		return "NO aps-device-token is missing";
	if (!registration->subtopic)
		return "NO aps-subtopic is missing";
	if (!is_made_of(registration->account_id, LETTERS DIGITS "-", 1, EVENT_ACCOUNT_ID_MAX))
		return "NO aps-account-id is not 1 to 64 of A-Z a-z 0-9 -";
	if (!is_made_of(registration->device_token, DIGITS "abcdefABCDEF", EVENT_TOKEN_MIN,
		    EVENT_TOKEN_MAX))
		return "NO aps-device-token is not 64 to 200 hex digits";
	if (!is_made_of(registration->subtopic, LETTERS DIGITS ".-_", 1, EVENT_SUBTOPIC_MAX))
		return "NO aps-subtopic is not the name of a topic";
	return NULL;
}

static const char *check_mailboxes(const struct imap_arg *mailboxes)
{
	const char *name;
	for (; mailboxes && !IMAP_ARG_IS_EOL(mailboxes); mailboxes++)
		if (!imap_arg_get_astring(mailboxes, &name))
			return "BAD The name of a mailbox is not a string";
	return NULL;
}

bool registration_read(
	const struct imap_arg *args, struct registration *ret, const char **ret_error)
{
	struct registration registration = {0};
	const char *version = "2";
	*ret_error = NULL;
	for (; !IMAP_ARG_IS_EOL(args) && !*ret_error; args += 2) {
		const char *key;
		if (!imap_arg_get_astring(args, &key))
			*ret_error = "BAD A key is not a string";
		else if (IMAP_ARG_IS_EOL(args + 1))
			*ret_error = "BAD The last key has no value";
		else
			*ret_error = read_value(&registration, key, args + 1, &version);
	}
	if (!*ret_error && !is_made_of(version, DIGITS, 1, 9))
		*ret_error = "BAD aps-version is not a number";
	if (!*ret_error)
		*ret_error = check_mailboxes(registration.mailboxes);
	if (!*ret_error)
		*ret_error = check(&registration);
	if (*ret_error)
		return false;
	unsigned number;
	registration.version = !str_to_uint(version, &number) && number == 1 ? 1 : 2;
	*ret = registration;
	return true;
}

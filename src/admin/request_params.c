#include "admin/request_params.h"

#include "base/units.h"
#include "base/utf8.h"

#include <errno.h>
#include <string.h>

#define AT(member) offsetof(struct request_params, member)

static const struct {
	const char *name;
	bool is_text;
	size_t offset;
} members[] = {
	{"user", true, AT(user)},
	{"mailbox", true, AT(mailbox)},
	{"level", true, AT(level)},
	{"all", false, AT(all)},
	{"online", false, AT(online)},
};

#define MEMBERS (sizeof(members) / sizeof(members[0]))

static int take(
	struct request_params *params, const char *name, const json_t *value, struct err *err)
{
	for (size_t i = 0; i < MEMBERS; i++) {
		if (strcmp(members[i].name, name) != 0)
			continue;
		void *at = (char *)params + members[i].offset;
		if (members[i].is_text) {
			const char *text = json_string_value(value);
			if (!text || strlen(text) > REQUEST_PARAMS_TEXT_MAX)
				return err_set(err, -EINVAL,
					"'%s' must be a string of at most %d bytes", name,
					REQUEST_PARAMS_TEXT_MAX);
			*(const char **)at = text;
			return 0;
		}
		if (!json_is_boolean(value))
			return err_set(err, -EINVAL, "'%s' must be true or false", name);
		*(bool *)at = json_is_true(value);
		return 0;
	}
	return err_set(err, -EINVAL, "'%.40s' is not known", name);
}

int request_params_parse(const char *body, size_t size, struct request_params *ret, struct err *err)
{
	*ret = (struct request_params){.user = "", .mailbox = "", .level = ""};
	json_error_t error;
	ret->json = size ? json_loadb(body, size, JSON_REJECT_DUPLICATES, &error) : json_object();
	if (!json_is_object(ret->json))
		return err_set(err, -EINVAL, "the body must be one JSON object");
	const char *name;
	json_t *value;
	json_object_foreach(ret->json, name, value)
	{
		int failed = take(ret, name, value, err);
		if (failed)
			return failed;
	}
	return 0;
}

void request_params_fini(struct request_params *params)
{
	json_decref(params->json);
	params->json = NULL;
}

bool request_params_number(const char *text, int64_t least, int64_t most, int64_t *ret)
{
	int64_t number;
	if (!text)
		return true;
	if (!units_parse_number(text, &number) || number < least || number > most)
		return false;
	*ret = number;
	return true;
}

static int digit(char c)
{
	if (c >= '0' && c <= '9')
		return c - '0';
	return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

bool request_params_key(const char *text, struct registry_key *ret)
{
	struct registry_key key;
	if (!text)
		return true;
	if (strlen(text) != 2 * sizeof(key.bytes))
		return false;
	for (size_t i = 0; i < sizeof(key.bytes); i++) {
		int high = digit(text[2 * i]);
		int low = digit(text[2 * i + 1]);
		if (high < 0 || low < 0)
			return false;
		key.bytes[i] = (uint8_t)(high << 4 | low);
	}
	*ret = key;
	return true;
}

bool request_params_text(const char *text, const char **ret)
{
	if (!text)
		return true;
	size_t size = strlen(text);
	if (size > REQUEST_PARAMS_TEXT_MAX || !utf8_is_valid(text, size))
		return false;
	*ret = text;
	return true;
}

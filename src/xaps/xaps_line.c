#include "xaps/xaps_line.h"

#include "base/buf.h"
#include "base/mem.h"

#include <errno.h>
#include <jansson.h>
#include <string.h>

#define SPACE " "
#define TAB "\t"

/* What is left of the line. */
struct rest {
	const char *at;
	const char *end;
};

static bool take(struct rest *rest, char c)
{
	if (rest->at == rest->end || *rest->at != c)
		return false;
	rest->at++;
	return true;
}

/* Up to `stop`, which is taken too.  NULL: it is not there. */
static char *take_word(struct rest *rest, char stop)
{
	const char *end = memchr(rest->at, stop, (size_t)(rest->end - rest->at));
	if (!end)
		return NULL;
	char *word = mem_dup_n(rest->at, (size_t)(end - rest->at));
	rest->at = end + 1;
	return word;
}

/* NULL: it is none, or not UTF-8. */
static json_t *take_text(struct rest *rest)
{
	buf_auto struct buf text;
	buf_init(&text);
	if (!take(rest, '"'))
		return NULL;
	while (rest->at < rest->end && *rest->at != '"') {
		if (*rest->at == '\\' && ++rest->at == rest->end)
			return NULL;
		buf_append(&text, rest->at++, 1);
	}
	if (!take(rest, '"') || memchr(buf_text(&text), '\0', text.used))
		return NULL;
	return json_string(buf_text(&text));
}

static json_t *take_list(struct rest *rest)
{
	json_auto_t *list = json_array();
	if (take(rest, ')'))
		return mem_steal(list);
	do {
		json_t *text = take_text(rest);
		if (!text || json_array_append_new(list, text))
			return NULL;
	} while (take(rest, ','));
	return take(rest, ')') ? mem_steal(list) : NULL;
}

static int take_pair(struct rest *rest, json_t *pairs, struct err *err)
{
	mem_auto char *key = take_word(rest, '=');
	if (!key)
		return err_set(err, -EINVAL, "a key without a value");
	json_t *value = take(rest, '(') ? take_list(rest) : take_text(rest);
	if (!value)
		return err_set(err, -EINVAL,
			"a value that is neither a text in quotes nor a list of them");
	/* All keys of the protocol are UTF-8. */
	json_object_set_new(pairs, key, value);
	return 0;
}

static int take_pairs(struct rest *rest, json_t *pairs, struct err *err)
{
	int failed;
	do {
		failed = take_pair(rest, pairs, err);
	} while (!failed && take(rest, *TAB));
	if (!failed && rest->at != rest->end)
		failed = err_set(err, -EINVAL, "a value is followed by something else than a tab");
	return failed;
}

static const char *text_of(const json_t *pairs, const char *key)
{
	return json_string_value(json_object_get(pairs, key));
}

static int read_register(const json_t *pairs, const struct xaps_topics *topics,
	struct xaps_request *ret, struct err *err)
{
	return xaps_request_register(text_of(pairs, "dovecot-username"),
		text_of(pairs, "aps-device-token"), text_of(pairs, "aps-account-id"),
		text_of(pairs, "aps-subtopic"), json_object_get(pairs, "dovecot-mailboxes"), topics,
		ret, err);
}

static int read_notify(const json_t *pairs, struct xaps_request *ret, struct err *err)
{
	json_auto_t *new_mail = json_pack("[s]", "MessageNew");
	const json_t *events = json_object_get(pairs, "events");
	return xaps_request_notify(text_of(pairs, "dovecot-username"),
		text_of(pairs, "dovecot-mailbox"), events ? events : new_mail, ret, err);
}

int xaps_line_parse(const char *line, size_t size, const struct xaps_topics *topics,
	struct xaps_request *ret, struct err *err)
{
	struct rest rest = {line, line + size};
	mem_auto char *verb = take_word(&rest, *SPACE);
	json_auto_t *pairs = json_object();
	bool is_register = verb && !strcmp(verb, "REGISTER");
	if (!is_register && (!verb || strcmp(verb, "NOTIFY") != 0))
		return err_set(err, -EINVAL, "the line begins with neither REGISTER nor NOTIFY");
	int failed = take_pairs(&rest, pairs, err);
	if (failed)
		return failed;
	return is_register ? read_register(pairs, topics, ret, err) : read_notify(pairs, ret, err);
}

#include "event/event.h"

#include "base/mem.h"
#include "event/acl.h"
#include "event/field.h"
#include "event/flat.h"

#include <assert.h>
#include <errno.h>
#include <jansson.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>

/* The JSON, read by flat or by jansson. */
struct source {
	const struct flat *flat; /* NULL: root has it */
	const json_t *root;
};

/* How the members of a registration are called. */
struct registration_keys {
	const char *token;
	const char *account_id;
	const char *subtopic;
	const char *version;
};

static const struct registration_keys cyrus_keys = {
	"apsDeviceToken", "apsAccountId", "apsSubtopic", "apsVersion"};
static const struct registration_keys plain_keys = {"token", "account_id", "subtopic", "version"};

/* The event, validated and borrowed from the JSON; then it is copied in one piece. */
struct found {
	bool is_plain; /* does not come from Cyrus */
	enum event_kind kind;
	bool clears_seen;
	char mbtype;
	struct field uri;
	struct field old_uri;
	struct field mailbox_id;
	struct field acl;
	struct field user;

	struct field token;
	struct field account_id;
	struct field subtopic;
	struct field topic;
	int aps_version;
	struct field *mailboxes; /* owned */
	size_t mailbox_count;
	size_t left_out;
};

static void found_fini(struct found *found)
{
	free(found->mailboxes);
}

/* The most frequent ones first: it is searched from the top. */
static const struct {
	const char *name;
	enum event_kind kind;
} kinds[] = {
	{"MessageNew", EVENT_MESSAGE_NEW},
	{"MailboxModseq", EVENT_MAILBOX_MODSEQ},
	{"MessageRead", EVENT_MESSAGE_READ},
	{"MessageAppend", EVENT_MESSAGE_APPEND},
	{"MessageMove", EVENT_MESSAGE_MOVE},
	{"MessageExpunge", EVENT_MESSAGE_EXPUNGE},
	{"FlagsSet", EVENT_FLAGS_SET},
	{"FlagsClear", EVENT_FLAGS_CLEAR},
	{"MessageTrash", EVENT_MESSAGE_TRASH},
	{"MessageCopy", EVENT_MESSAGE_COPY},
	{"MessageExpire", EVENT_MESSAGE_EXPIRE},
	{"ApplePushService", EVENT_APPLE_PUSH_SERVICE},
	{"ApplePushServiceDAV", EVENT_APPLE_PUSH_SERVICE_DAV},
	{"MailboxCreate", EVENT_MAILBOX_CREATE},
	{"MailboxDelete", EVENT_MAILBOX_DELETE},
	{"MailboxRename", EVENT_MAILBOX_RENAME},
	{"AclChange", EVENT_ACL_CHANGE},
};
#define KIND_COUNT (sizeof(kinds) / sizeof(kinds[0]))
static_assert(KIND_COUNT == EVENT_KINDS - 1, "every kind but EVENT_OTHER has a name");

const char *const event_source_names[EVENT_SOURCES] = {"cyrus", "xaps", "dovecot"};

const char *event_kind_name(enum event_kind kind)
{
	for (size_t i = 0; i < KIND_COUNT; i++)
		if (kinds[i].kind == kind)
			return kinds[i].name;
	return "other";
}

enum event_kind event_kind_of(const char *name)
{
	static const char vendor[] = "vnd.cmu.";
	if (strncmp(name, vendor, sizeof(vendor) - 1) == 0)
		name += sizeof(vendor) - 1;
	for (size_t i = 0; i < KIND_COUNT; i++)
		if (strcmp(name, kinds[i].name) == 0)
			return kinds[i].kind;
	return EVENT_OTHER;
}

static const char *subject(const struct found *found)
{
	return found->is_plain ? "registration" : event_kind_name(found->kind);
}

static int bad_value(const struct found *found, const char *key, struct field value,
	const char *what, struct err *err)
{
	char quoted[FIELD_QUOTE_SIZE];
	return err_set(err, -EINVAL, "%s: %s is not %s: '%s' (%zu bytes)", subject(found), key,
		what, field_quote(value, quoted), value.size);
}

static int too_long(
	const struct found *found, const char *key, size_t size, size_t max, struct err *err)
{
	return err_set(err, -EMSGSIZE, "%s: %s has %zu bytes, at most %zu are allowed",
		subject(found), key, size, max);
}

/* Is the key present?  ret->bytes is NULL if not, or if its value is not a string. */
static bool look_up(const struct source *source, const char *key, struct field *ret)
{
	if (source->flat) {
		const struct flat_member *member = flat_get(source->flat, key);
		*ret = member ? (struct field){member->text, member->size} : (struct field){0};
		return member;
	}
	const json_t *value = json_object_get(source->root, key);
	*ret = (struct field){json_string_value(value), json_string_length(value)};
	return value;
}

/* Absent is fine: then ret->bytes is NULL. */
static int get_text(const struct found *found, const struct source *source, const char *key,
	struct field *ret, struct err *err)
{
	struct field text;
	if (look_up(source, key, &text) && !text.bytes)
		return err_set(err, -EINVAL, "%s: %s is not a string", subject(found), key);
	*ret = text;
	return 0;
}

static int require_text(const struct found *found, const struct source *source, const char *key,
	size_t max, struct field *ret, struct err *err)
{
	struct field text;
	int r = get_text(found, source, key, &text, err);
	if (r < 0)
		return r;
	if (!text.bytes)
		return err_set(err, -EINVAL, "%s: the key %s is missing", subject(found), key);
	if (text.size > max)
		return too_long(found, key, text.size, max, err);
	*ret = text;
	return 0;
}

static bool is_inbox(const json_t *value)
{
	const char *name = json_string_value(value);
	return name && strcasecmp(name, "INBOX") == 0;
}

static int find_mailboxes(struct found *found, const json_t *root, struct err *err)
{
	static const char key[] = "mailboxes";
	const json_t *list = json_object_get(root, key);
	if (!json_is_array(list))
		return err_set(err, -EINVAL, "%s: %s is %s", subject(found), key,
			list ? "not a list" : "missing");
	size_t count = json_array_size(list);
	size_t inbox = 0;
	while (inbox < count && !is_inbox(json_array_get(list, inbox)))
		inbox++;

	size_t room = count < EVENT_MAILBOXES_MAX ? count : EVENT_MAILBOXES_MAX;
	found->mailboxes = mem_alloc_zero(room, sizeof(*found->mailboxes));
	json_auto_t *seen = json_object();
	for (size_t i = 0; i < count; i++) {
		const json_t *value = json_array_get(list, i);
		struct field name = {json_string_value(value), json_string_length(value)};
		if (!field_is_name(name))
			return bad_value(found, key, name, "a list of mailbox names", err);
		if (json_object_get(seen, name.bytes))
			continue;
		/* A place is kept for INBOX, wherever it is in the list. */
		size_t kept_free = inbox > i && inbox < count;
		if (name.size > MAILBOX_NAME_MAX || found->mailbox_count + kept_free == room) {
			found->left_out++;
			continue;
		}
		if (json_object_set_new_nocheck(seen, name.bytes, json_true()) < 0)
			abort(); /* out of memory */
		found->mailboxes[found->mailbox_count++] = name;
	}
	return 0;
}

static int find_registration(struct found *found, const struct source *source,
	const struct registration_keys *keys, struct err *err)
{
	const json_t *root = source->root;
	int r;
	if ((r = require_text(found, source, "user", MAILBOX_USER_MAX, &found->user, err)) < 0)
		return r;
	if (!field_is_name(found->user))
		return bad_value(found, "user", found->user, "a user", err);

	struct field *token = &found->token;
	if ((r = require_text(found, source, keys->token, EVENT_JSON_MAX, token, err)) < 0)
		return r;
	if (!field_is_token(*token))
		return bad_value(found, keys->token, *token, "64 to 200 hex digits", err);

	struct field *id = &found->account_id;
	if ((r = require_text(found, source, keys->account_id, EVENT_JSON_MAX, id, err)) < 0)
		return r;
	if (!field_is_account_id(*id))
		return bad_value(found, keys->account_id, *id, "1 to 64 of A-Z a-z 0-9 -", err);

	struct field *subtopic = &found->subtopic;
	if ((r = require_text(found, source, keys->subtopic, EVENT_SUBTOPIC_MAX, subtopic, err)) <
		0)
		return r;
	if (!field_is_subtopic(*subtopic))
		return bad_value(found, keys->subtopic, *subtopic, "a topic's name", err);

	const json_t *version = json_object_get(root, keys->version);
	if (version && !json_is_integer(version))
		return err_set(
			err, -EINVAL, "%s: %s is not a number", subject(found), keys->version);
	/* What Cyrus tells the phone: anything but 1 is 2. */
	found->aps_version = version && json_integer_value(version) == 1 ? 1 : 2;

	return find_mailboxes(found, root, err);
}

static bool has_flag(const char *flags, const char *flag)
{
	size_t size = strlen(flag);
	while (*flags) {
		size_t n = strcspn(flags, " ");
		if (n == size && strncasecmp(flags, flag, n) == 0)
			return true;
		flags += n;
		flags += strspn(flags, " ");
	}
	return false;
}

static int find_mailbox_event(struct found *found, const struct source *source, struct err *err)
{
	int r;
	if ((r = require_text(found, source, "uri", EVENT_URI_MAX, &found->uri, err)) < 0)
		return r;
	if (found->kind == EVENT_MAILBOX_RENAME &&
		(r = require_text(
			 found, source, "oldMailboxID", EVENT_URI_MAX, &found->old_uri, err)) < 0)
		return r;

	if ((r = get_text(found, source, "vnd.cmu.mailboxACL", &found->acl, err)) < 0)
		return r;
	if (found->acl.size > EVENT_ACL_MAX)
		found->acl = (struct field){0};

	if ((r = get_text(found, source, "mailboxID", &found->mailbox_id, err)) < 0)
		return r;
	if (found->mailbox_id.size > EVENT_MAILBOX_ID_MAX)
		found->mailbox_id = (struct field){0};

	struct field mbtype;
	if ((r = get_text(found, source, "vnd.cmu.mbtype", &mbtype, err)) < 0)
		return r;
	if (mbtype.size)
		found->mbtype = mbtype.bytes[0];

	if (found->kind == EVENT_FLAGS_CLEAR) {
		struct field flags;
		if ((r = require_text(found, source, "flagNames", EVENT_JSON_MAX, &flags, err)) < 0)
			return r;
		found->clears_seen = has_flag(flags.bytes, "\\Seen");
	}

	if ((r = get_text(found, source, "user", &found->user, err)) < 0)
		return r;
	if (found->user.size > MAILBOX_USER_MAX)
		found->user = (struct field){0};
	return 0;
}

static int find(struct found *found, const struct source *source, struct err *err)
{
	switch (found->kind) {
	case EVENT_OTHER:
	case EVENT_MAILBOX_MODSEQ:
	case EVENT_APPLE_PUSH_SERVICE_DAV:
		return 0;
	case EVENT_APPLE_PUSH_SERVICE:
		return find_registration(found, source, &cyrus_keys, err);
	default:
		return find_mailbox_event(found, source, err);
	}
}

/* Takes `size` bytes off the front of what was allocated in one piece. */
static char *take(char **memory, size_t size)
{
	char *taken = *memory;
	*memory += size;
	return taken;
}

static const char *take_copy(char **memory, struct field text)
{
	return memcpy(take(memory, text.size + 1), text.bytes, text.size + 1);
}

static size_t uri_memory(struct field uri)
{
	return uri.bytes ? 2 * (uri.size + 1) : 0;
}

static size_t build_size(const struct found *found)
{
	size_t size = sizeof(struct mail_event) + found->mailbox_count * sizeof(char *) +
		uri_memory(found->uri) + uri_memory(found->old_uri) + found->mailbox_id.size + 1 +
		found->acl.size + 1 + found->user.size + 1 + found->token.size + 1 +
		found->account_id.size + 1 + found->subtopic.size + 1 + found->topic.size + 1;
	for (size_t i = 0; i < found->mailbox_count; i++)
		size += found->mailboxes[i].size + 1;
	return size;
}

static struct event_registration build_registration(const struct mailbox_namespace *names,
	const struct found *found, const char **mailboxes, char **memory)
{
	char *user = take(memory, found->user.size + 1);
	mailbox_owner_of_user(names, found->user.bytes, user);
	char *token = take(memory, found->token.size + 1);
	memcpy(token, found->token.bytes, found->token.size + 1);
	field_lower(token);
	for (size_t i = 0; i < found->mailbox_count; i++)
		mailboxes[i] = take_copy(memory, found->mailboxes[i]);
	return (struct event_registration){
		.user = user,
		.token = token,
		.account_id = take_copy(memory, found->account_id),
		.subtopic = take_copy(memory, found->subtopic),
		.aps_version = found->aps_version,
		.mailboxes = mailboxes,
		.mailbox_count = found->mailbox_count,
		.left_out = found->left_out,
		.topic = found->topic.bytes ? take_copy(memory, found->topic) : NULL,
	};
}

static struct mail_event *build(const struct mailbox_namespace *names, const struct found *found)
{
	size_t size = build_size(found);
	struct mail_event *event = mem_alloc(size);
	char *memory = (char *)(event + 1);
	*event = (struct mail_event){
		.kind = found->kind,
		.clears_seen = found->clears_seen,
		.mbtype = found->mbtype,
		.user = "",
	};
	if (found->kind == EVENT_APPLE_PUSH_SERVICE) {
		const char **mailboxes =
			(void *)take(&memory, found->mailbox_count * sizeof(*mailboxes));
		event->registration = build_registration(names, found, mailboxes, &memory);
		event->user = event->registration.user;
	} else if (found->user.bytes) {
		event->user = take_copy(&memory, found->user);
	}
	if (found->mailbox_id.size)
		event->mailbox_id = take_copy(&memory, found->mailbox_id);
	if (found->acl.bytes)
		event->acl = take_copy(&memory, found->acl);
	if (found->uri.bytes)
		event->readings = mailbox_from_uri(names, found->uri.bytes, found->uri.size,
			take(&memory, uri_memory(found->uri)), event->at);
	if (found->old_uri.bytes)
		event->from_readings =
			mailbox_from_uri(names, found->old_uri.bytes, found->old_uri.size,
				take(&memory, uri_memory(found->old_uri)), event->from);
	assert(memory <= (char *)event + size);
	return event;
}

static int bad_json(const json_error_t *error, struct err *err)
{
	/* jansson quotes up to 20 bytes of what came, as they are. */
	char text[JSON_ERROR_TEXT_LENGTH];
	size_t i = 0;
	for (; error->text[i]; i++) {
		bool is_plain = error->text[i] >= 0x20 && error->text[i] < 0x7f;
		text[i] = is_plain ? error->text[i] : '?';
	}
	text[i] = '\0';
	return err_set(err, -EINVAL, "not JSON at byte %d: %s", error->position, text);
}

static bool begins_as_modseq(const char *json, size_t size)
{
	static const char beginning[] = "{\"event\":\"MailboxModseq\",";
	return size >= sizeof(beginning) - 1 && memcmp(json, beginning, sizeof(beginning) - 1) == 0;
}

int event_parse(const struct mailbox_namespace *names, const char *json, size_t size,
	struct mail_event **ret, struct err *err)
{
	__attribute__((cleanup(found_fini))) struct found found = {.mbtype = 'e'};
	if (size > EVENT_JSON_MAX)
		return err_set(err, -EMSGSIZE, "an event of %zu bytes, at most %d are allowed",
			size, EVENT_JSON_MAX);
	if (begins_as_modseq(json, size)) {
		found.kind = EVENT_MAILBOX_MODSEQ;
		*ret = build(names, &found);
		return 0;
	}

	struct flat flat;
	struct source source = {0};
	struct field name = {0};
	if (flat_read(json, size, &flat)) {
		source.flat = &flat;
		look_up(&source, "event", &name);
	}
	/* A registration has a list, which is not flat. */
	json_auto_t *root = NULL;
	if (!name.bytes || event_kind_of(name.bytes) == EVENT_APPLE_PUSH_SERVICE) {
		json_error_t error;
		root = json_loadb(json, size, 0, &error);
		if (!root)
			return bad_json(&error, err);
		source = (struct source){.root = root};
		look_up(&source, "event", &name);
	}
	if (!name.bytes)
		return err_set(err, -EINVAL, "an event without a name: %s",
			json_is_object(root) ? "the key 'event' is missing or not a string"
					     : "not a JSON object");
	found.kind = event_kind_of(name.bytes);
	int r = find(&found, &source, err);
	if (r < 0)
		return r;
	*ret = build(names, &found);
	return 0;
}

int event_from_registration(const struct mailbox_namespace *names, const json_t *json,
	const char *topic, struct mail_event **ret, struct err *err)
{
	__attribute__((cleanup(found_fini))) struct found found = {.is_plain = true,
		.kind = EVENT_APPLE_PUSH_SERVICE,
		.mbtype = 'e',
		.topic = {topic, topic ? strlen(topic) : 0}};
	const struct source source = {.root = json};
	int failed = find_registration(&found, &source, &plain_keys, err);
	if (!failed)
		*ret = build(names, &found);
	return failed;
}

bool event_is_believed(
	const struct mail_event *event, const struct mailbox *readings, unsigned count, unsigned i)
{
	if (count == 1)
		return true;
	if (!event->acl || !*readings[i].owner)
		return i == 0;
	return acl_grants(event->acl, NULL, readings[i].owner, 'r');
}

static int compare_names(const void *one, const void *other)
{
	return strcmp(*(const char *const *)one, *(const char *const *)other);
}

bool event_lets_read(const struct mail_event *event, const struct groups *groups, const char *user)
{
	if (event->source != EVENT_OF_DOVECOT)
		return acl_grants(event->acl, groups, user, 'r');
	return !event->readers ||
		bsearch(&user, event->readers, event->reader_count, sizeof(*event->readers),
			compare_names);
}

const char *event_registration_answer(const struct event_registration *registration)
{
	bool is_told = registration->topic_own && registration->is_own_alone;
	return is_told ? registration->topic_own : registration->topic;
}

void event_free(struct mail_event *event)
{
	if (event)
		free(event->site_names);
	free(event);
}

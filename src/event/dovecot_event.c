#include "event/dovecot_event.h"

#include "base/mem.h"
#include "event/field.h"

#include <assert.h>
#include <errno.h>
#include <jansson.h>
#include <string.h>
#include <strings.h>

#define OWN " own"

/* One request, while it is read. */
struct reading {
	const json_t *root;
	const char *name; /* of the event */
	const struct dovecot_sender *sender;
	struct mail_event *event;
	char *memory; /* of the event, for texts: it has room for all texts of the JSON */
	struct err *err;
};

/* Those of messages and of mailboxes. */
static enum event_kind kind_of(const char *name)
{
	enum event_kind kind = event_kind_of(name);
	if (kind >= EVENT_MESSAGE_NEW && kind <= EVENT_MAILBOX_RENAME)
		return kind;
	return strcmp(name, "Register") == 0 ? EVENT_APPLE_PUSH_SERVICE : EVENT_OTHER;
}

static int bad_value(
	const struct reading *reading, const char *key, struct field value, const char *what)
{
	char quoted[FIELD_QUOTE_SIZE];
	return err_set(reading->err, -EINVAL, "%s: %s is not %s: '%s' (%zu bytes)", reading->name,
		key, what, field_quote(value, quoted), value.size);
}

static int get_string(
	const struct reading *reading, const json_t *object, const char *key, struct field *ret)
{
	const json_t *value = json_object_get(object, key);
	struct field text = {json_string_value(value), json_string_length(value)};
	if (!text.bytes)
		return err_set(reading->err, -EINVAL, "%s: %s is %s", reading->name, key,
			value ? "not a string" : "missing");
	*ret = text;
	return 0;
}

static int get_text(const struct reading *reading, const json_t *object, const char *key,
	size_t max, struct field *ret)
{
	struct field text = {0};
	int failed = get_string(reading, object, key, &text);
	if (failed)
		return failed;
	if (text.size > max)
		return err_set(reading->err, -EMSGSIZE,
			"%s: %s has %zu bytes, at most %zu are allowed", reading->name, key,
			text.size, max);
	*ret = text;
	return 0;
}

static char *take_copy(struct reading *reading, struct field text)
{
	char *copy = memcpy(reading->memory, text.bytes, text.size + 1);
	reading->memory += text.size + 1;
	return copy;
}

/* In the form that mailboxes use. */
static const char *take_user(struct reading *reading, struct field text)
{
	char *user = take_copy(reading, text);
	field_lower(user);
	return user;
}

/*
 * The speaker as the system calls him: a name with capitals is nobody's here, as it would be
 * another user's in lower case.
 */
static bool may_speak_for(const struct reading *reading, const char *user)
{
	const char *speaker = reading->sender->speaker;
	return !speaker || strcmp(speaker, user) == 0;
}

static int refuse_user(const struct reading *reading, const char *key)
{
	return err_set(
		reading->err, -EPERM, "not allowed for this user (%s: %s)", reading->name, key);
}

static int read_user(struct reading *reading)
{
	struct field text;
	int failed = get_text(reading, reading->root, "user", MAILBOX_USER_MAX, &text);
	if (failed)
		return failed;
	if (!field_is_name(text))
		return bad_value(reading, "user", text, "a user");
	reading->event->user = take_user(reading, text);
	return may_speak_for(reading, reading->event->user) ? 0 : refuse_user(reading, "user");
}

static struct mailbox take_mailbox(struct reading *reading, struct field owner, struct field folder)
{
	return (struct mailbox){
		.owner = take_user(reading, owner), .folder = take_copy(reading, folder)};
}

static int read_own_mailbox(
	struct reading *reading, const char *owner_key, const char *folder_key, struct mailbox *ret)
{
	struct field owner, folder;
	int r;
	if ((r = get_text(reading, reading->root, owner_key, MAILBOX_USER_MAX, &owner)) < 0 ||
		(r = get_text(reading, reading->root, folder_key, MAILBOX_NAME_MAX, &folder)) < 0)
		return r;
	if (owner.size && !field_is_name(owner))
		return bad_value(reading, owner_key, owner, "a user, or empty");
	if (folder.size && !field_is_name(folder))
		return bad_value(reading, folder_key, folder, "a folder, or empty");
	if (!owner.size && !folder.size)
		return err_set(reading->err, -EINVAL, "%s: %s and %s are both empty", reading->name,
			owner_key, folder_key);
	*ret = take_mailbox(reading, owner, folder);
	return may_speak_for(reading, ret->owner) ? 0 : refuse_user(reading, owner_key);
}

static bool is_guid(struct field text)
{
	return text.size == DOVECOT_EVENT_GUID_SIZE &&
		strspn(text.bytes, "0123456789abcdefABCDEF") == text.size;
}

/* May be absent. */
static int read_guid(struct reading *reading)
{
	struct field text;
	if (!json_object_get(reading->root, "guid"))
		return 0;
	int failed = get_text(reading, reading->root, "guid", DOVECOT_REGISTRATION_MAX, &text);
	if (failed)
		return failed;
	if (!is_guid(text))
		return bad_value(reading, "guid", text, "32 hex digits");
	char *guid = take_copy(reading, text);
	field_lower(guid);
	reading->event->mailbox_id = guid;
	return 0;
}

static int get_list(const struct reading *reading, const char *key, const json_t **ret)
{
	const json_t *list = json_object_get(reading->root, key);
	if (!json_is_array(list))
		return err_set(reading->err, -EINVAL, "%s: %s is %s", reading->name, key,
			list ? "not a list" : "missing");
	*ret = list;
	return 0;
}

static int read_flags(struct reading *reading)
{
	const json_t *list = NULL;
	int failed = get_list(reading, "flags", &list);
	for (size_t i = 0; !failed && i < json_array_size(list); i++) {
		const char *flag = json_string_value(json_array_get(list, i));
		if (!flag)
			return err_set(reading->err, -EINVAL, "%s: flags is not a list of strings",
				reading->name);
		if (strcasecmp(flag, "\\Seen") == 0)
			reading->event->clears_seen = reading->event->kind == EVENT_FLAGS_CLEAR;
	}
	return failed;
}

static int compare_names(const void *one, const void *other)
{
	return strcmp(*(const char *const *)one, *(const char *const *)other);
}

/* May be absent. */
static int read_readers(struct reading *reading, const char **readers)
{
	const json_t *list = NULL;
	if (!json_object_get(reading->root, "readers"))
		return 0;
	int failed = get_list(reading, "readers", &list);
	if (failed)
		return failed;
	size_t count = json_array_size(list);
	for (size_t i = 0; i < count; i++) {
		const json_t *value = json_array_get(list, i);
		struct field text = {json_string_value(value), json_string_length(value)};
		if (!field_is_name(text))
			return bad_value(reading, "readers", text, "a list of users");
		readers[i] = take_user(reading, text);
	}
	if (count)
		qsort(readers, count, sizeof(*readers), compare_names);
	reading->event->readers = readers;
	reading->event->reader_count = count;
	return 0;
}

static int read_mailbox_event(struct reading *reading, const char **readers)
{
	struct mail_event *event = reading->event;
	int r;
	if ((r = read_own_mailbox(reading, "owner", "folder", event->at)) < 0 ||
		(r = read_guid(reading)) < 0 || (r = read_readers(reading, readers)) < 0)
		return r;
	event->readings = 1;
	if (event->kind == EVENT_MAILBOX_RENAME) {
		if ((r = read_own_mailbox(reading, "from_owner", "from_folder", event->from)) < 0)
			return r;
		event->from_readings = 1;
	}
	bool has_flags = event->kind == EVENT_FLAGS_SET || event->kind == EVENT_FLAGS_CLEAR;
	return has_flags ? read_flags(reading) : 0;
}

/* Registrations. */

static bool is_inbox(const json_t *entry)
{
	const char *name = json_string_value(json_object_get(entry, "name"));
	return name && strcasecmp(name, "INBOX") == 0;
}

struct entry {
	struct field name, owner, folder;
};

static int get_entry(const struct reading *reading, const json_t *object, struct entry *ret)
{
	int r;
	if ((r = get_string(reading, object, "name", &ret->name)) < 0 ||
		(r = get_string(reading, object, "owner", &ret->owner)) < 0 ||
		(r = get_string(reading, object, "folder", &ret->folder)) < 0)
		return r;
	return 0;
}

/* Of the names of a mailbox that no event may be about. */
static bool is_odd(const struct entry *entry)
{
	return !entry->name.size || !(entry->owner.size || entry->folder.size) ||
		!field_is_name_or_empty(entry->name, MAILBOX_NAME_MAX) ||
		!field_is_name_or_empty(entry->owner, MAILBOX_USER_MAX) ||
		!field_is_name_or_empty(entry->folder, MAILBOX_NAME_MAX);
}

/* As of Cyrus': a place is kept for INBOX, wherever it is in the list. */
static int read_mailboxes(
	struct reading *reading, const json_t *list, const char **names, struct mailbox *places)
{
	struct event_registration *registration = &reading->event->registration;
	size_t count = json_array_size(list);
	size_t room = count < EVENT_MAILBOXES_MAX ? count : EVENT_MAILBOXES_MAX;
	size_t inbox = 0;
	while (inbox < count && !is_inbox(json_array_get(list, inbox)))
		inbox++;
	json_auto_t *seen = json_object();
	for (size_t i = 0; i < count; i++) {
		struct entry entry;
		int failed = get_entry(reading, json_array_get(list, i), &entry);
		if (failed)
			return failed;
		if (json_object_get(seen, entry.name.bytes))
			continue;
		size_t kept_free = inbox > i && inbox < count;
		if (is_odd(&entry) || registration->mailbox_count + kept_free == room) {
			registration->left_out++;
			continue;
		}
		struct mailbox place = take_mailbox(reading, entry.owner, entry.folder);
		if (!may_speak_for(reading, place.owner)) {
			registration->is_own_alone = true;
			registration->left_out++;
			continue;
		}
		if (json_object_set_new_nocheck(seen, entry.name.bytes, json_true()) < 0)
			abort(); /* out of memory */
		names[registration->mailbox_count] = take_copy(reading, entry.name);
		places[registration->mailbox_count++] = place;
	}
	return 0;
}

static int read_topic(struct reading *reading, const char **ret)
{
	const char *topic = reading->sender->topic;
	if (!topic)
		return err_set(
			reading->err, -EINVAL, "%s: cannot be kept for later", reading->name);
	if (!*topic)
		return err_set(reading->err, -ENOENT,
			"there is no credential in force, and so no topic for phones");
	*ret = topic;
	return 0;
}

static int read_registration(struct reading *reading, const json_t *list, const char **names,
	struct mailbox *places, char *topic)
{
	struct event_registration *registration = &reading->event->registration;
	const char *found = "";
	int r;
	if ((r = read_topic(reading, &found)) < 0)
		return r;
	registration->topic = strcpy(topic, found);
	registration->topic_own = strcat(strcpy(topic + strlen(topic) + 1, topic), OWN);
	registration->user = reading->event->user;

	struct field token, id, subtopic;
	if ((r = get_text(reading, reading->root, "device_token", DOVECOT_REGISTRATION_MAX,
		     &token)) < 0 ||
		(r = get_text(reading, reading->root, "account_id", DOVECOT_REGISTRATION_MAX,
			 &id)) < 0 ||
		(r = get_text(reading, reading->root, "subtopic", EVENT_SUBTOPIC_MAX, &subtopic)) <
			0)
		return r;
	if (!field_is_token(token))
		return bad_value(reading, "device_token", token, "64 to 200 hex digits");
	if (!field_is_account_id(id))
		return bad_value(reading, "account_id", id, "1 to 64 of A-Z a-z 0-9 -");
	if (!field_is_subtopic(subtopic))
		return bad_value(reading, "subtopic", subtopic, "a topic's name");
	char *lower = take_copy(reading, token);
	field_lower(lower);
	registration->token = lower;
	registration->account_id = take_copy(reading, id);
	registration->subtopic = take_copy(reading, subtopic);

	const json_t *version = json_object_get(reading->root, "version");
	if (!json_is_integer(version))
		return err_set(reading->err, -EINVAL, "%s: version is %s", reading->name,
			version ? "not a number" : "missing");
	registration->aps_version = json_integer_value(version) == 1 ? 1 : 2;

	registration->mailboxes = names;
	registration->places = places;
	return read_mailboxes(reading, list, names, places);
}

/* Takes `size` bytes off the front of what was allocated in one piece. */
static void *take(char **memory, size_t size)
{
	char *taken = *memory;
	*memory += size;
	return taken;
}

/*
 * One allocation.  A text of the JSON has two quotes, which leaves room for its NUL, and each is
 * taken once.
 */
static int read_event(struct reading *reading, enum event_kind kind, size_t json_size)
{
	bool is_registration = kind == EVENT_APPLE_PUSH_SERVICE;
	const char *topic = is_registration ? reading->sender->topic : NULL;
	const json_t *list = NULL;
	int failed = is_registration ? get_list(reading, "mailboxes", &list) : 0;
	if (failed)
		return failed;
	size_t places = json_array_size(list);
	size_t names = is_registration ? places
				       : json_array_size(json_object_get(reading->root, "readers"));
	size_t topic_size = topic ? 2 * (strlen(topic) + 1) + strlen(OWN) : 0;
	struct mail_event *event = mem_alloc(sizeof(*event) + places * sizeof(struct mailbox) +
		names * sizeof(char *) + topic_size + json_size);
	char *memory = (char *)(event + 1);
	struct mailbox *place_memory = take(&memory, places * sizeof(struct mailbox));
	const char **name_memory = take(&memory, names * sizeof(char *));
	char *topic_memory = take(&memory, topic_size);
	*event = (struct mail_event){
		.source = EVENT_OF_DOVECOT, .kind = kind, .mbtype = 'e', .user = ""};
	reading->event = event;
	reading->memory = memory;
	failed = read_user(reading);
	if (!failed && is_registration)
		failed = read_registration(reading, list, name_memory, place_memory, topic_memory);
	else if (!failed && kind != EVENT_OTHER)
		failed = read_mailbox_event(reading, name_memory);
	assert(failed || reading->memory <= memory + json_size);
	return failed;
}

static int bad_json(const json_error_t *error, struct err *err)
{
	return err_set(err, -EINVAL, "not JSON at byte %d", error->position);
}

void dovecot_event_asker(const char *json, size_t size, char ret[MAILBOX_USER_MAX + 1])
{
	json_error_t error;
	*ret = '\0';
	if (size > DOVECOT_REGISTRATION_MAX)
		return;
	json_auto_t *root = json_loadb(json, size, JSON_REJECT_DUPLICATES, &error);
	const char *name = json_string_value(json_object_get(root, "event"));
	const char *user = json_string_value(json_object_get(root, "user"));
	bool asks = name && (!strcmp(name, "Topic") || kind_of(name) == EVENT_APPLE_PUSH_SERVICE);
	if (asks && user && strlen(user) <= MAILBOX_USER_MAX)
		strcpy(ret, user);
}

int dovecot_event_parse(const char *json, size_t size, const struct dovecot_sender *sender,
	struct mail_event **ret, struct err *err)
{
	if (size > DOVECOT_REGISTRATION_MAX)
		return err_set(err, -EMSGSIZE, "a request of %zu bytes, at most %d are allowed",
			size, DOVECOT_REGISTRATION_MAX);
	json_error_t error;
	json_auto_t *root = json_loadb(json, size, JSON_REJECT_DUPLICATES, &error);
	if (!root)
		return bad_json(&error, err);
	struct reading reading = {.root = root, .name = "request", .sender = sender, .err = err};
	struct field source, name;
	int r;
	if ((r = get_text(&reading, root, "source", 64, &source)) < 0 ||
		(r = get_text(&reading, root, "event", 64, &name)) < 0)
		return r;
	if (strcmp(source.bytes, "dovecot") != 0)
		return bad_value(&reading, "source", source, "dovecot");
	bool asks_topic = strcmp(name.bytes, "Topic") == 0;
	enum event_kind kind = kind_of(name.bytes);
	if (kind != EVENT_APPLE_PUSH_SERVICE && size > DOVECOT_EVENT_MAX)
		return err_set(err, -EMSGSIZE, "an event of %zu bytes, at most %d are allowed",
			size, DOVECOT_EVENT_MAX);
	reading.name = kind != EVENT_OTHER ? name.bytes : asks_topic ? "Topic" : "event";
	const char *topic;
	r = read_event(&reading, kind, size);
	if (!r && asks_topic)
		r = read_topic(&reading, &topic);
	if (r || asks_topic)
		event_free(mem_steal(reading.event));
	if (!r)
		*ret = reading.event;
	return r;
}

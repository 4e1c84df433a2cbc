/*
 * Every event that a real Cyrus sent must mean what was done: 3.6 in eight kinds of configuration,
 * 3.10 and 3.12 in fewer, and with what they changed or added.
 *
 * MANIFEST.json tells owner and folder from the action performed, not from a decoder.  What the
 * names of registrations mean is written down here.  A .dgram or .dlist of the same name as a .json
 * is the same event as it came through the socket.
 */
#include "event/event.h"
#include "intake/datagram.h"
#include "intake/dlist.h"

#include "base/buf.h"
#include "base/mem.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <dirent.h>
#include <errno.h>
#include <jansson.h>
#include <stdio.h>
#include <string.h>

MEM_DEFINE_CLEANUP(event_cleanup, struct mail_event, event_free)
#define event_auto __attribute__((cleanup(event_cleanup)))

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))

/* What the names of a registration mean, exact duplicates left out. */
struct key {
	const char *owner;
	const char *folder;
};

#define ALICE(folder)           \
	{                       \
		"alice", folder \
	}
#define CAROL(folder)                       \
	{                                   \
		"carol@example.org", folder \
	}
#define SHARED(folder)     \
	{                  \
		"", folder \
	}

#define MANY_FLAT                                                                               \
	ALICE(""), ALICE("Notes"), ALICE("Notes.Sub"), ALICE("Sent Items"), ALICE("R&D"),       \
		ALICE("Entw\u00fcrfe"), ALICE("\u65e5\u672c\u8a9e"), ALICE("emoji \U0001F600"), \
		ALICE("plus+at@x"), ALICE("hash#q?x"), ALICE("tilde~x"), ALICE("caret^x"),      \
		ALICE("nested.a b.c&d")
#define MANY_UNIX                                                                                 \
	ALICE(""), ALICE("Notes"), ALICE("Notes/Sub"), ALICE("Sent Items"), ALICE("R&D"),         \
		ALICE("Entw\u00fcrfe"), ALICE("\u65e5\u672c\u8a9e"), ALICE("emoji \U0001F600"),   \
		ALICE("plus+at@x"), ALICE("hash#q?x"), ALICE("tilde~x"), ALICE("nested/a b/c&d"), \
		ALICE("v1.2 dots"), ALICE("a.b/c.d")

struct registration {
	const char *name;
	size_t count;
	struct key keys[16];
};

static const struct registration registrations_3_6[] = {
	{"alt0uh0vd0-ApplePushService-v1", 1, {ALICE("")}},
	{"alt0uh0vd0-ApplePushService-v2-inboxcase", 3, {ALICE(""), ALICE(""), ALICE("Notes")}},
	{"alt0uh0vd0-ApplePushService-v2-many", 13, {MANY_FLAT}},
	{"alt0uh0vd0-ApplePushService-v2-otherspellings", 2, {ALICE(""), ALICE("Notes")}},
	{"alt0uh0vd0-ApplePushService-v2-sharedfolders", 4,
		{{"bob", ""}, ALICE("Notes"), SHARED("team"), SHARED("team.info")}},
	{"alt0uh0vd1-ApplePushService-domainuser", 3,
		{CAROL(""), CAROL("Notes"), CAROL("Entw\u00fcrfe")}},
	{"alt0uh0vd1-ApplePushService-domainuser-shared", 2,
		{{"dave@example.org", ""}, CAROL("Notes")}},
	{"alt0uh0vd1-ApplePushService-v2-inboxcase", 3, {ALICE(""), ALICE(""), ALICE("Notes")}},
	{"alt0uh0vd1-ApplePushService-v2-many", 13, {MANY_FLAT}},
	{"alt0uh0vd1-ApplePushService-v2-otherspellings", 2, {ALICE(""), ALICE("Notes")}},
	{"alt0uh0vd1-ApplePushService-v2-sharedfolders", 4,
		{{"bob", ""}, ALICE("Notes"), SHARED("team"), SHARED("team.info")}},
	{"alt0uh1vd1-ApplePushService-domainuser", 3,
		{CAROL(""), CAROL("Notes"), CAROL("Entw\u00fcrfe")}},
	{"alt0uh1vd1-ApplePushService-domainuser-shared", 2,
		{{"dave@example.org", ""}, CAROL("Notes")}},
	{"alt0uh1vd1-ApplePushService-v2-many", 14, {MANY_UNIX}},
	{"alt0uh1vd1-ApplePushService-v2-otherspellings", 2, {ALICE(""), ALICE("Notes")}},
	{"alt0uh1vd1-ApplePushService-v2-sharedfolders", 4,
		{{"bob", ""}, ALICE("Notes"), SHARED("team"), SHARED("team/info")}},
	{"alt1uh0vd0-ApplePushService-dotteduser-shared", 2, {ALICE(""), {"jane.doe", "Notes"}}},
	{"alt1uh0vd0-ApplePushService-v2-inboxcase", 2, {ALICE(""), ALICE("")}},
	{"alt1uh0vd0-ApplePushService-v2-many", 13, {MANY_FLAT}},
	{"alt1uh0vd0-ApplePushService-v2-otherspellings", 2, {ALICE(""), ALICE("Notes")}},
	{"alt1uh1vd0-ApplePushService-v2-inboxcase", 2, {ALICE(""), ALICE("")}},
	{"alt1uh1vd0-ApplePushService-v2-otherspellings", 2, {ALICE(""), ALICE("Notes")}},
	{"alt1uh1vd1-ApplePushService-domainuser", 3,
		{CAROL(""), CAROL("Notes"), CAROL("Entw\u00fcrfe")}},
	{"alt1uh1vd1-ApplePushService-domainuser-shared", 2,
		{{"dave@example.org", ""}, CAROL("Notes")}},
	{"alt1uh1vd1-ApplePushService-v1", 1, {ALICE("")}},
	{"alt1uh1vd1-ApplePushService-v2-inboxcase", 2, {ALICE(""), ALICE("")}},
	{"alt1uh1vd1-ApplePushService-v2-many", 14, {MANY_UNIX}},
	{"alt1uh1vd1-ApplePushService-v2-otherspellings", 2, {ALICE(""), ALICE("Notes")}},
	{"alt1uh1vd1-ApplePushService-v2-sharedfolders", 4,
		{{"bob", ""}, ALICE("Notes"), SHARED("team"), SHARED("team/info")}},
	{"customprefix-ApplePushService", 2, {{"jane.doe", "Notes"}, SHARED("team")}},
	{"customprefix-ApplePushService-inboxsub", 3,
		{ALICE(""), ALICE("INBOX/foo"), ALICE("INBOX/foo")}},
	{"defaultdomain-ApplePushService-defaultdomain-login", 1, {ALICE("")}},
	{"defaultdomain-ApplePushService-domain-shared", 3,
		{CAROL(""), CAROL("Notes"), SHARED("team@example.org")}},
	{"dlist-ApplePushService", 3, {ALICE(""), ALICE("Archive"), ALICE("Entw\u00fcrfe")}},
	{"edge-method-log-not-external", 1, {ALICE("")}},
	{"syntax-ApplePushService-dupes", 2, {ALICE(""), ALICE("Notes")}},
	{"syntax-ApplePushService-nomailboxes", 0, {{NULL, NULL}}},
};

/* Of 3.10 and of 3.12. */
static const struct registration registrations_3_10[] = {
	{"allparams-ApplePushService-aps", 2, {ALICE(""), ALICE("Notes")}},
	{"alt0uh1vd0-ApplePushService-v1", 1, {ALICE("")}},
	{"alt0uh1vd0-ApplePushService-v2-inboxcase", 3, {ALICE(""), ALICE(""), ALICE("Notes")}},
	{"alt0uh1vd0-ApplePushService-v2-many", 14, {MANY_UNIX}},
	{"alt0uh1vd0-ApplePushService-v2-otherspellings", 2, {ALICE(""), ALICE("Notes")}},
	{"alt0uh1vd0-ApplePushService-v2-sharedfolders", 4,
		{{"bob", ""}, ALICE("Notes"), SHARED("team"), SHARED("team/info")}},
	{"alt1uh0vd1-ApplePushService-domainuser", 3,
		{CAROL(""), CAROL("Notes"), CAROL("Entw\u00fcrfe")}},
	{"alt1uh0vd1-ApplePushService-domainuser-shared", 2,
		{{"dave@example.org", ""}, CAROL("Notes")}},
	{"alt1uh0vd1-ApplePushService-v1", 1, {ALICE("")}},
	{"alt1uh0vd1-ApplePushService-v2-inboxcase", 2, {ALICE(""), ALICE("")}},
	{"alt1uh0vd1-ApplePushService-v2-many", 13, {MANY_FLAT}},
	{"alt1uh0vd1-ApplePushService-v2-otherspellings", 2, {ALICE(""), ALICE("Notes")}},
	{"alt1uh0vd1-ApplePushService-v2-sharedfolders", 4,
		{{"bob", ""}, ALICE("Notes"), SHARED("team"), SHARED("team.info")}},
	{"dlist-ApplePushService-aps", 3, {ALICE(""), ALICE("Notes"), ALICE("Entw\u00fcrfe")}},
	{"jmap-ApplePushService-aps", 2, {ALICE(""), ALICE("Neu")}},
	{"syntax-ApplePushService-aps-Junk", 1, {ALICE("Junk")}},
	/* Without the right to read, nothing is left of the list. */
	{"syntax-ApplePushService-cve-acl-l", 0, {{NULL, NULL}}},
	{"syntax-ApplePushService-cve-acl-lp", 0, {{NULL, NULL}}},
	{"syntax-ApplePushService-cve-acl-lr", 2, {{"bob", ""}, {"bob", "Priv"}}},
	{"syntax-ApplePushService-cve-acl-lrs", 2, {{"bob", ""}, {"bob", "Priv"}}},
	{"syntax-ApplePushService-cve-acl-p", 0, {{NULL, NULL}}},
	{"syntax-ApplePushService-cve-acl-r", 2, {{"bob", ""}, {"bob", "Priv"}}},
	{"syntax-ApplePushService-cve-admin", 2, {{"bob", ""}, {"bob", "Priv"}}},
	{"syntax-ApplePushService-cve-anyone-lrs", 1, {{"bob", "Priv"}}},
	{"syntax-ApplePushService-cve-lrs-minus-r", 0, {{NULL, NULL}}},
	{"syntax-ApplePushService-cve-none-alice-registers-bob-INBOX+Priv+NoSuch", 1, {ALICE("")}},
	{"syntax-ApplePushService-dup-mailboxes", 2, {ALICE(""), ALICE("Notes")}},
	{"syntax-ApplePushService-empty-list", 0, {{NULL, NULL}}},
	{"syntax-ApplePushService-mailboxes-first", 1, {ALICE("")}},
	{"syntax-ApplePushService-missing-mailbox", 1, {ALICE("")}},
	{"syntax-ApplePushService-no-version", 1, {ALICE("")}},
	{"syntax-ApplePushService-quoted", 2, {ALICE(""), ALICE("Notes")}},
	{"syntax-ApplePushService-utf8-folder-name-raw", 0, {{NULL, NULL}}},
	{"syntax-ApplePushService-v1", 1, {ALICE("")}},
	{"syntax-ApplePushService-v2-no-mailboxes-key", 0, {{NULL, NULL}}},
	{"syntax-ApplePushService-version-0", 1, {ALICE("")}},
	{"syntax-ApplePushService-version-3", 1, {ALICE("")}},
};
/* What each version sent, and how much of it there is: a test that looked at nothing would pass.
 *
 * The second readings are `plus+at@x` in namespaces with domains, and the one made to be ambiguous.
 * Refused are 21 kB and 60 kB of account id, one with quotes, one that Cyrus left out; a token that
 * is none. */
static const struct set {
	const char *version;
	unsigned files;
	unsigned uris, second_uris; /* readings, and how many of them are the second one */
	unsigned events, second_events;
	unsigned refused, foreign;
	const struct registration *registrations;
	size_t registration_count;
} sets[] = {
	{"3.6", 248, 157 + 16, 4, 178, 5, 4, 2, registrations_3_6, COUNT(registrations_3_6)},
	{"3.10", 293, 159 + 19, 1, 198, 1, 2, 0, registrations_3_10, COUNT(registrations_3_10)},
	{"3.12", 294, 160 + 19, 1, 198, 1, 2, 0, registrations_3_10, COUNT(registrations_3_10)},
};

static json_t *manifests[COUNT(sets)]; /* file name to its entry */
static const struct set *set;	       /* the one that is looked at */

static void path_of(const char *file, char ret[512])
{
	snprintf(ret, 512, MAILPUSH_TEST_DATA "/captures-%s/%s", set->version, file);
}

static void look_at(const struct set *version)
{
	print_message("Cyrus %s\n", version->version);
	set = version;
}

static int load_manifests(void **state)
{
	(void)state;
	for (size_t i = 0; i < COUNT(sets); i++) {
		char path[512];
		set = &sets[i];
		path_of("MANIFEST.json", path);
		json_error_t error;
		json_auto_t *root = json_load_file(path, 0, &error);
		if (!root) {
			print_error("%s: %s\n", path, error.text);
			return -1;
		}
		manifests[i] = json_object();
		size_t j;
		json_t *entry;
		json_array_foreach(json_object_get(root, "files"), j, entry) json_object_set(
			manifests[i], json_string_value(json_object_get(entry, "file")), entry);
	}
	return 0;
}

static int free_manifests(void **state)
{
	(void)state;
	for (size_t i = 0; i < COUNT(sets); i++)
		json_decref(manifests[i]);
	return 0;
}

static const char *text_of(const json_t *object, const char *key, const char *otherwise)
{
	const char *text = json_string_value(json_object_get(object, key));
	return text ? text : otherwise;
}

/* A captured file, and how Cyrus was configured when it was made. */
struct capture {
	char name[256]; /* without the ending */
	const char *ending;
	const json_t *entry; /* NULL: not in the manifest */
	struct mailbox_namespace names;
	struct buf bytes;
	struct notification notification; /* of a .dgram and a .dlist */
	const char *json;		  /* NULL: class is not EVENT */
	size_t json_size;
};

static void read_bytes(const char *path, struct buf *ret)
{
	FILE *file = fopen(path, "rb");
	assert_non_null(file);
	size_t n;
	while ((n = fread(buf_reserve(ret, 65536), 1, 65536, file)) > 0)
		buf_commit(ret, n);
	fclose(file);
}

static void set_namespace(struct capture *capture)
{
	const json_t *entry = capture->entry;
	capture->names = (struct mailbox_namespace){
		.altnamespace = !entry || json_is_true(json_object_get(entry, "altnamespace")),
		.unixhierarchysep =
			!entry || json_is_true(json_object_get(entry, "unixhierarchysep")),
		.virtdomains = strcmp(text_of(entry, "virtdomains", "off"), "off") != 0,
		.defaultdomain = text_of(entry, "defaultdomain", "internal"),
		.userprefix = text_of(entry, "userprefix", "Other Users"),
		.sharedprefix = text_of(entry, "sharedprefix", "Shared Folders"),
	};
}

static void unwrap(struct capture *capture)
{
	char *bytes = (char *)capture->bytes.data;
	size_t size = capture->bytes.used;
	struct err err = {0};
	if (strcmp(capture->ending, ".json") == 0) {
		capture->json = bytes;
		capture->json_size = size;
		return;
	}
	struct notification *notification = &capture->notification;
	if (strcmp(capture->ending, ".dgram") == 0) {
		assert_int_equal(datagram_parse(bytes, size, notification, &err), 0);
	} else {
		struct dlist_scan scan = {0};
		size_t request_size = 0;
		assert_int_equal(
			dlist_parse(&scan, bytes, size, notification, &request_size, &err), 1);
		assert_int_equal(request_size, size);
		assert_null(scan.unescaped); /* Cyrus escapes nothing */
	}
	if (notification_is_event(notification)) {
		capture->json = notification->message.bytes;
		capture->json_size = notification->message.size;
	}
}

static void capture_init(struct capture *capture, const char *file)
{
	char path[512], key[300];
	*capture = (struct capture){0};
	snprintf(capture->name, sizeof(capture->name), "%s", file);
	char *dot = strrchr(capture->name, '.');
	capture->ending = strrchr(file, '.');
	*dot = '\0';
	snprintf(key, sizeof(key), "%s.json", capture->name);
	const json_t *manifest = manifests[set - sets];
	capture->entry = json_object_get(manifest, key);
	if (!capture->entry)
		capture->entry = json_object_get(manifest, file);
	set_namespace(capture);
	path_of(file, path);
	buf_init(&capture->bytes);
	read_bytes(path, &capture->bytes);
	unwrap(capture);
}

static void capture_fini(struct capture *capture)
{
	buf_fini(&capture->bytes);
}
#define capture_auto __attribute__((cleanup(capture_fini)))

static struct mail_event *parse(const struct capture *capture)
{
	struct mail_event *event = NULL;
	struct err err = {0};
	int r = event_parse(&capture->names, capture->json, capture->json_size, &event, &err);
	if (r < 0)
		print_message("%s: %s\n", capture->name, err.text);
	assert_int_equal(r, 0);
	return event;
}

/* Calls `each` for every captured file; returns how many. */
static unsigned for_each(void (*each)(const struct capture *capture))
{
	char path[512];
	path_of("", path);
	DIR *dir = opendir(path);
	assert_non_null(dir);
	unsigned count = 0;
	for (struct dirent *entry; (entry = readdir(dir));) {
		if (entry->d_name[0] == '.' || strcmp(entry->d_name, "MANIFEST.json") == 0)
			continue;
		capture_auto struct capture capture;
		capture_init(&capture, entry->d_name);
		each(&capture);
		count++;
	}
	closedir(dir);
	return count;
}

/* Which reading is `owner` and `folder`: 1 or 2; 0: none. */
static unsigned find_reading(
	const struct mailbox *readings, unsigned count, const char *owner, const char *folder)
{
	for (unsigned i = 0; i < count; i++)
		if (strcmp(readings[i].owner, owner) == 0 &&
			strcmp(readings[i].folder, folder) == 0)
			return i + 1;
	return 0;
}

static unsigned checked, second;

static void check_reading(const struct capture *capture, const struct mailbox *readings,
	unsigned count, const char *owner_key, const char *folder_key)
{
	const char *folder = text_of(capture->entry, folder_key, NULL);
	unsigned reading =
		find_reading(readings, count, text_of(capture->entry, owner_key, ""), folder);
	if (!reading)
		print_message("%s: no reading of %u is %s\n", capture->name, count, folder);
	assert_int_not_equal(reading, 0);
	checked++;
	second += reading == 2;
}

/* The uri itself, also of the events that are dropped by their name. */
static void check_uri_of(const struct capture *capture, const json_t *json, const char *key,
	const char *owner_key, const char *folder_key)
{
	if (!json_object_get(capture->entry, folder_key))
		return;
	const char *uri = text_of(json, key, "");
	struct mailbox readings[MAILBOX_READINGS];
	mem_auto char *memory = mem_alloc(2 * (strlen(uri) + 1));
	unsigned count = mailbox_from_uri(&capture->names, uri, strlen(uri), memory, readings);
	check_reading(capture, readings, count, owner_key, folder_key);
}

static void check_uris(const struct capture *capture)
{
	if (!capture->entry || strcmp(capture->ending, ".dgram") == 0)
		return;
	json_auto_t *json = json_loadb(capture->json, capture->json_size, 0, NULL);
	check_uri_of(capture, json, "uri", "owner", "folder");
	check_uri_of(capture, json, "oldMailboxID", "oldOwner", "oldFolder");
}

static void every_uri_has_the_owner_and_folder_of_the_manifest(void **state)
{
	(void)state;
	for (size_t i = 0; i < COUNT(sets); i++) {
		look_at(&sets[i]);
		checked = second = 0;
		assert_int_equal(for_each(check_uris), set->files);
		assert_int_equal(checked, set->uris);
		print_message(
			"%u owners and folders, %u only as the second reading\n", checked, second);
		assert_int_equal(second, set->second_uris);
	}
}

static bool is_dropped(enum event_kind kind)
{
	return kind == EVENT_OTHER || kind == EVENT_MAILBOX_MODSEQ ||
		kind == EVENT_APPLE_PUSH_SERVICE_DAV;
}

static const char *without_prefix(const char *name)
{
	return strncmp(name, "vnd.cmu.", 8) == 0 ? name + 8 : name;
}

static void check_event(const struct capture *capture)
{
	const char *name = without_prefix(text_of(capture->entry, "event", ""));
	if (!capture->entry || strcmp(name, "ApplePushService") == 0)
		return; /* check_registration looks at those */
	event_auto struct mail_event *event = parse(capture);
	if (event->kind == EVENT_OTHER)
		assert_non_null(strstr(
			"Login Logout MailboxSubscribe MailboxUnSubscribe QuotaChange", name));
	else
		assert_string_equal(event_kind_name(event->kind), name);

	bool is_dav = strncmp(capture->name, "dav-", 4) == 0;
	if (is_dropped(event->kind)) {
		assert_int_equal(event->readings, 0);
		return;
	}
	check_reading(capture, event->at, event->readings, "owner", "folder");
	assert_int_equal(event->from_readings > 0, event->kind == EVENT_MAILBOX_RENAME);
	if (event->kind == EVENT_MAILBOX_RENAME && json_object_get(capture->entry, "oldFolder"))
		check_reading(capture, event->from, event->from_readings, "oldOwner", "oldFolder");
	assert_non_null(event->acl);
	assert_int_equal(event->mbtype != 'e', is_dav);
	bool clears_seen = event->kind == EVENT_FLAGS_CLEAR && !strstr(capture->name, "Deleted");
	assert_int_equal(event->clears_seen, clears_seen);
}

static void every_event_of_the_manifest_means_what_was_done(void **state)
{
	(void)state;
	for (size_t i = 0; i < COUNT(sets); i++) {
		look_at(&sets[i]);
		checked = second = 0;
		for_each(check_event);
		/* Among them those that came by datagram as well; a rename has two mailboxes. */
		assert_int_equal(checked, set->events);
		assert_int_equal(second, set->second_events);
	}
}

static bool was_seen[COUNT(registrations_3_6)];
_Static_assert(COUNT(registrations_3_6) >= COUNT(registrations_3_10), "has room for both");

static void check_key(const struct capture *capture, const char *user, const char *name,
	const struct key *expected)
{
	struct mailbox mailbox;
	mem_auto char *memory = mem_alloc(4 * strlen(name) + strlen(user) + 2);
	struct mailbox_namespace names = capture->names;
	names.is_admins = strcmp(user, "cyrus") == 0;
	mailbox_from_name(&names, name, user, memory, &mailbox);
	bool is_same = strcmp(mailbox.owner, expected->owner) == 0 &&
		strcmp(mailbox.folder, expected->folder) == 0;
	if (!is_same)
		print_message(
			"%s: %s is %s, %s\n", capture->name, name, mailbox.owner, mailbox.folder);
	assert_true(is_same);
}

static void check_registration(const struct capture *capture)
{
	for (size_t i = 0; i < set->registration_count; i++) {
		const struct registration *expected = &set->registrations[i];
		if (strcmp(capture->name, expected->name) != 0)
			continue;
		event_auto struct mail_event *event = parse(capture);
		const struct event_registration *registration = &event->registration;
		assert_int_equal(event->kind, EVENT_APPLE_PUSH_SERVICE);
		assert_int_equal(registration->aps_version, strstr(capture->name, "-v1") ? 1 : 2);
		assert_int_equal(strlen(registration->token), 64);
		assert_string_equal(registration->subtopic, "com.apple.mobilemail");
		assert_int_equal(registration->mailbox_count, expected->count);
		for (size_t j = 0; j < registration->mailbox_count; j++)
			check_key(capture, registration->user, registration->mailboxes[j],
				&expected->keys[j]);
		was_seen[i] = true;
		return;
	}
	/* Whatever else registers is hostile, and refused. */
	if (!capture->json || !memmem(capture->json, capture->json_size, "ApplePushService\"", 17))
		return;
	struct mail_event *event = NULL;
	struct err err;
	assert_int_equal(
		event_parse(&capture->names, capture->json, capture->json_size, &event, &err),
		-EINVAL);
	assert_true(strstr(err.text, "apsAccountId") || strstr(err.text, "apsDeviceToken"));
	checked++;
}

static void the_names_of_every_registration_lead_to_the_mailboxes_meant(void **state)
{
	(void)state;
	for (size_t i = 0; i < COUNT(sets); i++) {
		look_at(&sets[i]);
		checked = 0;
		memset(was_seen, 0, sizeof(was_seen));
		for_each(check_registration);
		for (size_t j = 0; j < set->registration_count; j++)
			assert_true(was_seen[j]);
		assert_int_equal(checked, set->refused);
	}
}

/* What came through the stream socket of 3.6; Cyrus' default namespace.  The later ones' is in the
 * manifest. */
static const struct {
	const char *name;
	enum event_kind kind;
	const char *folder;
	const char *old_folder;
} streamed[] = {
	{"dlist-FlagsClear", EVENT_FLAGS_CLEAR, "", NULL},
	{"dlist-FlagsSet", EVENT_FLAGS_SET, "", NULL},
	{"dlist-MailboxCreate", EVENT_MAILBOX_CREATE, "Notes", NULL},
	{"dlist-MailboxCreate-2", EVENT_MAILBOX_CREATE, "R&D", NULL},
	{"dlist-MailboxDelete", EVENT_MAILBOX_DELETE, "R&D", NULL},
	{"dlist-MailboxModseq", EVENT_MAILBOX_MODSEQ, NULL, NULL},
	{"dlist-MailboxRename", EVENT_MAILBOX_RENAME, "Archive", "Notes"},
	{"dlist-MessageAppend", EVENT_MESSAGE_APPEND, "Notes", NULL},
	{"dlist-MessageAppend-2", EVENT_MESSAGE_APPEND, "R&D", NULL},
	{"dlist-MessageRead", EVENT_MESSAGE_READ, "", NULL},
	{"dlist-vnd.cmu.MessageMove", EVENT_MESSAGE_MOVE, "Notes", NULL},
};

static void every_event_of_the_stream_means_what_was_done(void **state)
{
	(void)state;
	look_at(&sets[0]);
	for (size_t i = 0; i < COUNT(streamed); i++) {
		char file[128];
		snprintf(file, sizeof(file), "%s.dlist", streamed[i].name);
		capture_auto struct capture capture;
		capture_init(&capture, file);
		event_auto struct mail_event *event = parse(&capture);
		assert_int_equal(event->kind, streamed[i].kind);
		assert_int_equal(event->readings, streamed[i].folder ? 1 : 0);
		if (streamed[i].folder) {
			assert_string_equal(event->at[0].owner, "alice");
			assert_string_equal(event->at[0].folder, streamed[i].folder);
		}
		assert_int_equal(event->from_readings, streamed[i].old_folder ? 1 : 0);
		if (streamed[i].old_folder)
			assert_string_equal(event->from[0].folder, streamed[i].old_folder);
	}
}

static void check_class(const struct capture *capture)
{
	bool is_foreign = strstr(capture->name, "-not-an-event") != NULL;
	assert_int_equal(capture->json == NULL, is_foreign);
	checked += is_foreign;
}

static void notifications_of_other_classes_are_no_events(void **state)
{
	(void)state;
	for (size_t i = 0; i < COUNT(sets); i++) {
		look_at(&sets[i]);
		checked = 0;
		for_each(check_class);
		assert_int_equal(checked, set->foreign);
	}
}

static void the_uri_of_unexpunge_names_no_mailbox(void **state)
{
	(void)state;
	look_at(&sets[0]);
	capture_auto struct capture capture;
	capture_init(&capture, "allparams-MailboxModseq-malformed-uri-unexpunge.json");
	json_auto_t *json = json_loadb(capture.json, capture.json_size, 0, NULL);
	const char *uri = text_of(json, "uri", NULL);
	assert_string_equal(uri, "imap://mail.example.com/user;UIDVALIDITY=1795335717");
	char memory[256];
	struct mailbox readings[MAILBOX_READINGS];
	assert_int_equal(mailbox_from_uri(&capture.names, uri, strlen(uri), memory, readings), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(every_uri_has_the_owner_and_folder_of_the_manifest),
		cmocka_unit_test(every_event_of_the_manifest_means_what_was_done),
		cmocka_unit_test(the_names_of_every_registration_lead_to_the_mailboxes_meant),
		cmocka_unit_test(notifications_of_other_classes_are_no_events),
		cmocka_unit_test(every_event_of_the_stream_means_what_was_done),
		cmocka_unit_test(the_uri_of_unexpunge_names_no_mailbox),
	};
	return cmocka_run_group_tests(tests, load_manifests, free_manifests);
}

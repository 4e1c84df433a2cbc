#include "event/mailbox.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* The eight ways to configure Cyrus, by the names that the captures have: alt uh vd. */
static struct mailbox_namespace variant(int altnamespace, int unixhierarchysep, int virtdomains)
{
	return (struct mailbox_namespace){
		.altnamespace = altnamespace,
		.unixhierarchysep = unixhierarchysep,
		.virtdomains = virtdomains,
		.defaultdomain = "example.com",
		.userprefix = "Other Users",
		.sharedprefix = "Shared Folders",
	};
}

struct key {
	const char *owner;
	const char *folder;
};

static void assert_uri(const struct mailbox_namespace *names, const char *path, unsigned count,
	const struct key *expected)
{
	char uri[4096], memory[2 * sizeof(uri)];
	int size = snprintf(uri, sizeof(uri), "imap://mail.example.com/%s", path);
	struct mailbox readings[MAILBOX_READINGS];
	unsigned n = mailbox_from_uri(names, uri, (size_t)size, memory, readings);
	if (n != count)
		print_message("%s\n", uri);
	assert_int_equal(n, count);
	for (unsigned i = 0; i < n; i++) {
		assert_string_equal(readings[i].owner, expected[i].owner);
		assert_string_equal(readings[i].folder, expected[i].folder);
	}
}

#define ASSERT_URI(names, path, ...)                                                 \
	do {                                                                         \
		const struct key keys_[] = {__VA_ARGS__};                            \
		assert_uri(&(names), path, sizeof(keys_) / sizeof(keys_[0]), keys_); \
	} while (0)

static void assert_no_mailbox(const struct mailbox_namespace *names, const char *path)
{
	assert_uri(names, path, 0, NULL);
}

static void assert_name(const struct mailbox_namespace *names, const char *user, const char *name,
	const char *owner, const char *folder)
{
	struct mailbox mailbox;
	char *memory = malloc(4 * strlen(name) + strlen(user) + 2);
	mailbox_from_name(names, name, user, memory, &mailbox);
	assert_string_equal(mailbox.owner, owner);
	assert_string_equal(mailbox.folder, folder);
	free(memory);
}

static void an_owner_without_a_folder_is_his_inbox(void **state)
{
	(void)state;
	assert_true(mailbox_is_inbox(&(struct mailbox){"alice", ""}));
	assert_false(mailbox_is_inbox(&(struct mailbox){"alice", "Notes"}));
	assert_false(mailbox_is_inbox(&(struct mailbox){"", "team"}));
}

static void the_uri_is_the_same_whatever_altnamespace_is(void **state)
{
	(void)state;
	for (int alt = 0; alt <= 1; alt++) {
		for (int vd = 0; vd <= 1; vd++) {
			struct mailbox_namespace dots = variant(alt, 0, vd);
			ASSERT_URI(dots, "user.alice", {"alice", ""});
			ASSERT_URI(dots, "user.alice.Notes", {"alice", "Notes"});
			ASSERT_URI(
				dots, "user.alice.nested.a%20b.c%26d", {"alice", "nested.a b.c&d"});
			ASSERT_URI(dots, "team.info", {"", "team.info"});
			struct mailbox_namespace slashes = variant(alt, 1, vd);
			ASSERT_URI(slashes, "user/alice", {"alice", ""});
			ASSERT_URI(slashes, "user/alice/Entw%C3%BCrfe", {"alice", "Entw\u00fcrfe"});
			ASSERT_URI(slashes, "user/alice/a.b/c.d", {"alice", "a.b/c.d"});
			ASSERT_URI(slashes, "team/info", {"", "team/info"});
		}
	}
}

static void uidvalidity_and_uid_are_cut_off(void **state)
{
	(void)state;
	struct mailbox_namespace names = variant(1, 1, 0);
	ASSERT_URI(names, "user/alice;UIDVALIDITY=1795334954/;UID=1", {"alice", ""});
	ASSERT_URI(names, "user/alice/Notes;UIDVALIDITY=1795334957", {"alice", "Notes"});
	ASSERT_URI(names, "user/alice/a%3Bb;UIDVALIDITY=1", {"alice", "a;b"});
	ASSERT_URI(names, "user/alice/Notes/", {"alice", "Notes"});
}

static void a_caret_is_a_dot_in_owners_of_the_dotted_namespace_only(void **state)
{
	(void)state;
	struct mailbox_namespace dots = variant(0, 0, 0), slashes = variant(0, 1, 0);
	ASSERT_URI(dots, "user.jane%5Edoe.caret%5Ex", {"jane.doe", "caret^x"});
	ASSERT_URI(slashes, "user/jane.doe/caret%5Ex", {"jane.doe", "caret^x"});
	ASSERT_URI(slashes, "user/jane%5Edoe", {"jane^doe", ""});
}

static void the_domain_stands_behind_the_folder(void **state)
{
	(void)state;
	struct mailbox_namespace dots = variant(0, 0, 1), slashes = variant(0, 1, 1);
	ASSERT_URI(slashes, "user/carol%40example.org", {"carol@example.org", ""});
	ASSERT_URI(slashes, "user/carol/Notes%40example.org", {"carol@example.org", "Notes"},
		{"carol", "Notes@example.org"});
	ASSERT_URI(dots, "user.carol%40example.org", {"carol@example.org", ""});
	ASSERT_URI(dots, "user.carol.a%40b%40example.org", {"carol@example.org", "a@b"},
		{"carol", "a@b@example.org"});
	ASSERT_URI(dots, "user.jane%5Edoe%40example.org", {"jane.doe@example.org", ""});
	ASSERT_URI(slashes, "user/c%40x", {"c@x", ""});
	ASSERT_URI(slashes, "user/carol/N%40x", {"carol@x", "N"}, {"carol", "N@x"});
}

static void a_shared_folder_keeps_its_domain(void **state)
{
	(void)state;
	struct mailbox_namespace names = variant(1, 1, 1);
	ASSERT_URI(names, "team%40example.org", {"", "team@example.org"});
	ASSERT_URI(names, "team/info%40example.org", {"", "team/info@example.org"});
}

static void what_cannot_be_a_domain_is_not_split_off(void **state)
{
	(void)state;
	struct mailbox_namespace names = variant(1, 1, 1);
	ASSERT_URI(names, "user/alice/a%40b/c", {"alice", "a@b/c"});
	ASSERT_URI(names, "user/alice/me%40home%20now", {"alice", "me@home now"});
	ASSERT_URI(names, "user/alice/at%40", {"alice", "at@"});
}

static void an_owner_has_no_at_before_his_domain(void **state)
{
	(void)state;
	struct mailbox_namespace names = variant(1, 1, 1);
	assert_no_mailbox(&names, "user/carol%40x/Notes%40example.org");
	assert_no_mailbox(&names, "user/carol%40x%40example.org");
}

static void without_virtdomains_an_at_is_a_letter(void **state)
{
	(void)state;
	struct mailbox_namespace names = variant(1, 1, 0);
	ASSERT_URI(names, "user/alice/plus%40example.org", {"alice", "plus@example.org"});
	ASSERT_URI(names, "user/carol%40example.org", {"carol@example.org", ""});
}

static void the_default_domain_is_no_domain(void **state)
{
	(void)state;
	struct mailbox_namespace names = variant(1, 1, 1);
	ASSERT_URI(names, "user/alice%40Example.Com", {"alice", ""});
	/* Cyrus leaves it out, so that in a folder's name it is likelier part of the name. */
	ASSERT_URI(names, "user/alice/a%40example.com", {"alice", "a@example.com"}, {"alice", "a"});
	ASSERT_URI(names, "team%40example.com", {"", "team@example.com"}, {"", "team"});
}

static void owners_are_lower_case_and_folders_are_not_touched(void **state)
{
	(void)state;
	struct mailbox_namespace names = variant(1, 1, 1);
	ASSERT_URI(names, "user/ALICE/NOTES", {"alice", "NOTES"});
	ASSERT_URI(names, "user/Carol%40Example.ORG", {"carol@example.org", ""});
}

static void what_is_no_mailbox_has_no_reading(void **state)
{
	(void)state;
	struct mailbox_namespace slashes = variant(1, 1, 1), dots = variant(1, 0, 1);
	assert_no_mailbox(&slashes, "user;UIDVALIDITY=1795335717");
	assert_no_mailbox(&slashes, "user/");
	assert_no_mailbox(&slashes, "user//Notes");
	assert_no_mailbox(&slashes, "user/alice//");
	assert_no_mailbox(&slashes, "");
	assert_no_mailbox(&slashes, ";UIDVALIDITY=1");
	assert_no_mailbox(&dots, "user.");
	assert_no_mailbox(&dots, "user.alice.");
	assert_no_mailbox(&dots, "user..Notes");

	char memory[128];
	struct mailbox readings[MAILBOX_READINGS];
	static const char *const others[] = {
		"",
		"imap:/",
		"imap://",
		"imap://mail.example.com",
		"http://host/user/alice",
		"user/alice",
	};
	for (size_t i = 0; i < sizeof(others) / sizeof(others[0]); i++)
		assert_int_equal(
			mailbox_from_uri(&slashes, others[i], strlen(others[i]), memory, readings),
			0);
}

static void what_is_badly_encoded_has_no_reading(void **state)
{
	(void)state;
	struct mailbox_namespace names = variant(1, 1, 0);
	assert_no_mailbox(&names, "user/alice/%");
	assert_no_mailbox(&names, "user/alice/%4");
	assert_no_mailbox(&names, "user/alice/%4g");
	assert_no_mailbox(&names, "user/alice/%00");
	assert_no_mailbox(&names, "user/alice/%C3%28");
	assert_no_mailbox(&names, "user/alice/%FF");
}

static void names_beyond_the_bounds_have_no_reading(void **state)
{
	(void)state;
	struct mailbox_namespace names = variant(1, 1, 0);
	char path[2048], folder[MAILBOX_NAME_MAX + 2], owner[MAILBOX_USER_MAX + 2];
	memset(folder, 'f', sizeof(folder));
	memset(owner, 'o', sizeof(owner));

	folder[MAILBOX_NAME_MAX] = '\0';
	snprintf(path, sizeof(path), "user/alice/%s", folder);
	ASSERT_URI(names, path, {"alice", folder});
	folder[MAILBOX_NAME_MAX] = 'f';
	folder[MAILBOX_NAME_MAX + 1] = '\0';
	snprintf(path, sizeof(path), "user/alice/%s", folder);
	assert_no_mailbox(&names, path);

	owner[MAILBOX_USER_MAX] = '\0';
	snprintf(path, sizeof(path), "user/%s", owner);
	ASSERT_URI(names, path, {owner, ""});
	owner[MAILBOX_USER_MAX] = 'o';
	owner[MAILBOX_USER_MAX + 1] = '\0';
	snprintf(path, sizeof(path), "user/%s", owner);
	assert_no_mailbox(&names, path);
}

static void inbox_is_typed_in_any_case(void **state)
{
	(void)state;
	for (int alt = 0; alt <= 1; alt++) {
		for (int uh = 0; uh <= 1; uh++) {
			struct mailbox_namespace names = variant(alt, uh, 0);
			assert_name(&names, "alice", "INBOX", "alice", "");
			assert_name(&names, "alice", "InBoX", "alice", "");
		}
	}
}

static void own_folders_are_below_inbox_in_the_standard_namespace(void **state)
{
	(void)state;
	struct mailbox_namespace dots = variant(0, 0, 0), slashes = variant(0, 1, 0);
	assert_name(&dots, "alice", "INBOX.Notes", "alice", "Notes");
	assert_name(&dots, "alice", "inbox.Notes.Sub", "alice", "Notes.Sub");
	assert_name(&slashes, "alice", "INBOX/a.b/c", "alice", "a.b/c");
	assert_name(&dots, "alice", "INBOX/Notes", "", "INBOX/Notes");
}

static void other_names_are_the_admins_in_the_standard_namespace(void **state)
{
	(void)state;
	struct mailbox_namespace dots = variant(0, 0, 0), slashes = variant(0, 1, 0);
	assert_name(&dots, "alice", "user.alice", "alice", "");
	assert_name(&dots, "alice", "user.bob.Notes", "bob", "Notes");
	assert_name(&dots, "alice", "user.jane^doe.Notes", "jane.doe", "Notes");
	assert_name(&slashes, "alice", "user/jane.doe/Notes", "jane.doe", "Notes");
	assert_name(&dots, "alice", "team.info", "", "team.info");
}

static void an_administrator_types_the_names_of_the_standard_namespace(void **state)
{
	(void)state;
	for (int alt = 0; alt <= 1; alt++) {
		struct mailbox_namespace dots = variant(alt, 0, 0), slashes = variant(alt, 1, 0);
		dots.is_admins = slashes.is_admins = true;
		assert_name(&slashes, "cyrus", "iNbOx", "cyrus", "");
		assert_name(&slashes, "cyrus", "INBOX/Entw&APw-rfe", "cyrus", "Entw\u00fcrfe");
		assert_name(&slashes, "cyrus", "user/alice/x", "alice", "x");
		assert_name(&slashes, "cyrus", "user/alice", "alice", "");
		assert_name(&dots, "cyrus", "INBOX.Notes", "cyrus", "Notes");
		assert_name(&dots, "cyrus", "user.jane^doe.Notes", "jane.doe", "Notes");
		assert_name(&slashes, "cyrus", "team/info", "", "team/info");
		assert_name(&slashes, "cyrus", "Other Users/bob", "", "Other Users/bob");
		assert_name(&slashes, "cyrus", "user/alice/a@b", "alice", "a@b");
	}
}

static void an_administrator_types_the_domain_of_others(void **state)
{
	(void)state;
	struct mailbox_namespace names = variant(1, 1, 1);
	names.is_admins = true;
	assert_name(&names, "cyrus", "user/carol@example.org", "carol@example.org", "");
	assert_name(&names, "cyrus", "user/Carol/Notes@Example.org", "carol@example.org", "Notes");
	assert_name(&names, "cyrus", "user/alice/Notes", "alice", "Notes");
	assert_name(&names, "cyrus", "user/alice/Notes@example.com", "alice", "Notes");
	assert_name(&names, "cyrus", "user/carol/a@b@example.org", "carol@example.org", "a@b");
	assert_name(&names, "cyrus", "team@example.org", "", "team@example.org");
	assert_name(&names, "cyrus", "team@example.com", "", "team");
	assert_name(&names, "cyrus", "INBOX/Notes", "cyrus", "Notes");
	assert_name(&names, "admin@example.org", "user/alice/x", "alice", "x");
}

static void own_folders_have_no_prefix_in_the_alternative_namespace(void **state)
{
	(void)state;
	struct mailbox_namespace dots = variant(1, 0, 0), slashes = variant(1, 1, 0);
	assert_name(&slashes, "alice", "Notes/Sub", "alice", "Notes/Sub");
	assert_name(&dots, "alice", "Notes.Sub", "alice", "Notes.Sub");
	assert_name(&slashes, "alice", "user/bob", "alice", "user/bob");
	assert_name(&slashes, "alice", "INBOX/foo", "alice", "INBOX/foo");
	assert_name(&slashes, "alice", "inbox/foo", "alice", "INBOX/foo");
	assert_name(&slashes, "alice", "inboxes/foo", "alice", "inboxes/foo");
}

static void others_are_below_prefixes_in_the_alternative_namespace(void **state)
{
	(void)state;
	struct mailbox_namespace dots = variant(1, 0, 0), slashes = variant(1, 1, 0);
	assert_name(&slashes, "alice", "Other Users/bob", "bob", "");
	assert_name(&slashes, "alice", "Other Users/bob/Notes", "bob", "Notes");
	assert_name(&dots, "alice", "Other Users.jane^doe.Notes", "jane.doe", "Notes");
	assert_name(&slashes, "alice", "Shared Folders/team/info", "", "team/info");
	slashes.userprefix = "Andere";
	slashes.sharedprefix = "Gemeinsam";
	assert_name(&slashes, "alice", "Andere/bob/Notes", "bob", "Notes");
	assert_name(&slashes, "alice", "Gemeinsam/team", "", "team");
	assert_name(&slashes, "alice", "Other Users/bob", "alice", "Other Users/bob");
}

static void others_and_shared_folders_are_of_the_users_domain(void **state)
{
	(void)state;
	struct mailbox_namespace standard = variant(0, 0, 1), alternative = variant(1, 1, 1);
	const char *dave = "dave@example.org";
	assert_name(&standard, dave, "INBOX.Notes", dave, "Notes");
	assert_name(&standard, dave, "user.carol.Notes", "carol@example.org", "Notes");
	assert_name(&standard, dave, "team", "", "team@example.org");
	assert_name(&alternative, dave, "Other Users/carol/Notes", "carol@example.org", "Notes");
	assert_name(&alternative, dave, "Shared Folders/team", "", "team@example.org");
	assert_name(&alternative, "alice", "Other Users/bob", "bob", "");
}

static void users_of_the_default_domain_have_none(void **state)
{
	(void)state;
	struct mailbox_namespace names = variant(1, 1, 1);
	assert_name(&names, "Alice@EXAMPLE.com", "INBOX", "alice", "");
	assert_name(&names, "alice@example.com", "Other Users/bob", "bob", "");
	assert_name(&names, "alice@example.com", "Shared Folders/team", "", "team");
	names.virtdomains = false;
	assert_name(&names, "alice@example.com", "INBOX", "alice@example.com", "");
}

static void typed_names_are_decoded(void **state)
{
	(void)state;
	struct mailbox_namespace names = variant(1, 1, 0);
	assert_name(&names, "alice", "Entw&APw-rfe", "alice", "Entw\u00fcrfe");
	assert_name(&names, "alice", "R&-D/&ZeVnLIqe-", "alice", "R&D/\u65e5\u672c\u8a9e");
	assert_name(&names, "alice", "Shared Folders/&APw-", "", "\u00fc");
}

static void names_that_do_not_decode_count_as_they_are(void **state)
{
	(void)state;
	struct mailbox_namespace names = variant(1, 1, 0);
	assert_name(&names, "alice", "a&b", "alice", "a&b");
	assert_name(&names, "alice", "Entw\u00fcrfe", "alice", "Entw\u00fcrfe");
	assert_name(&names, "alice", "Other Users/bob/&AC8-", "bob", "&AC8-");
}

static void names_of_nothing_lead_to_no_ones_inbox(void **state)
{
	(void)state;
	struct mailbox_namespace standard = variant(0, 0, 1), alternative = variant(1, 1, 1);
	assert_name(&standard, "alice", "user.", "", "user.");
	assert_name(&standard, "alice", "user..x", "", "user..x");
	assert_name(&alternative, "alice", "Other Users/", "alice", "Other Users/");
	assert_name(&alternative, "alice", "Other Users//x", "alice", "Other Users//x");
	assert_name(&alternative, "alice", "Shared Folders/", "alice", "Shared Folders/");
}

static void the_hash_is_the_md5_of_the_decoded_name(void **state)
{
	(void)state;
	/* printf %s NAME | md5sum */
	const struct {
		const char *name;
		const char *hash;
	} rows[] = {
		{"INBOX", "7e33429f656f1e6e9d79b29c3f82c57e"},
		{"inbox", "af1cd994dfcb9286c394d142687ff5a0"},
		{"Entw&APw-rfe", "6935862f74f620598b6b2549c202aafa"},
		{"R&-D", "2f99609fe3ff2cd1f17d6ea9945ea9f6"},
		{"Notes/Sub", "478406781b1a3dd103b34aa9245a63bf"},
		{"a&b", "b96e7bda9c9feee3259b177bd456b0a5"},
		{"Entw\u00fcrfe", "6935862f74f620598b6b2549c202aafa"},
	};
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		char hash[MAILBOX_HASH_SIZE];
		mailbox_hash(rows[i].name, hash);
		assert_string_equal(hash, rows[i].hash);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(an_owner_without_a_folder_is_his_inbox),
		cmocka_unit_test(the_uri_is_the_same_whatever_altnamespace_is),
		cmocka_unit_test(uidvalidity_and_uid_are_cut_off),
		cmocka_unit_test(a_caret_is_a_dot_in_owners_of_the_dotted_namespace_only),
		cmocka_unit_test(the_domain_stands_behind_the_folder),
		cmocka_unit_test(a_shared_folder_keeps_its_domain),
		cmocka_unit_test(what_cannot_be_a_domain_is_not_split_off),
		cmocka_unit_test(an_owner_has_no_at_before_his_domain),
		cmocka_unit_test(without_virtdomains_an_at_is_a_letter),
		cmocka_unit_test(the_default_domain_is_no_domain),
		cmocka_unit_test(owners_are_lower_case_and_folders_are_not_touched),
		cmocka_unit_test(what_is_no_mailbox_has_no_reading),
		cmocka_unit_test(what_is_badly_encoded_has_no_reading),
		cmocka_unit_test(names_beyond_the_bounds_have_no_reading),
		cmocka_unit_test(inbox_is_typed_in_any_case),
		cmocka_unit_test(own_folders_are_below_inbox_in_the_standard_namespace),
		cmocka_unit_test(other_names_are_the_admins_in_the_standard_namespace),
		cmocka_unit_test(an_administrator_types_the_names_of_the_standard_namespace),
		cmocka_unit_test(an_administrator_types_the_domain_of_others),
		cmocka_unit_test(own_folders_have_no_prefix_in_the_alternative_namespace),
		cmocka_unit_test(others_are_below_prefixes_in_the_alternative_namespace),
		cmocka_unit_test(others_and_shared_folders_are_of_the_users_domain),
		cmocka_unit_test(users_of_the_default_domain_have_none),
		cmocka_unit_test(typed_names_are_decoded),
		cmocka_unit_test(names_that_do_not_decode_count_as_they_are),
		cmocka_unit_test(names_of_nothing_lead_to_no_ones_inbox),
		cmocka_unit_test(the_hash_is_the_md5_of_the_decoded_name),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}

/* A mailbox is known by its id under another name, and only while that name can be nobody else's.
 */
#include "event/mailbox_ids.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

static int begin(void **state)
{
	static const uint8_t seed[16] = {1};
	*state = mailbox_ids_new(seed);
	return 0;
}

static int end(void **state)
{
	mailbox_ids_free(*state);
	return 0;
}

static struct mail_event event_at(const char *id, const char *owner, const char *folder)
{
	return (struct mail_event){.kind = EVENT_MESSAGE_NEW,
		.mailbox_id = id,
		.at = {{.owner = owner, .folder = folder}},
		.readings = 1};
}

static void learn(struct mailbox_ids *ids, const char *id, const char *owner, const char *folder)
{
	struct mail_event event = event_at(id, owner, folder);
	mailbox_ids_learn(ids, &event, 0);
}

/* Where it was, when it is seen there; "": not elsewhere, for all that is known. */
static const char *was(
	const struct mailbox_ids *ids, const char *id, const char *owner, const char *folder)
{
	struct mail_event event = event_at(id, owner, folder);
	struct mailbox found;
	if (!mailbox_ids_find_moved(ids, &event, &found))
		return "";
	assert_string_equal(found.owner, owner);
	return found.folder;
}

static void a_known_id_under_another_name_tells_the_old_one(void **state)
{
	learn(*state, "x", "alice", "Notes");
	assert_string_equal(was(*state, "x", "alice", "Notes"), "");
	assert_string_equal(was(*state, "x", "alice", "Archive"), "Notes");
	learn(*state, "x", "alice", "Archive");
	assert_string_equal(was(*state, "x", "alice", "Archive"), "");
	assert_string_equal(was(*state, "x", "alice", "Notes"), "Archive");
}

static void what_has_no_id_or_an_unknown_one_has_not_moved(void **state)
{
	learn(*state, NULL, "alice", "Notes");
	learn(*state, "x", "alice", "Notes");
	assert_string_equal(was(*state, NULL, "alice", "Archive"), "");
	assert_string_equal(was(*state, "y", "alice", "Archive"), "");
}

static void an_id_is_known_of_its_owner_alone(void **state)
{
	learn(*state, "x", "alice", "Notes");
	learn(*state, "x", "", "team");
	assert_string_equal(was(*state, "x", "bob", "Archive"), "");
	assert_string_equal(was(*state, "x", "alice", "Archive"), "Notes");
	assert_string_equal(was(*state, "x", "", "crew"), "team");
}

static void what_took_the_name_of_another_ends_what_was_known_of_that(void **state)
{
	learn(*state, "x", "alice", "Notes");
	learn(*state, "y", "alice", "Notes");
	assert_string_equal(was(*state, "x", "alice", "Archive"), "");
	assert_string_equal(was(*state, "y", "alice", "Archive"), "Notes");
}

static void two_that_change_names_are_told_apart(void **state)
{
	learn(*state, "x", "alice", "A");
	learn(*state, "y", "alice", "B");
	assert_string_equal(was(*state, "x", "alice", "B"), "A");
	learn(*state, "x", "alice", "B");
	assert_string_equal(was(*state, "y", "alice", "A"), "");
}

static void an_inbox_keeps_its_name(void **state)
{
	learn(*state, "x", "alice", "");
	assert_string_equal(was(*state, "x", "alice", "Archive"), "");
	learn(*state, "x", "alice", "Notes");
	assert_string_equal(was(*state, "x", "alice", ""), "");
}

static void what_is_forgotten_of_an_owner_is_known_of_others(void **state)
{
	learn(*state, "x", "alice", "A");
	learn(*state, "y", "alice", "B");
	learn(*state, "z", "bob", "C");
	mailbox_ids_forget(*state, "alice");
	mailbox_ids_forget(*state, "nobody");
	assert_string_equal(was(*state, "x", "alice", "D"), "");
	assert_string_equal(was(*state, "y", "alice", "D"), "");
	assert_string_equal(was(*state, "z", "bob", "D"), "C");
	learn(*state, "x", "alice", "A");
	assert_string_equal(was(*state, "x", "alice", "D"), "A");
}

/* Whoever makes a folder a@y in his tree must not speak for folder a of a namesake at y. */
static void of_two_readings_the_one_that_the_acl_names_counts(void **state)
{
	struct mail_event event = {.kind = EVENT_MESSAGE_NEW,
		.mailbox_id = "x",
		.at = {{.owner = "victim@y", .folder = "a"}, {.owner = "victim", .folder = "a@y"}},
		.readings = 2,
		.acl = "victim\tlrs\t"};
	mailbox_ids_learn(*state, &event, 0);
	mailbox_ids_learn(*state, &event, 1);
	event.at[0].folder = "b";
	event.at[1].folder = "b@y";
	struct mailbox found;
	assert_true(mailbox_ids_find_moved(*state, &event, &found));
	assert_string_equal(found.owner, "victim");
	assert_string_equal(found.folder, "a@y");
	event.acl = "victim@y\tlrs\t";
	assert_false(mailbox_ids_find_moved(*state, &event, &found));
}

static void the_oldest_of_an_owner_makes_place(void **state)
{
	char id[16];
	for (unsigned i = 0; i <= MAILBOX_IDS_PER_OWNER_MAX; i++) {
		snprintf(id, sizeof(id), "%u", i);
		learn(*state, id, "alice", id);
	}
	assert_string_equal(was(*state, "0", "alice", "Archive"), "");
	assert_string_equal(was(*state, "1", "alice", "Archive"), "1");
	assert_string_equal(was(*state, id, "alice", "Archive"), id);
}

static void too_many_in_all_begin_anew(void **state)
{
	char owner[16];
	for (unsigned i = 0; i <= MAILBOX_IDS_MAX; i++) {
		snprintf(owner, sizeof(owner), "%u", i);
		learn(*state, "x", owner, "Notes");
		assert_string_equal(was(*state, "x", owner, "Archive"), "Notes");
	}
	assert_string_equal(was(*state, "x", "0", "Archive"), "");
	assert_string_equal(was(*state, "x", "1", "Archive"), "");
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, begin, end)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(a_known_id_under_another_name_tells_the_old_one),
		TEST(what_has_no_id_or_an_unknown_one_has_not_moved),
		TEST(an_id_is_known_of_its_owner_alone),
		TEST(what_took_the_name_of_another_ends_what_was_known_of_that),
		TEST(two_that_change_names_are_told_apart),
		TEST(an_inbox_keeps_its_name),
		TEST(what_is_forgotten_of_an_owner_is_known_of_others),
		TEST(of_two_readings_the_one_that_the_acl_names_counts),
		TEST(the_oldest_of_an_owner_makes_place),
		TEST(too_many_in_all_begin_anew),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}

/* A mailbox is known by its id under another name, and only while that name can be nobody else's.
 */
#include "event/mailbox_ids.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#define SEEN_MS 1795945699685

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
	mailbox_ids_learn(ids, &event, 0, mailbox_ids_doubts(ids), SEEN_MS);
}

static void forget(struct mailbox_ids *ids, const char *owner, const char *folder)
{
	mailbox_ids_forget(ids, &(struct mailbox){.owner = owner, .folder = folder}, '.');
}

/* An event names it there: where was it?  "": not elsewhere, for all that is known. */
static void assert_was(struct mailbox_ids *ids, const char *id, const char *owner,
	const char *folder, const char *expected)
{
	struct mail_event event = event_at(id, owner, folder);
	struct mailbox found = {.folder = NULL};
	int64_t seen_ms = 0;
	bool is_found = mailbox_ids_follow(ids, &event, '.', &found, &seen_ms);
	assert_string_equal(is_found ? found.folder : "", expected);
	if (is_found) {
		assert_string_equal(found.owner, owner);
		assert_int_equal(seen_ms, SEEN_MS);
	}
	free((char *)found.folder);
}

static void a_known_id_under_another_name_tells_the_old_one(void **state)
{
	learn(*state, "x", "alice", "Notes");
	assert_was(*state, "x", "alice", "Notes", "");
	assert_was(*state, "x", "alice", "Archive", "Notes");
	assert_was(*state, "x", "alice", "Archive", "");
	assert_was(*state, "x", "alice", "Notes", "Archive");
}

static void when_it_was_last_seen_there_is_known_too(void **state)
{
	struct mail_event event = event_at("x", "alice", "A");
	struct mailbox was_at = {.folder = NULL};
	int64_t seen_ms = 0;
	mailbox_ids_learn(*state, &event, 0, mailbox_ids_doubts(*state), 5);
	mailbox_ids_learn(*state, &event, 0, mailbox_ids_doubts(*state), 7);
	event.at[0].folder = "B";
	assert_true(mailbox_ids_follow(*state, &event, '.', &was_at, &seen_ms));
	free((char *)was_at.folder);
	assert_int_equal(seen_ms, 7);
	mailbox_ids_learn(*state, &event, 0, mailbox_ids_doubts(*state), 9);
	event.at[0].folder = "C";
	assert_true(mailbox_ids_follow(*state, &event, '.', &was_at, &seen_ms));
	free((char *)was_at.folder);
	assert_int_equal(seen_ms, 9);
}

static void what_has_no_id_or_an_unknown_one_has_not_moved(void **state)
{
	learn(*state, NULL, "alice", "Notes");
	learn(*state, "x", "alice", "Notes");
	assert_was(*state, NULL, "alice", "Archive", "");
	assert_was(*state, "y", "alice", "Archive", "");
}

static void an_id_is_known_of_its_owner_alone(void **state)
{
	learn(*state, "x", "alice", "Notes");
	learn(*state, "x", "", "team");
	assert_was(*state, "x", "bob", "Archive", "");
	assert_was(*state, "x", "alice", "Archive", "Notes");
	assert_was(*state, "x", "", "crew", "team");
}

static void what_took_the_name_of_another_ends_what_was_known_of_that(void **state)
{
	learn(*state, "x", "alice", "Notes");
	learn(*state, "y", "alice", "Notes");
	assert_was(*state, "x", "alice", "Archive", "");
	assert_was(*state, "y", "alice", "Archive", "Notes");
}

/* What subscribes to A must not get the news of B, nor be without its own. */
static void neither_of_two_that_swapped_names_has_moved(void **state)
{
	learn(*state, "x", "alice", "A");
	learn(*state, "y", "alice", "B");
	assert_was(*state, "x", "alice", "B", "");
	assert_was(*state, "y", "alice", "A", "");
	learn(*state, "x", "alice", "B");
	learn(*state, "y", "alice", "A");
	assert_was(*state, "x", "alice", "C", "B");
	assert_was(*state, "y", "alice", "D", "A");
}

static void none_of_three_that_changed_names_in_a_circle_has_moved(void **state)
{
	learn(*state, "x", "alice", "A");
	learn(*state, "y", "alice", "B");
	learn(*state, "z", "alice", "C");
	assert_was(*state, "x", "alice", "B", "");
	learn(*state, "x", "alice", "B");
	assert_was(*state, "z", "alice", "A", "");
	assert_was(*state, "y", "alice", "C", "");
}

static void one_that_took_the_name_of_one_seen_elsewhere_has_moved(void **state)
{
	learn(*state, "x", "alice", "A");
	learn(*state, "y", "alice", "B");
	assert_was(*state, "y", "alice", "C", "B");
	assert_was(*state, "x", "alice", "B", "A");
}

static void one_that_swapped_names_with_another_owners_has_moved(void **state)
{
	learn(*state, "x", "alice", "A");
	learn(*state, "y", "bob", "B");
	assert_was(*state, "x", "alice", "B", "A");
}

static void what_is_below_moves_along_and_nothing_beside(void **state)
{
	learn(*state, "x", "alice", "Work");
	learn(*state, "y", "alice", "Work.Sub");
	learn(*state, "z", "alice", "Work.Sub.Deep");
	learn(*state, "b", "alice", "Works");
	learn(*state, "c", "alice", "Work/Sub");
	assert_was(*state, "x", "alice", "Job", "Work");
	assert_was(*state, "y", "alice", "Job.Sub", "");
	assert_was(*state, "z", "alice", "Else", "Job.Sub.Deep");
	assert_was(*state, "b", "alice", "Beside", "Works");
	assert_was(*state, "c", "alice", "Above", "Work/Sub");
}

static void what_was_seen_below_the_new_name_before_is_no_other(void **state)
{
	learn(*state, "x", "alice", "Work");
	learn(*state, "y", "alice", "Work.Sub");
	assert_was(*state, "y", "alice", "Job.Sub", "Work.Sub");
	assert_was(*state, "x", "alice", "Job", "Work");
	assert_was(*state, "y", "alice", "Job.Other", "Job.Sub");
}

static void two_that_swapped_names_are_known_by_what_is_below(void **state)
{
	learn(*state, "x", "alice", "A");
	learn(*state, "y", "alice", "A.Sub");
	learn(*state, "z", "alice", "B.Sub");
	assert_was(*state, "x", "alice", "B", "");
	assert_was(*state, "z", "alice", "A.Sub", "");
}

/* As the registry does it: what is at the new place was there before. */
static void one_that_moved_below_its_own_name_leaves_there_what_is_there(void **state)
{
	learn(*state, "x", "alice", "A");
	learn(*state, "y", "alice", "A.A.Sub");
	learn(*state, "z", "alice", "A.Other");
	assert_was(*state, "x", "alice", "A.A", "A");
	assert_was(*state, "y", "alice", "A.A.Sub", "");
	assert_was(*state, "z", "alice", "A.A.Other", "");
}

static void one_that_took_the_name_of_the_one_above_it_has_moved_once(void **state)
{
	learn(*state, "x", "alice", "A.A");
	assert_was(*state, "x", "alice", "A", "A.A");
	assert_was(*state, "x", "alice", "A", "");
}

static void a_name_that_becomes_too_long_is_forgotten(void **state)
{
	static char longest[MAILBOX_NAME_MAX + 1];
	static char below[MAILBOX_NAME_MAX + 5];
	memset(longest, 'l', MAILBOX_NAME_MAX);
	snprintf(below, sizeof(below), "%s.Sub", longest);
	learn(*state, "y", "alice", "A.Sub");
	learn(*state, "x", "alice", "A");
	learn(*state, "z", "alice", "Z");
	assert_was(*state, "x", "alice", longest, "A");
	assert_was(*state, "y", "alice", "B", "");
	assert_was(*state, "x", "alice", "A", longest);
	assert_was(*state, "z", "alice", "C", "Z");
}

static void an_inbox_keeps_its_name(void **state)
{
	learn(*state, "x", "alice", "");
	assert_was(*state, "x", "alice", "Archive", "");
	learn(*state, "x", "alice", "Notes");
	assert_was(*state, "x", "alice", "", "");
}

static void what_is_forgotten_of_an_owner_is_known_of_others(void **state)
{
	learn(*state, "x", "alice", "A");
	learn(*state, "y", "alice", "B");
	learn(*state, "z", "bob", "C");
	mailbox_ids_forget_owner(*state, "alice");
	mailbox_ids_forget_owner(*state, "nobody");
	assert_was(*state, "x", "alice", "D", "");
	assert_was(*state, "y", "alice", "D", "");
	assert_was(*state, "z", "bob", "D", "C");
	learn(*state, "x", "alice", "A");
	assert_was(*state, "x", "alice", "D", "A");
}

static void what_a_name_puts_in_doubt_is_there_below_and_above(void **state)
{
	learn(*state, "x", "alice", "Work");
	learn(*state, "y", "alice", "Work.Sub");
	learn(*state, "z", "alice", "Work.Sub.Deep");
	learn(*state, "b", "alice", "Work.Other");
	learn(*state, "c", "alice", "Works");
	learn(*state, "d", "bob", "Work.Sub");
	forget(*state, "alice", "Work.Sub");
	assert_was(*state, "x", "alice", "X", "");
	assert_was(*state, "y", "alice", "Y", "");
	assert_was(*state, "z", "alice", "Z", "");
	assert_was(*state, "b", "alice", "B", "Work.Other");
	assert_was(*state, "c", "alice", "C", "Works");
	assert_was(*state, "d", "bob", "D", "Work.Sub");
}

static void an_inbox_puts_no_folder_in_doubt(void **state)
{
	learn(*state, "x", "alice", "Notes");
	forget(*state, "alice", "");
	forget(*state, "nobody", "Notes");
	assert_was(*state, "x", "alice", "Archive", "Notes");
}

/* An event that came before the doubt, and is done after it, may tell of the old name. */
static void what_came_before_a_doubt_teaches_nothing_after_it(void **state)
{
	struct mail_event event = event_at("x", "alice", "Notes");
	uint64_t before = mailbox_ids_doubts(*state);
	forget(*state, "alice", "Notes");
	mailbox_ids_learn(*state, &event, 0, before, SEEN_MS);
	assert_was(*state, "x", "alice", "Archive", "");
	mailbox_ids_learn(*state, &event, 0, mailbox_ids_doubts(*state), SEEN_MS);
	before = mailbox_ids_doubts(*state);
	assert_was(*state, "x", "alice", "Archive", "Notes");
	mailbox_ids_learn(*state, &event, 0, before, SEEN_MS);
	assert_was(*state, "x", "alice", "Archive", "");
	mailbox_ids_forget_owner(*state, "alice");
	event.at[0].folder = "Archive";
	mailbox_ids_learn(*state, &event, 0, before, SEEN_MS);
	assert_was(*state, "x", "alice", "Older", "");
}

static void a_doubt_about_one_owner_is_none_about_another(void **state)
{
	struct mail_event event = event_at("x", "alice", "Notes");
	uint64_t before = mailbox_ids_doubts(*state);
	forget(*state, "bob", "Notes");
	mailbox_ids_learn(*state, &event, 0, before, SEEN_MS);
	assert_was(*state, "x", "alice", "Archive", "Notes");
}

/* Whoever makes a folder a@y in his tree must not speak for folder a of a namesake at y. */
static void the_reading_that_the_acl_names_counts_of_two(void **state)
{
	struct mail_event event = {.kind = EVENT_MESSAGE_NEW,
		.mailbox_id = "x",
		.at = {{.owner = "victim@y", .folder = "a"}, {.owner = "victim", .folder = "a@y"}},
		.readings = 2,
		.acl = "victim\tlrs\t"};
	mailbox_ids_learn(*state, &event, 0, 0, SEEN_MS);
	mailbox_ids_learn(*state, &event, 1, 0, SEEN_MS);
	event.acl = "victim@y\tlrs\t";
	event.at[0].folder = "b";
	event.at[1].folder = "b@y";
	struct mailbox found;
	int64_t seen_ms;
	assert_false(mailbox_ids_follow(*state, &event, '.', &found, &seen_ms));
	event.acl = "victim\tlrs\t";
	assert_true(mailbox_ids_follow(*state, &event, '.', &found, &seen_ms));
	assert_string_equal(found.owner, "victim");
	assert_string_equal(found.folder, "a@y");
	free((char *)found.folder);
}

static void the_oldest_of_an_owner_makes_place(void **state)
{
	char id[16];
	for (unsigned i = 0; i <= MAILBOX_IDS_PER_OWNER_MAX; i++) {
		snprintf(id, sizeof(id), "%u", i);
		learn(*state, id, "alice", id);
	}
	assert_was(*state, "0", "alice", "Archive", "");
	assert_was(*state, "1", "alice", "Archive", "1");
	assert_was(*state, id, "alice", "Older", id);
}

static void too_many_in_all_begin_again(void **state)
{
	char owner[16];
	for (unsigned i = 0; i <= MAILBOX_IDS_MAX; i++) {
		snprintf(owner, sizeof(owner), "%u", i);
		learn(*state, "x", owner, "Notes");
		assert_was(*state, "x", owner, "Archive", "Notes");
	}
	assert_was(*state, "x", "0", "Older", "");
	assert_was(*state, "x", "1", "Older", "");
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, begin, end)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(a_known_id_under_another_name_tells_the_old_one),
		TEST(when_it_was_last_seen_there_is_known_too),
		TEST(what_has_no_id_or_an_unknown_one_has_not_moved),
		TEST(an_id_is_known_of_its_owner_alone),
		TEST(what_took_the_name_of_another_ends_what_was_known_of_that),
		TEST(neither_of_two_that_swapped_names_has_moved),
		TEST(none_of_three_that_changed_names_in_a_circle_has_moved),
		TEST(one_that_took_the_name_of_one_seen_elsewhere_has_moved),
		TEST(one_that_swapped_names_with_another_owners_has_moved),
		TEST(what_is_below_moves_along_and_nothing_beside),
		TEST(what_was_seen_below_the_new_name_before_is_no_other),
		TEST(two_that_swapped_names_are_known_by_what_is_below),
		TEST(one_that_moved_below_its_own_name_leaves_there_what_is_there),
		TEST(one_that_took_the_name_of_the_one_above_it_has_moved_once),
		TEST(a_name_that_becomes_too_long_is_forgotten),
		TEST(an_inbox_keeps_its_name),
		TEST(what_is_forgotten_of_an_owner_is_known_of_others),
		TEST(what_a_name_puts_in_doubt_is_there_below_and_above),
		TEST(an_inbox_puts_no_folder_in_doubt),
		TEST(what_came_before_a_doubt_teaches_nothing_after_it),
		TEST(a_doubt_about_one_owner_is_none_about_another),
		TEST(the_reading_that_the_acl_names_counts_of_two),
		TEST(the_oldest_of_an_owner_makes_place),
		TEST(too_many_in_all_begin_again),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}

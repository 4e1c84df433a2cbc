/* Deletes and renames, sleeping and waking. */
#include "conformance.h"
#include "registry/batch.h"

static void deleting_a_folder_ends_its_subscriptions_and_no_others(void **state)
{
	struct world *w = *state;
	phone(w, NOW, "alice", TOKEN_A, "one",
		BOXES({.name = "Notes", .owner = "alice", .folder = "Notes"},
			{.name = "Notes/old", .owner = "alice", .folder = "Notes/old"},
			{.name = "INBOX", .owner = "alice", .folder = ""}));
	run(w);
	at(w, REGISTRY_MAILBOX_DELETE, NOW + 1, "alice", "Notes");
	run(w);
	assert_false(is_told(w, NOW + 2, "alice", "Notes", "one"));
	assert_true(is_told(w, NOW + 2, "alice", "Notes/old", "one"));
	struct registry_job *job = news(w, NOW + 2, "alice", "");
	run(w);
	assert_int_equal(job->match_count, 1);
	assert_false(job->matches[0].target->inbox_only);
}

static void a_delete_that_comes_late_spares_a_newer_list(void **state)
{
	struct world *w = *state;
	phone(w, NOW, "alice", TOKEN_A, "one",
		BOXES({.name = "Notes", .owner = "alice", .folder = "Notes"}));
	at(w, REGISTRY_MAILBOX_DELETE, NOW - 1, "alice", "Notes");
	at(w, REGISTRY_MAILBOX_DELETE, NOW - 1, "alice", "");
	run(w);
	assert_true(is_told(w, NOW, "alice", "Notes", "one"));
}

static void registering_a_folder_that_was_deleted_restores_it(void **state)
{
	struct world *w = *state;
	phone(w, NOW, "alice", TOKEN_A, "one",
		BOXES({.name = "Notes", .owner = "alice", .folder = "Notes"}));
	at(w, REGISTRY_MAILBOX_DELETE, NOW + 1, "alice", "Notes");
	phone(w, NOW + 2, "alice", TOKEN_A, "one",
		BOXES({.name = "Notes", .owner = "alice", .folder = "Notes"}));
	run(w);
	assert_true(is_told(w, NOW + 3, "alice", "Notes", "one"));
}

static void deleting_an_account_ends_the_subscriptions_of_others_to_it(void **state)
{
	struct world *w = *state;
	phone(w, NOW, "bob", TOKEN_A, "one",
		BOXES({.name = "INBOX", .owner = "bob", .folder = ""},
			{.name = "Other Users/alice/Notes", .owner = "alice", .folder = "Notes"}));
	run(w);
	at(w, REGISTRY_MAILBOX_DELETE, NOW + 1, "alice", "");
	run(w);
	assert_false(is_told(w, NOW + 2, "alice", "Notes", "one"));
	assert_true(is_told(w, NOW + 2, "bob", "", "one"));
}

static void phones_of_a_deleted_account_hear_nothing_of_others(void **state)
{
	struct world *w = *state;
	phone(w, NOW, "alice", TOKEN_A, "one",
		BOXES({.name = "Other Users/bob", .owner = "bob", .folder = ""}));
	at(w, REGISTRY_MAILBOX_DELETE, NOW + 1, "alice", "");
	run(w);
	assert_false(is_told(w, NOW + 2, "bob", "", "one"));
}

static size_t effects(const struct registry_job *job, enum registry_effect_kind kind)
{
	size_t count = 0;
	for (size_t i = 0; i < job->effect_count; i++)
		count += job->effects[i].kind == kind;
	return count;
}

static void a_delete_tells_what_is_lost_by_it(void **state)
{
	struct world *w = *state;
	phone(w, NOW, "alice", TOKEN_A, "one",
		BOXES({.name = "INBOX", .owner = "alice", .folder = ""},
			{.name = "Notes", .owner = "alice", .folder = "Notes"}));
	phone(w, NOW, "bob", TOKEN_B, "two",
		BOXES({.name = "A", .owner = "alice", .folder = "Notes"}));
	phone(w, NOW + 2, "carol", TOKEN_B, "three",
		BOXES({.name = "A", .owner = "alice", .folder = "Notes"}));
	struct registry_job *folder = at(w, REGISTRY_MAILBOX_DELETE, NOW + 1, "alice", "Notes");
	run(w);
	assert_int_equal(folder->effect_count, 2);
	assert_int_equal(effects(folder, REGISTRY_EFFECT_LOST), 2);
	for (size_t i = 0; i < 2; i++)
		assert_true(!strcmp(folder->effects[i].hash, hash_of("Notes")) ||
			!strcmp(folder->effects[i].hash, hash_of("A")));
	struct registry_job *again = at(w, REGISTRY_MAILBOX_DELETE, NOW + 1, "alice", "Notes");
	run(w);
	assert_int_equal(again->effect_count, 0);
}

static void the_end_of_an_account_tells_who_sleeps_and_what_is_lost(void **state)
{
	struct world *w = *state;
	phone(w, NOW, "alice", TOKEN_A, "one", INBOX_OF("alice"));
	phone(w, NOW, "alice", TOKEN_B, "two", INBOX_OF("alice"));
	phone(w, NOW, "bob", TOKEN_B, "three",
		BOXES({.name = "A", .owner = "alice", .folder = "x"},
			{.name = "INBOX", .owner = "bob", .folder = ""}));
	for (int i = 0; i < 2; i++) {
		struct registry_job *job = at(w, REGISTRY_MAILBOX_DELETE, NOW + 1, "alice", "");
		run(w);
		/* Done again after a crash, it says again who sleeps. */
		assert_int_equal(effects(job, REGISTRY_EFFECT_SUSPENDED), 2);
		assert_int_equal(effects(job, REGISTRY_EFFECT_LOST), i ? 0 : 1);
	}
	struct registry_job *told = news(w, NOW + 2, "alice", "elsewhere");
	run(w);
	assert_int_equal(effects(told, REGISTRY_EFFECT_RESUMED), 2);
	told = news(w, NOW + 3, "alice", "");
	run(w);
	assert_int_equal(told->effect_count, 0);
}

static void a_registration_tells_whom_it_wakes(void **state)
{
	struct world *w = *state;
	phone(w, NOW, "alice", TOKEN_A, "one", INBOX_OF("alice"));
	phone(w, NOW, "alice", TOKEN_B, "two", INBOX_OF("alice"));
	at(w, REGISTRY_MAILBOX_DELETE, NOW + 1, "alice", "");
	struct registry_job *job = phone(w, NOW + 2, "alice", TOKEN_A, "one", INBOX_OF("alice"));
	run(w);
	assert_int_equal(effects(job, REGISTRY_EFFECT_RESUMED), 2);
}

static void tidying_tells_who_of_the_sleepers_is_awake_or_gone(void **state)
{
	struct world *w = *state;
	struct registry_job *awake = phone(w, NOW, "alice", TOKEN_A, "one", INBOX_OF("alice"));
	struct registry_job *asleep = phone(w, NOW, "bob", TOKEN_B, "two", INBOX_OF("bob"));
	at(w, REGISTRY_MAILBOX_DELETE, NOW + 1, "bob", "");
	run(w);
	const struct registry_key keys[] = {
		awake->matches[0].target->key, asleep->matches[0].target->key, {.bytes = {7}}};
	struct registry_job *job = tidy(w, NOW + 2);
	job->keys = keys;
	job->key_count = 3;
	run(w);
	assert_int_equal(job->effect_count, 2);
	assert_int_equal(job->effects[0].kind, REGISTRY_EFFECT_RESUMED);
	assert_memory_equal(&job->effects[0].key, &keys[0], sizeof(keys[0]));
	assert_int_equal(job->effects[1].kind, REGISTRY_EFFECT_ABSENT);
	assert_memory_equal(&job->effects[1].key, &keys[2], sizeof(keys[2]));
}

static void an_event_of_the_owner_wakes_and_tells(void **state)
{
	struct world *w = *state;
	phone(w, NOW, "alice", TOKEN_A, "one", INBOX_OF("alice"));
	at(w, REGISTRY_MAILBOX_DELETE, NOW + 1, "alice", "");
	run(w);
	assert_true(is_told(w, NOW + 2, "alice", "", "one"));
	struct registry_job *job = tidy(w, NOW + 2 * GRACE);
	run(w);
	assert_int_equal(job->gone_count, 0);
}

static void an_event_in_any_folder_of_the_owner_wakes(void **state)
{
	struct world *w = *state;
	phone(w, NOW, "alice", TOKEN_A, "one",
		BOXES({.name = "Other Users/bob", .owner = "bob", .folder = ""}));
	at(w, REGISTRY_MAILBOX_DELETE, NOW + 1, "alice", "");
	run(w);
	news(w, NOW + 2, "alice", "not registered");
	run(w);
	assert_true(is_told(w, NOW + 3, "bob", "", "one"));
}

static void an_event_from_before_the_delete_does_not_wake(void **state)
{
	struct world *w = *state;
	phone(w, NOW, "alice", TOKEN_A, "one", INBOX_OF("alice"));
	at(w, REGISTRY_MAILBOX_DELETE, NOW + 10, "alice", "");
	run(w);
	assert_false(is_told(w, NOW + 9, "alice", "", "one"));
	struct registry_job *job = tidy(w, NOW + 2 * GRACE);
	run(w);
	assert_true(is_gone(w, job, "alice", TOKEN_A, "one"));
}

static void an_event_from_before_the_delete_leaves_the_sleep_known(void **state)
{
	struct world *w = *state;
	phone(w, NOW, "alice", TOKEN_A, "one",
		BOXES({.name = "Other Users/bob", .owner = "bob", .folder = ""}));
	at(w, REGISTRY_MAILBOX_DELETE, NOW + 10, "alice", "");
	news(w, NOW + 9, "alice", "not registered");
	run(w);
	assert_false(is_told(w, NOW + 11, "bob", "", "one"));
	news(w, NOW + 12, "alice", "not registered");
	run(w);
	assert_true(is_told(w, NOW + 13, "bob", "", "one"));
}

static void an_account_whose_delete_comes_late_does_not_sleep(void **state)
{
	struct world *w = *state;
	phone(w, NOW, "alice", TOKEN_A, "one",
		BOXES({.name = "Other Users/bob", .owner = "bob", .folder = ""}));
	at(w, REGISTRY_MAILBOX_DELETE, NOW - 1, "alice", "");
	run(w);
	assert_true(is_told(w, NOW, "bob", "", "one"));
}

static void a_registration_wakes_all_of_the_user(void **state)
{
	struct world *w = *state;
	phone(w, NOW, "alice", TOKEN_A, "one",
		BOXES({.name = "Other Users/bob", .owner = "bob", .folder = ""}));
	at(w, REGISTRY_MAILBOX_DELETE, NOW + 1, "alice", "");
	run(w);
	phone(w, NOW + 2, "alice", TOKEN_B, "two", INBOX_OF("alice"));
	run(w);
	assert_true(is_told(w, NOW + 3, "bob", "", "one"));
	assert_true(is_told(w, NOW + 3, "alice", "", "two"));
}

static void sleep_that_another_node_began_is_noticed(void **state)
{
	struct world *w = *state;
	phone(w, NOW, "alice", TOKEN_A, "one", INBOX_OF("alice"));
	run(w);
	assert_true(is_told(w, NOW, "alice", "", "one"));
	struct registry_store *here = w->store;
	open_store(w);
	at(w, REGISTRY_MAILBOX_DELETE, NOW + 1, "alice", "");
	run(w);
	registry_store_close(w->store);
	w->store = here;
	assert_true(is_told(w, NOW + 2, "alice", "", "one"));
}

static void tidying_learns_whom_other_nodes_put_to_sleep(void **state)
{
	struct world *w = *state;
	phone(w, NOW, "alice", TOKEN_A, "one",
		BOXES({.name = "Other Users/bob", .owner = "bob", .folder = ""}));
	run(w);
	assert_true(is_told(w, NOW, "bob", "", "one"));
	struct registry_store *here = w->store;
	open_store(w);
	at(w, REGISTRY_MAILBOX_DELETE, NOW + 1, "alice", "");
	run(w);
	registry_store_close(w->store);
	w->store = here;
	tidy(w, NOW + 2);
	run(w);
	news(w, NOW + 3, "alice", "not registered");
	run(w);
	assert_true(is_told(w, NOW + 4, "bob", "", "one"));
}

static void a_renamed_folder_takes_what_is_below_it_along(void **state)
{
	struct world *w = *state;
	phone(w, NOW, "alice", TOKEN_A, "one",
		BOXES({.name = "Notes", .owner = "alice", .folder = "Notes"},
			{.name = "Notes/\303\244lt",
				.owner = "alice",
				.folder = "Notes/\303\244lt"},
			{.name = "Notes.b", .owner = "alice", .folder = "Notes.b"},
			{.name = "Notes0", .owner = "alice", .folder = "Notes0"}));
	run(w);
	moved(w, NOW + 1, "alice", "Notes", "alice", "B\303\274cher/N");
	run(w);
	assert_true(is_told(w, NOW + 2, "alice", "B\303\274cher/N", "one"));
	struct registry_job *below = news(w, NOW + 2, "alice", "B\303\274cher/N/\303\244lt");
	run(w);
	assert_int_equal(below->match_count, 1);
	assert_true(has_hash(&below->matches[0], "Notes/\303\244lt"));
	assert_false(is_told(w, NOW + 2, "alice", "Notes", "one"));
	assert_true(is_told(w, NOW + 2, "alice", "Notes.b", "one"));
	assert_true(is_told(w, NOW + 2, "alice", "Notes0", "one"));
}

static void a_rename_that_comes_late_spares_a_newer_list(void **state)
{
	struct world *w = *state;
	phone(w, NOW, "alice", TOKEN_A, "one",
		BOXES({.name = "Notes", .owner = "alice", .folder = "Notes"},
			{.name = "Notes/old", .owner = "alice", .folder = "Notes/old"}));
	moved(w, NOW - 1, "alice", "Notes", "alice", "Archive");
	moved(w, NOW - 1, "alice", "", "bob", "");
	run(w);
	assert_true(is_told(w, NOW, "alice", "Notes", "one"));
	assert_true(is_told(w, NOW, "alice", "Notes/old", "one"));
	assert_false(is_told(w, NOW, "alice", "Archive", "one"));
}

static void a_delete_that_comes_late_spares_a_newer_list_of_others(void **state)
{
	struct world *w = *state;
	phone(w, NOW, "bob", TOKEN_A, "one",
		BOXES({.name = "Other Users/alice", .owner = "alice", .folder = ""}));
	at(w, REGISTRY_MAILBOX_DELETE, NOW - 1, "alice", "");
	run(w);
	assert_true(is_told(w, NOW, "alice", "", "one"));
}

static void a_rename_done_twice_is_as_done_once(void **state)
{
	struct world *w = *state;
	phone(w, NOW, "alice", TOKEN_A, "one",
		BOXES({.name = "Notes", .owner = "alice", .folder = "Notes"}));
	moved(w, NOW + 1, "alice", "Notes", "alice", "Archive");
	moved(w, NOW + 1, "alice", "Notes", "alice", "Archive");
	run(w);
	assert_true(is_told(w, NOW + 2, "alice", "Archive", "one"));
}

static void a_rename_below_itself_done_twice_is_as_done_once(void **state)
{
	struct world *w = *state;
	phone(w, NOW, "alice", TOKEN_A, "one",
		BOXES({.name = "Notes", .owner = "alice", .folder = "Notes"},
			{.name = "Notes/x", .owner = "alice", .folder = "Notes/x"},
			{.name = "Notes/Older", .owner = "alice", .folder = "Notes/Older"}));
	moved(w, NOW + 1, "alice", "Notes", "alice", "Notes/Old");
	moved(w, NOW + 1, "alice", "Notes", "alice", "Notes/Old");
	run(w);
	assert_true(is_told(w, NOW + 2, "alice", "Notes/Old", "one"));
	assert_true(is_told(w, NOW + 2, "alice", "Notes/Old/x", "one"));
	assert_true(is_told(w, NOW + 2, "alice", "Notes/Old/Older", "one"));
}

static void what_subscribes_to_where_a_mailbox_was_gets_its_news(void **state)
{
	struct world *w = *state;
	phone(w, NOW, "alice", TOKEN_A, "one",
		BOXES({.name = "Notes", .owner = "alice", .folder = "Notes"},
			{.name = "Notes/old", .owner = "alice", .folder = "Notes/old"}));
	phone(w, NOW, "alice", TOKEN_B, "two",
		BOXES({.name = "Archive", .owner = "alice", .folder = "Archive"}));
	struct mailbox was_at = {.owner = "alice", .folder = "Notes"};
	struct registry_job *before = news(w, NOW + 1, "alice", "Archive");
	struct registry_job *job = news(w, NOW + 1, "alice", "Archive");
	job->was_at = &was_at;
	job->separator = '/';
	struct registry_job *after = news(w, NOW + 1, "alice", "Notes");
	run(w);
	assert_int_equal(before->match_count, 1);
	assert_int_equal(job->match_count, 2);
	assert_true(has_hash(&job->matches[0], "Notes") || has_hash(&job->matches[1], "Notes"));
	assert_int_equal(after->match_count, 0);
	assert_true(is_told(w, NOW + 2, "alice", "Archive/old", "one"));
	assert_false(is_told(w, NOW + 2, "alice", "Notes/old", "one"));
}

/* Where somebody named both, they were two: they swapped names, or the like. */
static void what_takes_a_name_that_was_registered_before_has_not_moved(void **state)
{
	struct world *w = *state;
	struct mailbox was_at = {.owner = "alice", .folder = "Notes"};
	phone(w, NOW, "alice", TOKEN_A, "one",
		BOXES({.name = "Notes", .owner = "alice", .folder = "Notes"},
			{.name = "Work", .owner = "alice", .folder = "Work"}));
	struct registry_job *job = news(w, NOW + 2, "alice", "Work");
	job->was_at = &was_at;
	job->was_seen_ms = NOW + 1;
	job->separator = '/';
	run(w);
	assert_false(job->has_moved);
	assert_int_equal(job->match_count, 1);
	assert_int_equal(job->matches[0].hash_count, 1);
	assert_true(has_hash(&job->matches[0], "Work"));
	assert_true(is_told(w, NOW + 3, "alice", "Notes", "one"));
}

static void what_takes_a_name_that_was_registered_since_has_moved(void **state)
{
	struct world *w = *state;
	struct mailbox was_at = {.owner = "alice", .folder = "Notes"};
	phone(w, NOW, "alice", TOKEN_A, "one",
		BOXES({.name = "Notes", .owner = "alice", .folder = "Notes"}));
	phone(w, NOW + 2, "alice", TOKEN_B, "two",
		BOXES({.name = "Work", .owner = "alice", .folder = "Work"}));
	struct registry_job *job = news(w, NOW + 3, "alice", "Work");
	job->was_at = &was_at;
	job->was_seen_ms = NOW + 1;
	job->separator = '/';
	run(w);
	assert_true(job->has_moved);
	assert_int_equal(job->match_count, 2);
	assert_false(is_told(w, NOW + 4, "alice", "Notes", "one"));
}

static void a_newer_list_stays_where_a_mailbox_was(void **state)
{
	struct world *w = *state;
	phone(w, NOW, "alice", TOKEN_A, "one",
		BOXES({.name = "Notes", .owner = "alice", .folder = "Notes"}));
	struct mailbox was_at = {.owner = "alice", .folder = "Notes"};
	struct registry_job *job = news(w, NOW - 1, "alice", "Archive");
	job->was_at = &was_at;
	job->separator = '/';
	run(w);
	assert_int_equal(job->match_count, 0);
	assert_true(is_told(w, NOW, "alice", "Notes", "one"));
}

static void a_folder_may_move_to_another_owner(void **state)
{
	struct world *w = *state;
	phone(w, NOW, "alice", TOKEN_A, "one",
		BOXES({.name = "Notes", .owner = "alice", .folder = "Notes"}));
	moved(w, NOW + 1, "alice", "Notes", "bob", "Notes");
	run(w);
	struct registry_job *job = news(w, NOW + 2, "bob", "Notes");
	run(w);
	assert_int_equal(job->match_count, 1);
	assert_false(job->matches[0].is_own);
}

static void with_a_dot_as_separator_a_slash_is_a_letter(void **state)
{
	struct world *w = *state;
	phone(w, NOW, "alice", TOKEN_A, "one",
		BOXES({.name = "a", .owner = "alice", .folder = "Notes.x"},
			{.name = "b", .owner = "alice", .folder = "Notes/x"}));
	moved(w, NOW + 1, "alice", "Notes", "alice", "Archive")->separator = '.';
	run(w);
	assert_true(is_told(w, NOW + 2, "alice", "Archive.x", "one"));
	assert_true(is_told(w, NOW + 2, "alice", "Notes/x", "one"));
}

static void an_ambiguous_rename_stays_with_its_owner(void **state)
{
	struct world *w = *state;
	phone(w, NOW, "alice", TOKEN_A, "one",
		BOXES({.name = "Notes", .owner = "alice", .folder = "Notes"}));
	struct registry_job *job = moved(w, NOW + 1, "alice", "Notes", "alice@x", "b");
	struct made *made = MEM_CONTAINER(job, struct made, job);
	made->event.at[1] = (struct mailbox){.owner = "alice", .folder = "b@x"};
	made->event.readings = 2;
	run(w);
	assert_true(is_told(w, NOW + 2, "alice", "b@x", "one"));
}

/* alice's folder "Notes@bob", which may be folder "Notes" of a user "alice@bob". */
static struct made *ambiguous_delete(struct world *w, int64_t received_ms, const char *acl)
{
	struct registry_job *job =
		at(w, REGISTRY_MAILBOX_DELETE, received_ms, "alice", "Notes@bob");
	struct made *made = MEM_CONTAINER(job, struct made, job);
	made->event.at[1] = (struct mailbox){.owner = "alice@bob", .folder = "Notes"};
	made->event.readings = 2;
	made->event.acl = acl;
	return made;
}

static void an_ambiguous_delete_spares_whom_the_acl_does_not_name(void **state)
{
	struct world *w = *state;
	phone(w, NOW, "alice@bob", TOKEN_A, "one",
		BOXES({.name = "Notes", .owner = "alice@bob", .folder = "Notes"}));
	phone(w, NOW, "alice", TOKEN_B, "two",
		BOXES({.name = "Notes@bob", .owner = "alice", .folder = "Notes@bob"}));
	ambiguous_delete(w, NOW + 1, "alice\tlrswipkxtecdan\t");
	run(w);
	assert_true(is_told(w, NOW + 2, "alice@bob", "Notes", "one"));
	assert_false(is_told(w, NOW + 2, "alice", "Notes@bob", "two"));
	ambiguous_delete(w, NOW + 3, NULL);
	run(w);
	assert_true(is_told(w, NOW + 4, "alice@bob", "Notes", "one"));
	ambiguous_delete(w, NOW + 5, "alice@bob\tlrswipkxtecdan\t");
	run(w);
	assert_false(is_told(w, NOW + 6, "alice@bob", "Notes", "one"));
}

/* The other way round: alice makes a folder "Notes@bob", which is read as alice@bob's first. */
static void an_ambiguous_delete_spares_the_first_reading_too(void **state)
{
	struct world *w = *state;
	phone(w, NOW, "alice@bob", TOKEN_A, "one",
		BOXES({.name = "Notes", .owner = "alice@bob", .folder = "Notes"}));
	static const struct mailbox first = {.owner = "alice@bob", .folder = "Notes"};
	static const struct mailbox second = {.owner = "alice", .folder = "Notes@bob"};
	for (int64_t i = 0; i < 2; i++) {
		struct made *made = ambiguous_delete(
			w, NOW + 1, i ? "alice@bob\tlrswipkxtecdan\t" : "alice\tlrswipkxtecdan\t");
		made->event.at[0] = first;
		made->event.at[1] = second;
		run(w);
		assert_int_equal(is_told(w, NOW + 2, "alice@bob", "Notes", "one"), i == 0);
	}
}

static void an_ambiguous_event_wakes_nobody_whom_the_acl_does_not_name(void **state)
{
	struct world *w = *state;
	phone(w, NOW, "alice@bob", TOKEN_A, "one",
		BOXES({.name = "Notes", .owner = "alice@bob", .folder = "Notes"}));
	at(w, REGISTRY_MAILBOX_DELETE, NOW + 1, "alice@bob", "");
	run(w);
	for (int64_t i = 0; i < 2; i++) {
		struct registry_job *job = at(w, REGISTRY_NEWS, NOW + 2, "alice@bob", "Notes");
		struct made *made = MEM_CONTAINER(job, struct made, job);
		made->event.at[1] = (struct mailbox){.owner = "alice", .folder = "Notes@bob"};
		made->event.readings = 2;
		made->event.acl = i ? "alice@bob\tlrswipkxtecdan\t" : "alice\tlrswipkxtecdan\t";
		run(w);
		assert_int_equal(job->match_count, i);
	}
}

static void an_ambiguous_rename_spares_whom_the_acl_does_not_name(void **state)
{
	struct world *w = *state;
	phone(w, NOW, "alice@bob", TOKEN_A, "one",
		BOXES({.name = "Notes", .owner = "alice@bob", .folder = "Notes"}));
	for (int64_t i = 0; i < 2; i++) {
		struct registry_job *job =
			moved(w, NOW + 1, "alice", "Notes@bob", "alice", "Archive@bob");
		struct made *made = MEM_CONTAINER(job, struct made, job);
		made->event.from[1] = (struct mailbox){.owner = "alice@bob", .folder = "Notes"};
		made->event.from_readings = 2;
		made->event.at[1] = (struct mailbox){.owner = "alice@bob", .folder = "Archive"};
		made->event.readings = 2;
		made->event.acl = i ? "alice@bob\tlrswipkxtecdan\t" : "alice\tlrswipkxtecdan\t";
		run(w);
		assert_int_equal(is_told(w, NOW + 2, "alice@bob", "Notes", "one"), i == 0);
		assert_int_equal(is_told(w, NOW + 2, "alice@bob", "Archive", "one"), i == 1);
	}
}

static void renaming_an_account_puts_the_old_one_to_sleep(void **state)
{
	struct world *w = *state;
	phone(w, NOW, "alice", TOKEN_A, "one",
		BOXES({.name = "Other Users/bob", .owner = "bob", .folder = ""}));
	moved(w, NOW + 1, "alice", "", "alicia", "");
	run(w);
	assert_false(is_told(w, NOW + 2, "bob", "", "one"));
}

static void renaming_the_own_inbox_to_a_folder_puts_nobody_to_sleep(void **state)
{
	struct world *w = *state;
	phone(w, NOW, "alice", TOKEN_A, "one",
		BOXES({.name = "Other Users/bob", .owner = "bob", .folder = ""}));
	moved(w, NOW + 1, "alice", "", "alice", "Old");
	run(w);
	assert_true(is_told(w, NOW + 2, "bob", "", "one"));
}

int conformance_mailbox(void)
{
	const struct CMUnitTest tests[] = {
		RULE(deleting_a_folder_ends_its_subscriptions_and_no_others),
		RULE(a_delete_that_comes_late_spares_a_newer_list),
		RULE(registering_a_folder_that_was_deleted_restores_it),
		RULE(deleting_an_account_ends_the_subscriptions_of_others_to_it),
		RULE(phones_of_a_deleted_account_hear_nothing_of_others),
		RULE(a_delete_tells_what_is_lost_by_it),
		RULE(the_end_of_an_account_tells_who_sleeps_and_what_is_lost),
		RULE(a_registration_tells_whom_it_wakes),
		RULE(tidying_tells_who_of_the_sleepers_is_awake_or_gone),
		RULE(an_event_of_the_owner_wakes_and_tells),
		RULE(an_event_in_any_folder_of_the_owner_wakes),
		RULE(an_event_from_before_the_delete_does_not_wake),
		RULE(an_event_from_before_the_delete_leaves_the_sleep_known),
		RULE(an_account_whose_delete_comes_late_does_not_sleep),
		RULE(a_registration_wakes_all_of_the_user),
		RULE(sleep_that_another_node_began_is_noticed),
		RULE(tidying_learns_whom_other_nodes_put_to_sleep),
		RULE(a_renamed_folder_takes_what_is_below_it_along),
		RULE(a_rename_that_comes_late_spares_a_newer_list),
		RULE(a_delete_that_comes_late_spares_a_newer_list_of_others),
		RULE(a_rename_done_twice_is_as_done_once),
		RULE(a_rename_below_itself_done_twice_is_as_done_once),
		RULE(what_subscribes_to_where_a_mailbox_was_gets_its_news),
		RULE(what_takes_a_name_that_was_registered_before_has_not_moved),
		RULE(what_takes_a_name_that_was_registered_since_has_moved),
		RULE(a_newer_list_stays_where_a_mailbox_was),
		RULE(a_folder_may_move_to_another_owner),
		RULE(with_a_dot_as_separator_a_slash_is_a_letter),
		RULE(an_ambiguous_rename_stays_with_its_owner),
		RULE(an_ambiguous_delete_spares_whom_the_acl_does_not_name),
		RULE(an_ambiguous_delete_spares_the_first_reading_too),
		RULE(an_ambiguous_event_wakes_nobody_whom_the_acl_does_not_name),
		RULE(an_ambiguous_rename_spares_whom_the_acl_does_not_name),
		RULE(renaming_an_account_puts_the_old_one_to_sleep),
		RULE(renaming_the_own_inbox_to_a_folder_puts_nobody_to_sleep),
	};
	return cmocka_run_group_tests_name("mailbox", tests, NULL, NULL);
}

/* Registering, being found by news, and the order within a batch. */
#include "conformance.h"
#include "registry/batch.h"

static void news_of_a_registered_mailbox_finds_all_that_a_push_needs(void **state)
{
	struct world *w = *state;
	phone(w, NOW, "alice", TOKEN_A, "one",
		BOXES({.name = "INBOX", .owner = "alice", .folder = ""},
			{.name = "Notes", .owner = "alice", .folder = "Notes"}));
	run(w);
	struct registry_job *job = news(w, NOW + 1, "alice", "Notes");
	run(w);
	assert_int_equal(job->match_count, 1);
	const struct registry_match *match = &job->matches[0];
	struct registry_key key =
		registry_key_make(w->site, "alice", TOKEN_A, "one", "com.apple.mobilemail");
	assert_memory_equal(&match->target->key, &key, sizeof(key));
	assert_string_equal(match->target->user, "alice");
	assert_string_equal(match->target->token, TOKEN_A);
	assert_string_equal(match->target->account_id, "one");
	assert_string_equal(match->target->topic, TOPIC);
	assert_int_equal(match->target->aps_version, 2);
	assert_true(match->target->confirmed);
	assert_false(match->target->inbox_only);
	assert_int_equal(match->target->renewed_ms, NOW);
	assert_int_equal(match->hash_count, 1);
	assert_true(has_hash(match, "Notes"));
	assert_int_equal(match->reading, 0);
	assert_true(match->is_own);
}

static void news_of_an_unregistered_mailbox_finds_nobody(void **state)
{
	struct world *w = *state;
	phone(w, NOW, "alice", TOKEN_A, "one", INBOX_OF("alice"));
	run(w);
	struct registry_job *folder = news(w, NOW, "alice", "Notes");
	struct registry_job *user = news(w, NOW, "alic", "");
	struct registry_job *letters = news(w, NOW, "ALICE", "");
	run(w);
	assert_int_equal(folder->match_count, 0);
	assert_int_equal(user->match_count, 0);
	assert_int_equal(letters->match_count, 0);
}

static void users_of_another_site_are_not_found(void **state)
{
	struct world *w = *state;
	phone(w, NOW, "alice", TOKEN_A, "one", INBOX_OF("alice"));
	run(w);
	struct world other = {.settings = w->settings};
	other.settings.site = "somewhere else";
	job_list_init(&other.batch);
	open_store(&other);
	bool told = is_told(&other, NOW, "alice", "", "one");
	registry_store_close(other.store);
	registry_job_fini(&other.made->job);
	free(other.made);
	assert_false(told);
}

static void a_first_registration_is_new_and_brings_all_its_hashes(void **state)
{
	struct world *w = *state;
	struct registry_job *job = phone(w, NOW, "alice", TOKEN_A, "one",
		BOXES({.name = "INBOX", .owner = "alice", .folder = ""},
			{.name = "Notes", .owner = "alice", .folder = "Notes"}));
	run(w);
	assert_true(job->is_new);
	assert_false(job->list_changed);
	assert_false(job->is_stale);
	assert_int_equal(job->gone_count, 0);
	assert_int_equal(job->match_count, 1);
	assert_int_equal(job->matches[0].hash_count, 2);
	assert_true(has_hash(&job->matches[0], "INBOX"));
	assert_true(has_hash(&job->matches[0], "Notes"));
	assert_true(job->matches[0].is_own);
}

static void renewing_with_the_same_list_in_another_order_changes_no_list(void **state)
{
	struct world *w = *state;
	phone(w, NOW, "alice", TOKEN_A, "one",
		BOXES({.name = "INBOX", .owner = "alice", .folder = ""},
			{.name = "Notes", .owner = "alice", .folder = "Notes"}));
	run(w);
	struct registry_job *job = phone(w, NOW + DAY, "alice", TOKEN_A, "one",
		BOXES({.name = "Notes", .owner = "alice", .folder = "Notes"},
			{.name = "INBOX", .owner = "alice", .folder = ""}));
	run(w);
	assert_false(job->is_new);
	assert_false(job->list_changed);
	assert_false(job->is_again);
	assert_int_equal(job->matches[0].target->renewed_ms, NOW + DAY);
}

static void a_registration_done_again_after_a_crash_is_known_by_its_time(void **state)
{
	struct world *w = *state;
	struct registry_job *job = phone(w, NOW, "alice", TOKEN_A, "one",
		BOXES({.name = "INBOX", .owner = "alice", .folder = ""}));
	run(w);
	assert_false(job->is_again);
	job = phone(w, NOW, "alice", TOKEN_A, "one",
		BOXES({.name = "INBOX", .owner = "alice", .folder = ""}));
	job->may_be_done = true;
	run(w);
	assert_true(job->is_again);
	assert_false(job->is_new);
	assert_false(job->list_changed);
	assert_int_equal(job->matches[0].hash_count, 1);
	job = phone(w, NOW + 1, "alice", TOKEN_A, "one",
		BOXES({.name = "INBOX", .owner = "alice", .folder = ""}));
	job->may_be_done = true;
	run(w);
	assert_false(job->is_again);
}

/* A crash may have come before the push that was to prove it. */
static void the_first_renewal_of_what_came_before_the_start_is_as_new(void **state)
{
	struct world *w = *state;
	phone(w, NOW, "alice", TOKEN_A, "one", INBOX_OF("alice"));
	run(w);
	registry_store_close(w->store);
	w->settings.started_ms = NOW + 1;
	open_store(w);
	struct registry_job *job = phone(w, NOW + 2, "alice", TOKEN_A, "one", INBOX_OF("alice"));
	run(w);
	assert_true(job->is_again);
	assert_false(job->is_new || job->list_changed);
	job = phone(w, NOW + 3, "alice", TOKEN_A, "one", INBOX_OF("alice"));
	run(w);
	assert_false(job->is_again);
	phone(w, NOW + 4, "bob", TOKEN_B, "two", INBOX_OF("bob"));
	run(w);
	job = phone(w, NOW + 5, "bob", TOKEN_B, "two", INBOX_OF("bob"));
	run(w);
	assert_false(job->is_again);
}

static void a_phone_that_registers_twice_at_the_same_time_is_no_registration_done_again(
	void **state)
{
	struct world *w = *state;
	phone(w, NOW, "alice", TOKEN_A, "one", INBOX_OF("alice"));
	run(w);
	struct registry_job *job = phone(w, NOW, "alice", TOKEN_A, "one", INBOX_OF("alice"));
	run(w);
	assert_false(job->is_again || job->is_new || job->list_changed);
}

static void equal_registrations_of_one_batch_are_one(void **state)
{
	struct world *w = *state;
	phone(w, NOW, "alice", TOKEN_A, "one", INBOX_OF("alice"));
	run(w);
	struct registry_job *first = phone(w, NOW + 1, "alice", TOKEN_A, "one", INBOX_OF("alice"));
	struct registry_job *second = phone(w, NOW + 1, "alice", TOKEN_A, "one", INBOX_OF("alice"));
	struct registry_job *third = phone(w, NOW + 2, "alice", TOKEN_A, "one", INBOX_OF("alice"));
	run(w);
	assert_false(first->is_again || first->is_double);
	assert_false(second->is_again);
	assert_true(second->is_double);
	assert_false(third->is_again);
	assert_true(third->is_double);
	assert_int_equal(third->matches[0].target->renewed_ms, NOW + 2);
}

static void registrations_of_one_batch_that_differ_are_not_one(void **state)
{
	struct world *w = *state;
	phone(w, NOW, "alice", TOKEN_A, "one", INBOX_OF("alice"));
	run(w);
	phone(w, NOW + 1, "alice", TOKEN_A, "one", INBOX_OF("alice"));
	struct registry_job *other = phone(w, NOW + 1, "alice", TOKEN_A, "one",
		BOXES({.name = "Notes", .owner = "alice", .folder = "Notes"}));
	run(w);
	assert_false(other->is_double);
	assert_true(other->list_changed);
}

/* After a crash all of it is done again, and all of it may have been lost. */
static void equal_registrations_done_again_are_one_that_is_done_again(void **state)
{
	struct world *w = *state;
	for (int i = 0; i < 2; i++) {
		struct registry_job *first =
			phone(w, NOW, "alice", TOKEN_A, "one", INBOX_OF("alice"));
		struct registry_job *second =
			phone(w, NOW, "alice", TOKEN_A, "one", INBOX_OF("alice"));
		first->may_be_done = second->may_be_done = true;
		run(w);
		assert_true(i ? first->is_again : first->is_new);
		assert_true(second->is_double);
	}
}

static void renewing_replaces_the_list(void **state)
{
	struct world *w = *state;
	phone(w, NOW, "alice", TOKEN_A, "one",
		BOXES({.name = "INBOX", .owner = "alice", .folder = ""},
			{.name = "Notes", .owner = "alice", .folder = "Notes"}));
	run(w);
	struct registry_job *job = phone(w, NOW + DAY, "alice", TOKEN_A, "one",
		BOXES({.name = "INBOX", .owner = "alice", .folder = ""},
			{.name = "Archive", .owner = "alice", .folder = "Archive"}));
	run(w);
	assert_true(job->list_changed);
	assert_false(is_told(w, NOW + DAY, "alice", "Notes", "one"));
	assert_true(is_told(w, NOW + DAY, "alice", "Archive", "one"));
	assert_true(is_told(w, NOW + DAY, "alice", "", "one"));
}

static void a_list_that_shrinks_has_changed(void **state)
{
	struct world *w = *state;
	phone(w, NOW, "alice", TOKEN_A, "one",
		BOXES({.name = "INBOX", .owner = "alice", .folder = ""},
			{.name = "Notes", .owner = "alice", .folder = "Notes"}));
	run(w);
	struct registry_job *job = phone(w, NOW + DAY, "alice", TOKEN_A, "one", INBOX_OF("alice"));
	run(w);
	assert_true(job->list_changed);
	assert_true(job->matches[0].target->inbox_only);
	assert_false(is_told(w, NOW + DAY, "alice", "Notes", "one"));
}

static void a_name_that_means_another_mailbox_now_is_found_there(void **state)
{
	struct world *w = *state;
	phone(w, NOW, "alice", TOKEN_A, "one",
		BOXES({.name = "INBOX.Notes", .owner = "alice", .folder = "INBOX.Notes"}));
	run(w);
	struct registry_job *job = phone(w, NOW + DAY, "alice", TOKEN_A, "one",
		BOXES({.name = "INBOX.Notes", .owner = "alice", .folder = "Notes"}));
	run(w);
	assert_false(job->list_changed);
	assert_true(is_told(w, NOW + DAY, "alice", "Notes", "one"));
	assert_false(is_told(w, NOW + DAY, "alice", "INBOX.Notes", "one"));
}

static void another_topic_counts_as_a_changed_list(void **state)
{
	struct world *w = *state;
	phone(w, NOW, "alice", TOKEN_A, "one", INBOX_OF("alice"));
	run(w);
	w->topic = OTHER_TOPIC;
	struct registry_job *job = phone(w, NOW + DAY, "alice", TOKEN_A, "one", INBOX_OF("alice"));
	run(w);
	assert_true(job->list_changed);
	struct registry_job *after = news(w, NOW + DAY, "alice", "");
	run(w);
	assert_string_equal(after->matches[0].target->topic, OTHER_TOPIC);
}

/* An imapd that was started before aps_topic was taken out still answers with it. */
static void where_the_topic_is_not_known_a_registration_keeps_its_own(void **state)
{
	struct world *w = *state;
	phone(w, NOW, "alice", TOKEN_A, "one", INBOX_OF("alice"));
	run(w);
	w->topic = "";
	struct registry_job *job = phone(w, NOW + DAY, "alice", TOKEN_A, "one", INBOX_OF("alice"));
	run(w);
	assert_false(job->list_changed);
	assert_string_equal(job->matches[0].target->topic, TOPIC);
	struct registry_job *after = news(w, NOW + DAY, "alice", "");
	run(w);
	assert_string_equal(after->matches[0].target->topic, TOPIC);
}

static void a_registration_older_than_what_is_stored_changes_nothing(void **state)
{
	struct world *w = *state;
	phone(w, NOW, "alice", TOKEN_A, "one", INBOX_OF("alice"));
	run(w);
	struct registry_job *job = phone(w, NOW - 1, "alice", TOKEN_A, "one",
		BOXES({.name = "Notes", .owner = "alice", .folder = "Notes"}));
	run(w);
	assert_true(job->is_stale);
	assert_int_equal(job->match_count, 0);
	assert_false(is_told(w, NOW, "alice", "Notes", "one"));
	assert_true(is_told(w, NOW, "alice", "", "one"));
}

static void a_registration_done_twice_is_as_done_once(void **state)
{
	struct world *w = *state;
	phone(w, NOW, "alice", TOKEN_A, "one", INBOX_OF("alice"));
	run(w);
	struct registry_job *job = phone(w, NOW, "alice", TOKEN_A, "one", INBOX_OF("alice"));
	run(w);
	assert_false(job->is_stale);
	assert_false(job->is_new);
	assert_false(job->list_changed);
	struct registry_job *after = news(w, NOW, "alice", "");
	run(w);
	assert_int_equal(after->match_count, 1);
}

static void an_empty_list_is_kept_and_never_pushed_to(void **state)
{
	struct world *w = *state;
	struct registry_job *job = phone(w, NOW, "alice", TOKEN_A, "one", NO_BOXES);
	run(w);
	assert_true(job->is_new);
	assert_int_equal(job->match_count, 1);
	assert_int_equal(job->matches[0].hash_count, 0);
	assert_false(is_told(w, NOW, "alice", "", "one"));
	job = phone(w, NOW + 1, "alice", TOKEN_A, "one", NO_BOXES);
	run(w);
	assert_false(job->is_new);
}

static void all_spellings_of_a_mailbox_come_in_one_match(void **state)
{
	struct world *w = *state;
	phone(w, NOW, "alice", TOKEN_A, "one",
		BOXES({.name = "Notes", .owner = "alice", .folder = "Notes"},
			{.name = "Other Users/alice/Notes", .owner = "alice", .folder = "Notes"},
			{.name = "INBOX", .owner = "alice", .folder = ""}));
	phone(w, NOW, "alice", TOKEN_B, "two",
		BOXES({.name = "Notes", .owner = "alice", .folder = "Notes"}));
	run(w);
	struct registry_job *job = news(w, NOW, "alice", "Notes");
	run(w);
	assert_int_equal(job->match_count, 2);
	const struct registry_match *match = match_of(job, "one");
	assert_int_equal(match->hash_count, 2);
	assert_true(has_hash(match, "Notes"));
	assert_true(has_hash(match, "Other Users/alice/Notes"));
	assert_int_equal(match_of(job, "two")->hash_count, 1);
}

static void a_thousand_mailboxes_are_kept(void **state)
{
	struct world *w = *state;
	enum { COUNT = 1000 };
	static char names[COUNT][8];
	static struct registry_subscription boxes[COUNT + 1];
	for (unsigned i = 0; i < COUNT; i++) {
		snprintf(names[i], sizeof(names[i]), "f%04u", i);
		boxes[i] = (struct registry_subscription){
			.name = names[i], .owner = "alice", .folder = names[i]};
	}
	struct registry_job *job = phone(w, NOW, "alice", TOKEN_A, "one", boxes);
	run(w);
	assert_int_equal(job->matches[0].hash_count, COUNT);
	assert_true(is_told(w, NOW, "alice", "f0000", "one"));
	assert_true(is_told(w, NOW, "alice", "f0999", "one"));
}

static void a_mailbox_of_another_user_is_not_the_own(void **state)
{
	struct world *w = *state;
	phone(w, NOW, "alice", TOKEN_A, "one",
		BOXES({.name = "Other Users/bob", .owner = "bob", .folder = ""}));
	run(w);
	struct registry_job *job = news(w, NOW, "bob", "");
	run(w);
	assert_int_equal(job->match_count, 1);
	assert_false(job->matches[0].is_own);
	assert_false(job->matches[0].target->inbox_only);
}

static void both_readings_of_an_ambiguous_name_are_looked_up(void **state)
{
	struct world *w = *state;
	phone(w, NOW, "alice", TOKEN_A, "one",
		BOXES({.name = "a@x", .owner = "alice", .folder = "a@x"}));
	phone(w, NOW, "alice@x", TOKEN_B, "two",
		BOXES({.name = "a", .owner = "alice@x", .folder = "a"}));
	run(w);
	struct made *made = add(w, REGISTRY_NEWS, NOW);
	made->event.at[0] = (struct mailbox){.owner = "alice@x", .folder = "a"};
	made->event.at[1] = (struct mailbox){.owner = "alice", .folder = "a@x"};
	made->event.readings = 2;
	run(w);
	assert_int_equal(made->job.match_count, 2);
	assert_int_equal(match_of(&made->job, "two")->reading, 0);
	assert_int_equal(match_of(&made->job, "one")->reading, 1);
	assert_true(match_of(&made->job, "one")->is_own);
}

static void one_registration_may_match_both_readings(void **state)
{
	struct world *w = *state;
	phone(w, NOW, "alice", TOKEN_A, "one",
		BOXES({.name = "a@x", .owner = "alice", .folder = "a@x"},
			{.name = "a", .owner = "alice@x", .folder = "a"}));
	run(w);
	struct made *made = add(w, REGISTRY_NEWS, NOW);
	made->event.at[0] = (struct mailbox){.owner = "alice@x", .folder = "a"};
	made->event.at[1] = (struct mailbox){.owner = "alice", .folder = "a@x"};
	made->event.readings = 2;
	run(w);
	assert_int_equal(made->job.match_count, 2);
	assert_int_equal(made->job.matches[0].reading, 0);
	assert_false(made->job.matches[0].is_own);
	assert_int_equal(made->job.matches[1].reading, 1);
	assert_true(made->job.matches[1].is_own);
}

static void news_sees_what_came_before_it_in_the_batch_and_no_more(void **state)
{
	struct world *w = *state;
	struct registry_job *before = news(w, NOW, "alice", "");
	phone(w, NOW, "alice", TOKEN_A, "one", INBOX_OF("alice"));
	struct registry_job *between = news(w, NOW, "alice", "");
	verdict(w, REGISTRY_FORGET, TOKEN_A, TOPIC, NOW + 1);
	struct registry_job *after = news(w, NOW, "alice", "");
	run(w);
	assert_int_equal(before->match_count, 0);
	assert_int_equal(between->match_count, 1);
	assert_int_equal(after->match_count, 0);
}

static void a_delete_and_what_wakes_from_it_may_share_a_batch(void **state)
{
	struct world *w = *state;
	phone(w, NOW, "alice", TOKEN_A, "one", INBOX_OF("alice"));
	at(w, REGISTRY_MAILBOX_DELETE, NOW + 1, "alice", "");
	struct registry_job *job = news(w, NOW + 2, "alice", "");
	at(w, REGISTRY_MAILBOX_DELETE, NOW + 3, "alice", "");
	struct registry_job *again = news(w, NOW + 4, "alice", "");
	run(w);
	assert_int_equal(job->match_count, 1);
	assert_int_equal(again->match_count, 1);
}

static void one_phone_may_register_twice_in_a_batch(void **state)
{
	struct world *w = *state;
	struct registry_job *first = phone(w, NOW, "alice", TOKEN_A, "one", INBOX_OF("alice"));
	struct registry_job *second = phone(w, NOW + 1, "alice", TOKEN_A, "one",
		BOXES({.name = "Notes", .owner = "alice", .folder = "Notes"}));
	struct registry_job *third = phone(w, NOW, "alice", TOKEN_A, "one", INBOX_OF("alice"));
	run(w);
	assert_true(first->is_new);
	assert_false(second->is_new);
	assert_true(second->list_changed);
	assert_true(third->is_stale);
	assert_true(is_told(w, NOW + 1, "alice", "Notes", "one"));
	assert_false(is_told(w, NOW + 1, "alice", "", "one"));
}

static void an_empty_batch_is_fine(void **state)
{
	run(*state);
}

static void what_was_committed_is_there_after_a_restart(void **state)
{
	struct world *w = *state;
	phone(w, NOW, "alice", TOKEN_A, "one", INBOX_OF("alice"));
	phone(w, NOW, "bob", TOKEN_B, "two", INBOX_OF("bob"));
	at(w, REGISTRY_MAILBOX_DELETE, NOW + 1, "bob", "");
	run(w);
	registry_store_close(w->store);
	open_store(w);
	assert_true(is_told(w, NOW + 2, "alice", "", "one"));
	struct registry_job *job = tidy(w, NOW + 2 + GRACE);
	run(w);
	assert_true(is_gone(w, job, "bob", TOKEN_B, "two"));
}

int conformance_news(void)
{
	const struct CMUnitTest tests[] = {
		RULE(news_of_a_registered_mailbox_finds_all_that_a_push_needs),
		RULE(news_of_an_unregistered_mailbox_finds_nobody),
		RULE(users_of_another_site_are_not_found),
		RULE(a_first_registration_is_new_and_brings_all_its_hashes),
		RULE(renewing_with_the_same_list_in_another_order_changes_no_list),
		RULE(a_registration_done_again_after_a_crash_is_known_by_its_time),
		RULE(equal_registrations_of_one_batch_are_one),
		RULE(registrations_of_one_batch_that_differ_are_not_one),
		RULE(equal_registrations_done_again_are_one_that_is_done_again),
		RULE(the_first_renewal_of_what_came_before_the_start_is_as_new),
		RULE(a_phone_that_registers_twice_at_the_same_time_is_no_registration_done_again),
		RULE(renewing_replaces_the_list),
		RULE(a_list_that_shrinks_has_changed),
		RULE(a_name_that_means_another_mailbox_now_is_found_there),
		RULE(another_topic_counts_as_a_changed_list),
		RULE(where_the_topic_is_not_known_a_registration_keeps_its_own),
		RULE(a_registration_older_than_what_is_stored_changes_nothing),
		RULE(a_registration_done_twice_is_as_done_once),
		RULE(an_empty_list_is_kept_and_never_pushed_to),
		RULE(all_spellings_of_a_mailbox_come_in_one_match),
		RULE(a_thousand_mailboxes_are_kept),
		RULE(a_mailbox_of_another_user_is_not_the_own),
		RULE(both_readings_of_an_ambiguous_name_are_looked_up),
		RULE(one_registration_may_match_both_readings),
		RULE(news_sees_what_came_before_it_in_the_batch_and_no_more),
		RULE(a_delete_and_what_wakes_from_it_may_share_a_batch),
		RULE(one_phone_may_register_twice_in_a_batch),
		RULE(an_empty_batch_is_fine),
		RULE(what_was_committed_is_there_after_a_restart),
	};
	return cmocka_run_group_tests_name("news", tests, NULL, NULL);
}

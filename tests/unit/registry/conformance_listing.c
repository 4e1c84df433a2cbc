/* What people ask: who is registered, page by page, and to remove one. */
#include "conformance.h"

static struct registry_job *list(struct world *w, const struct registry_query *query)
{
	struct registry_job *job = &add(w, REGISTRY_LIST, NOW)->job;
	job->query = query;
	run(w);
	assert_non_null(job->listing);
	return job;
}

static void registrations_are_listed_by_user_page_by_page(void **state)
{
	struct world *w = *state;
	phone(w, NOW, "carol", TOKEN_A, "c", INBOX_OF("carol"));
	phone(w, NOW, "alice", TOKEN_A, "a", INBOX_OF("alice"));
	phone(w, NOW, "bob", TOKEN_A, "b1", INBOX_OF("bob"));
	phone(w, NOW, "bob", TOKEN_B, "b2", INBOX_OF("bob"));
	run(w);
	char users[8][16];
	size_t seen = 0;
	struct registry_query query = {.limit = 1};
	for (bool has_more = true; has_more;) {
		const struct registry_listing *listing = list(w, &query)->listing;
		assert_int_equal(listing->count, 1);
		const struct push_target *target = listing->listed[0].target;
		assert_true(seen < 8);
		snprintf(users[seen++], sizeof(users[0]), "%s", target->user);
		query.after_user = users[seen - 1];
		query.after_key = target->key;
		has_more = listing->has_more;
	}
	assert_int_equal(seen, 4);
	assert_string_equal(users[0], "alice");
	assert_string_equal(users[1], "bob");
	assert_string_equal(users[2], "bob");
	assert_string_equal(users[3], "carol");
}

static void a_page_of_more_than_there_are_is_the_last(void **state)
{
	struct world *w = *state;
	crowd(w, NOW, 0, 5);
	run(w);
	const struct registry_query all = {.limit = 5};
	assert_int_equal(list(w, &all)->listing->count, 5);
	assert_false(list(w, &all)->listing->has_more);
	const struct registry_query fewer = {.limit = 4};
	assert_int_equal(list(w, &fewer)->listing->count, 4);
	assert_true(list(w, &fewer)->listing->has_more);
}

static void those_of_a_user_are_listed_page_by_page(void **state)
{
	struct world *w = *state;
	static const char *const accounts[] = {"a", "b", "c", "d"};
	phone(w, NOW, "alice", TOKEN_A, "one", INBOX_OF("alice"));
	for (unsigned i = 0; i < 4; i++)
		phone(w, NOW, "bob", TOKEN_A, accounts[i], INBOX_OF("bob"));
	phone(w, NOW, "carol", TOKEN_A, "one", INBOX_OF("carol"));
	run(w);
	struct registry_query query = {.user = "bob", .limit = 4};
	assert_int_equal(list(w, &query)->listing->count, 4);
	assert_false(list(w, &query)->listing->has_more);
	query.limit = 3;
	const struct registry_listing *first = list(w, &query)->listing;
	assert_int_equal(first->count, 3);
	assert_true(first->has_more);
	for (size_t i = 0; i + 1 < first->count; i++)
		assert_true(memcmp(&first->listed[i].target->key, &first->listed[i + 1].target->key,
				    sizeof(query.after_key)) < 0);
	query.after_key = first->listed[2].target->key;
	const struct registry_listing *second = list(w, &query)->listing;
	assert_int_equal(second->count, 1);
	assert_false(second->has_more);
	assert_string_equal(second->listed[0].target->user, "bob");
	assert_true(memcmp(&query.after_key, &second->listed[0].target->key,
			    sizeof(query.after_key)) < 0);
	query.after_key = second->listed[0].target->key;
	assert_int_equal(list(w, &query)->listing->count, 0);
}

static void a_listed_one_has_all_that_is_known(void **state)
{
	struct world *w = *state;
	phone(w, NOW, "alice", TOKEN_A, "one",
		BOXES({.name = "INBOX", .owner = "alice", .folder = ""},
			{.name = "Notes", .owner = "alice", .folder = "Notes"}));
	phone(w, NOW + 5, "alice", TOKEN_A, "one",
		BOXES({.name = "INBOX", .owner = "alice", .folder = ""},
			{.name = "Notes", .owner = "alice", .folder = "Notes"}));
	at(w, REGISTRY_MAILBOX_DELETE, NOW + 9, "alice", "");
	verdict(w, REGISTRY_STOP, TOKEN_A, TOPIC, NOW + 10);
	run(w);
	const struct registry_query query = {.user = "alice", .limit = 10};
	const struct registry_listing *listing = list(w, &query)->listing;
	assert_int_equal(listing->count, 1);
	const struct registry_listed *listed = &listing->listed[0];
	assert_string_equal(listed->target->token, TOKEN_A);
	assert_string_equal(listed->target->account_id, "one");
	assert_string_equal(listed->target->topic, TOPIC);
	assert_int_equal(listed->created_ms, NOW);
	assert_int_equal(listed->target->renewed_ms, NOW + 5);
	assert_int_equal(listed->suspended_ms, NOW + 9);
	assert_non_null(listed->stopped_reason);
	assert_int_equal(listed->subscription_count, 2);
	assert_string_equal(listed->subscriptions[0].name, "INBOX");
	assert_string_equal(listed->subscriptions[1].name, "Notes");
	assert_string_equal(listed->subscriptions[1].folder, "Notes");
}

static void one_is_found_by_its_key_and_removed_with_its_mailboxes(void **state)
{
	struct world *w = *state;
	phone(w, NOW, "alice", TOKEN_A, "one", INBOX_OF("alice"));
	phone(w, NOW, "alice", TOKEN_B, "two", INBOX_OF("alice"));
	run(w);
	struct registry_key key =
		registry_key_make(w->site, "alice", TOKEN_A, "one", "com.apple.mobilemail");
	const struct registry_query query = {.key = &key};
	const struct registry_listing *listing = list(w, &query)->listing;
	assert_int_equal(listing->count, 1);
	assert_string_equal(listing->listed[0].target->account_id, "one");

	struct registry_job *job = &add(w, REGISTRY_REMOVE, NOW)->job;
	const struct registry_key twice[] = {key, key};
	job->keys = twice;
	job->key_count = 2;
	run(w);
	assert_int_equal(job->gone_count, 1);
	assert_memory_equal(&job->gone[0], &key, sizeof(key));
	assert_int_equal(list(w, &query)->listing->count, 0);
	assert_false(is_told(w, NOW, "alice", "", "one"));
	assert_true(is_told(w, NOW, "alice", "", "two"));

	struct registry_job *again = &add(w, REGISTRY_REMOVE, NOW)->job;
	again->keys = &key;
	again->key_count = 1;
	run(w);
	assert_int_equal(again->gone_count, 0);
}

static void another_sites_are_neither_seen_nor_removed(void **state)
{
	struct world *w = *state;
	phone(w, NOW, "alice", TOKEN_A, "one", INBOX_OF("alice"));
	run(w);
	struct registry_key key =
		registry_key_make(w->site, "alice", TOKEN_A, "one", "com.apple.mobilemail");
	struct world *other = NULL;
	assert_int_equal(set_up((void **)&other), 0);
	const struct registry_query by_key = {.key = &key};
	const struct registry_query all = {.limit = 10};
	assert_int_equal(list(other, &by_key)->listing->count, 0);
	assert_int_equal(list(other, &all)->listing->count, 0);
	struct registry_job *job = &add(other, REGISTRY_REMOVE, NOW)->job;
	job->keys = &key;
	job->key_count = 1;
	run(other);
	assert_int_equal(job->gone_count, 0);
	tear_down((void **)&other);
	assert_int_equal(list(w, &by_key)->listing->count, 1);
}

static void they_are_counted(void **state)
{
	struct world *w = *state;
	crowd(w, NOW, 0, 3);
	phone(w, NOW, "alice", TOKEN_B, "one", INBOX_OF("alice"));
	at(w, REGISTRY_MAILBOX_DELETE, NOW + 1, "alice", "");
	struct registry_job *job = &add(w, REGISTRY_COUNT, NOW + 2)->job;
	run(w);
	assert_int_equal(job->totals.registrations, 4);
	assert_int_equal(job->totals.in_state[REGISTRY_ACTIVE], 3);
	assert_int_equal(job->totals.in_state[REGISTRY_SUSPENDED], 1);
}

/* Each counts once, by the state that keeps it longest from being told. */
static void they_are_counted_by_their_state(void **state)
{
	struct world *w = *state;
	static const char stopped[] =
		"5555555555555555555555555555555555555555555555555555555555555555";
	crowd(w, NOW, 0, 3);
	phone(w, NOW, "bob", TOKEN_B, "old", INBOX_OF("bob"));
	run(w);
	phone(w, NOW + 1, "bob", TOKEN_B, "new", INBOX_OF("bob"));
	phone(w, NOW, "carol", stopped, "one", INBOX_OF("carol"));
	phone(w, NOW, "dora", stopped, "one", INBOX_OF("dora"));
	run(w);
	verdict(w, REGISTRY_STOP, stopped, TOPIC, NOW + 1);
	at(w, REGISTRY_MAILBOX_DELETE, NOW + 2, "dora", "");
	at(w, REGISTRY_MAILBOX_DELETE, NOW + 2, "user0000", "");
	struct registry_job *job = &add(w, REGISTRY_COUNT, NOW + 3)->job;
	run(w);
	assert_int_equal(job->totals.registrations, 7);
	assert_int_equal(job->totals.in_state[REGISTRY_ACTIVE], 3);
	assert_int_equal(job->totals.in_state[REGISTRY_SUPERSEDED], 1);
	assert_int_equal(job->totals.in_state[REGISTRY_SUSPENDED], 1);
	assert_int_equal(job->totals.in_state[REGISTRY_STOPPED], 2);
	phone(w, NOW + 3, "carol", stopped, "one", INBOX_OF("carol"));
	struct registry_job *again = &add(w, REGISTRY_COUNT, NOW + 4)->job;
	run(w);
	assert_int_equal(again->totals.in_state[REGISTRY_ACTIVE], 4);
	assert_int_equal(again->totals.in_state[REGISTRY_STOPPED], 1);
}

int conformance_listing(void)
{
	static const struct CMUnitTest rules[] = {
		RULE(registrations_are_listed_by_user_page_by_page),
		RULE(a_page_of_more_than_there_are_is_the_last),
		RULE(those_of_a_user_are_listed_page_by_page),
		RULE(a_listed_one_has_all_that_is_known),
		RULE(one_is_found_by_its_key_and_removed_with_its_mailboxes),
		RULE(another_sites_are_neither_seen_nor_removed),
		RULE(they_are_counted),
		RULE(they_are_counted_by_their_state),
	};
	return cmocka_run_group_tests_name("listing", rules, NULL, NULL);
}

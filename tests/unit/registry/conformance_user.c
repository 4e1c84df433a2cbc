/* A user's registrations among each other, and what Apple says of a token. */
#include "conformance.h"

static void the_least_recently_renewed_goes_beyond_the_limit(void **state)
{
	struct world *w = *state;
	static const char *const accounts[PER_USER] = {"one", "two", "three", "four"};
	for (unsigned i = 0; i < PER_USER; i++)
		phone(w, NOW + i, "alice", TOKEN_A, accounts[i], INBOX_OF("alice"));
	phone(w, NOW + 10, "alice", TOKEN_A, "one", INBOX_OF("alice"));
	run(w);
	struct registry_job *job = phone(w, NOW + 11, "alice", TOKEN_B, "five", INBOX_OF("alice"));
	run(w);
	assert_int_equal(job->gone_count, 1);
	assert_true(is_gone(w, job, "alice", TOKEN_A, "two"));
	assert_false(is_told(w, NOW + 12, "alice", "", "two"));
	assert_true(is_told(w, NOW + 12, "alice", "", "one"));
	assert_true(is_told(w, NOW + 12, "alice", "", "five"));
}

static void the_one_that_registers_never_goes(void **state)
{
	struct world *w = *state;
	static const char *const accounts[PER_USER] = {"one", "two", "three", "four"};
	for (unsigned i = 0; i < PER_USER; i++)
		phone(w, NOW + i, "alice", TOKEN_A, accounts[i], INBOX_OF("alice"));
	run(w);
	struct registry_job *job = phone(w, NOW - DAY, "alice", TOKEN_B, "late", INBOX_OF("alice"));
	run(w);
	assert_true(is_gone(w, job, "alice", TOKEN_A, "one"));
	assert_true(is_told(w, NOW + 12, "alice", "", "late"));
}

static void a_superseded_account_id_goes_after_three_days(void **state)
{
	struct world *w = *state;
	phone(w, NOW, "alice", TOKEN_A, "old", INBOX_OF("alice"));
	phone(w, NOW + DAY, "alice", TOKEN_A, "new", INBOX_OF("alice"));
	run(w);
	struct registry_job *early =
		phone(w, NOW + 4 * DAY - 1, "alice", TOKEN_A, "new", INBOX_OF("alice"));
	run(w);
	assert_int_equal(early->gone_count, 0);
	assert_true(is_told(w, NOW + 4 * DAY, "alice", "", "old"));
	struct registry_job *late =
		phone(w, NOW + 4 * DAY, "alice", TOKEN_A, "new", INBOX_OF("alice"));
	run(w);
	assert_int_equal(late->gone_count, 1);
	assert_true(is_gone(w, late, "alice", TOKEN_A, "old"));
	assert_false(is_told(w, NOW + 4 * DAY, "alice", "", "old"));
	assert_true(is_told(w, NOW + 4 * DAY, "alice", "", "new"));
}

static void an_older_account_id_that_renews_stays(void **state)
{
	struct world *w = *state;
	phone(w, NOW, "alice", TOKEN_A, "old", INBOX_OF("alice"));
	phone(w, NOW + DAY, "alice", TOKEN_A, "new", INBOX_OF("alice"));
	phone(w, NOW + 2 * DAY, "alice", TOKEN_A, "old", INBOX_OF("alice"));
	struct registry_job *job =
		phone(w, NOW + 9 * DAY, "alice", TOKEN_A, "new", INBOX_OF("alice"));
	run(w);
	assert_int_equal(job->gone_count, 0);
	assert_true(is_told(w, NOW + 9 * DAY, "alice", "", "old"));
}

static void an_older_account_id_does_not_remove_the_newer(void **state)
{
	struct world *w = *state;
	phone(w, NOW, "alice", TOKEN_A, "old", INBOX_OF("alice"));
	phone(w, NOW + DAY, "alice", TOKEN_A, "middle", INBOX_OF("alice"));
	phone(w, NOW + 2 * DAY, "alice", TOKEN_A, "new", INBOX_OF("alice"));
	struct registry_job *job =
		phone(w, NOW + 9 * DAY, "alice", TOKEN_A, "old", INBOX_OF("alice"));
	run(w);
	assert_int_equal(job->gone_count, 0);
}

static void another_device_is_not_superseded(void **state)
{
	struct world *w = *state;
	phone(w, NOW, "alice", TOKEN_A, "old", INBOX_OF("alice"));
	phone(w, NOW + DAY, "alice", TOKEN_B, "new", INBOX_OF("alice"));
	struct registry_job *job =
		phone(w, NOW + 9 * DAY, "alice", TOKEN_B, "new", INBOX_OF("alice"));
	run(w);
	assert_int_equal(job->gone_count, 0);
}

static void an_old_account_id_that_comes_late_is_the_superseded_one(void **state)
{
	struct world *w = *state;
	phone(w, NOW + DAY, "alice", TOKEN_A, "new", INBOX_OF("alice"));
	phone(w, NOW, "alice", TOKEN_A, "old", INBOX_OF("alice"));
	struct registry_job *job =
		phone(w, NOW + 4 * DAY, "alice", TOKEN_A, "new", INBOX_OF("alice"));
	run(w);
	assert_true(is_gone(w, job, "alice", TOKEN_A, "old"));
}

static void a_forgotten_token_goes_with_this_topic_alone(void **state)
{
	struct world *w = *state;
	phone(w, NOW, "alice", TOKEN_A, "one", INBOX_OF("alice"));
	phone(w, NOW, "bob", TOKEN_A, "two", INBOX_OF("bob"));
	phone(w, NOW, "alice", TOKEN_B, "three", INBOX_OF("alice"));
	w->topic = OTHER_TOPIC;
	phone(w, NOW, "carol", TOKEN_A, "four", INBOX_OF("carol"));
	run(w);
	struct registry_job *job = verdict(w, REGISTRY_FORGET, TOKEN_A, TOPIC, NOW + 1);
	run(w);
	assert_int_equal(job->gone_count, 2);
	assert_true(is_gone(w, job, "alice", TOKEN_A, "one"));
	assert_true(is_gone(w, job, "bob", TOKEN_A, "two"));
	assert_false(is_told(w, NOW, "alice", "", "one"));
	assert_true(is_told(w, NOW, "alice", "", "three"));
	assert_true(is_told(w, NOW, "carol", "", "four"));
}

static void a_registration_renewed_since_is_not_forgotten(void **state)
{
	struct world *w = *state;
	phone(w, NOW, "alice", TOKEN_A, "one", INBOX_OF("alice"));
	run(w);
	struct registry_job *job = verdict(w, REGISTRY_FORGET, TOKEN_A, TOPIC, NOW);
	run(w);
	assert_int_equal(job->gone_count, 0);
	assert_true(is_told(w, NOW, "alice", "", "one"));
}

static void a_verdict_on_a_registration_that_is_not_there_finds_it_gone(void **state)
{
	struct world *w = *state;
	phone(w, NOW, "alice", TOKEN_B, "other", INBOX_OF("alice"));
	run(w);
	struct registry_job *first =
		verdict_on(w, REGISTRY_FORGET, "alice", TOKEN_A, "one", NOW + 1);
	struct registry_job *second =
		verdict_on(w, REGISTRY_STOP, "alice", TOKEN_A, "one", NOW + 1);
	run(w);
	assert_int_equal(first->gone_count, 1);
	assert_true(is_gone(w, first, "alice", TOKEN_A, "one"));
	assert_int_equal(second->gone_count, 1);
	assert_true(is_gone(w, second, "alice", TOKEN_A, "one"));
	assert_true(is_told(w, NOW, "alice", "", "other"));
}

static void a_verdict_on_a_registration_renewed_since_finds_it_there(void **state)
{
	struct world *w = *state;
	phone(w, NOW, "alice", TOKEN_A, "one", INBOX_OF("alice"));
	struct registry_job *job = verdict_on(w, REGISTRY_FORGET, "alice", TOKEN_A, "one", NOW);
	run(w);
	assert_int_equal(job->gone_count, 0);
	assert_true(is_told(w, NOW, "alice", "", "one"));
}

static void a_stopped_registration_is_not_pushed_to_until_it_renews(void **state)
{
	struct world *w = *state;
	phone(w, NOW, "alice", TOKEN_A, "one", INBOX_OF("alice"));
	struct registry_job *job = verdict(w, REGISTRY_STOP, TOKEN_A, TOPIC, NOW + 1);
	run(w);
	assert_int_equal(job->gone_count, 1);
	assert_true(is_gone(w, job, "alice", TOKEN_A, "one"));
	assert_false(is_told(w, NOW + 2, "alice", "", "one"));
	phone(w, NOW + 3, "alice", TOKEN_A, "one", INBOX_OF("alice"));
	run(w);
	assert_true(is_told(w, NOW + 4, "alice", "", "one"));
}

static void a_registration_renewed_since_is_not_stopped(void **state)
{
	struct world *w = *state;
	phone(w, NOW, "alice", TOKEN_A, "one", INBOX_OF("alice"));
	struct registry_job *job = verdict(w, REGISTRY_STOP, TOKEN_A, TOPIC, NOW);
	run(w);
	assert_int_equal(job->gone_count, 0);
	assert_true(is_told(w, NOW, "alice", "", "one"));
}

/* As after a crash, when it had been written already. */
static void the_same_registration_done_again_starts_nothing(void **state)
{
	struct world *w = *state;
	phone(w, NOW, "alice", TOKEN_A, "one", INBOX_OF("alice"));
	verdict(w, REGISTRY_STOP, TOKEN_A, TOPIC, NOW + 1);
	phone(w, NOW, "alice", TOKEN_A, "one", INBOX_OF("alice"));
	run(w);
	assert_false(is_told(w, NOW + 2, "alice", "", "one"));
}

/* Whatever the order in which the database gives them. */
static void the_first_of_several_that_came_before_it_supersedes(void **state)
{
	struct world *w = *state;
	struct registry_query query = {.user = "alice", .limit = 10};
	phone(w, NOW + 20, "alice", TOKEN_A, "latest", INBOX_OF("alice"));
	run(w);
	phone(w, NOW + 10, "alice", TOKEN_A, "later", INBOX_OF("alice"));
	run(w);
	phone(w, NOW, "alice", TOKEN_A, "late", INBOX_OF("alice"));
	struct registry_job *job = &add(w, REGISTRY_LIST, NOW + 21)->job;
	job->query = &query;
	run(w);
	assert_int_equal(job->listing->count, 3);
	for (size_t i = 0; i < 3; i++) {
		const struct registry_listed *listed = &job->listing->listed[i];
		const char *account_id = listed->target->account_id;
		assert_int_equal(listed->superseded_ms,
			strcmp(account_id, "late") == 0		   ? NOW + 10
				: strcmp(account_id, "later") == 0 ? NOW + 20
								   : 0);
	}
}

int conformance_user(void)
{
	const struct CMUnitTest tests[] = {
		RULE(the_least_recently_renewed_goes_beyond_the_limit),
		RULE(the_one_that_registers_never_goes),
		RULE(a_superseded_account_id_goes_after_three_days),
		RULE(an_older_account_id_that_renews_stays),
		RULE(an_older_account_id_does_not_remove_the_newer),
		RULE(another_device_is_not_superseded),
		RULE(an_old_account_id_that_comes_late_is_the_superseded_one),
		RULE(the_first_of_several_that_came_before_it_supersedes),
		RULE(a_forgotten_token_goes_with_this_topic_alone),
		RULE(a_registration_renewed_since_is_not_forgotten),
		RULE(a_verdict_on_a_registration_that_is_not_there_finds_it_gone),
		RULE(a_verdict_on_a_registration_renewed_since_finds_it_there),
		RULE(a_stopped_registration_is_not_pushed_to_until_it_renews),
		RULE(a_registration_renewed_since_is_not_stopped),
		RULE(the_same_registration_done_again_starts_nothing),
	};
	return cmocka_run_group_tests_name("user", tests, NULL, NULL);
}

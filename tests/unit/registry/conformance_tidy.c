/* Housekeeping: expiry, grace, nudges. */
#include "conformance.h"
#include "registry/batch.h"

static void a_registration_goes_when_it_was_not_renewed(void **state)
{
	struct world *w = *state;
	phone(w, NOW, "alice", TOKEN_A, "gone", INBOX_OF("alice"));
	phone(w, NOW + 1, "bob", TOKEN_A, "just", INBOX_OF("bob"));
	phone(w, NOW + TTL + 1, "carol", TOKEN_B, "alive", INBOX_OF("carol"));
	run(w);
	struct registry_job *job = tidy(w, NOW + TTL + 1);
	run(w);
	assert_int_equal(job->gone_count, 1);
	assert_true(is_gone(w, job, "alice", TOKEN_A, "gone"));
	assert_int_equal(job->kept_back, 0);
	assert_false(is_told(w, NOW + TTL, "alice", "", "gone"));
	assert_true(is_told(w, NOW + TTL, "bob", "", "just"));
}

static void a_clock_that_is_far_ahead_expires_nobody(void **state)
{
	struct world *w = *state;
	phone(w, NOW, "alice", TOKEN_A, "one", INBOX_OF("alice"));
	run(w);
	struct registry_job *job = tidy(w, NOW + 1000 * DAY);
	run(w);
	assert_int_equal(job->gone_count, 0);
	assert_int_equal(job->match_count, 0);
}

static void a_registration_from_the_future_expires_nobody(void **state)
{
	struct world *w = *state;
	phone(w, NOW, "alice", TOKEN_A, "one", INBOX_OF("alice"));
	phone(w, NOW + 1000 * DAY, "bob", TOKEN_B, "future", INBOX_OF("bob"));
	run(w);
	set_clock(w, NOW + 1);
	struct registry_job *job = tidy(w, NOW + 1);
	run(w);
	assert_int_equal(job->gone_count, 0);
}

static void a_day_costs_ten_of_a_small_site(void **state)
{
	struct world *w = *state;
	crowd(w, NOW, 0, 25);
	phone(w, NOW + TTL + DAY, "alice", TOKEN_B, "alive", INBOX_OF("alice"));
	run(w);
	struct registry_job *first = tidy(w, NOW + TTL + DAY);
	run(w);
	assert_int_equal(first->gone_count, 10);
	assert_int_equal(first->kept_back, 15);
	struct registry_job *again = tidy(w, NOW + TTL + DAY + 1);
	run(w);
	assert_int_equal(again->gone_count, 0);
	assert_int_equal(again->kept_back, 15);
	struct registry_job *next_day = tidy(w, NOW + TTL + 2 * DAY);
	run(w);
	assert_int_equal(next_day->gone_count, 10);
	assert_int_equal(next_day->kept_back, 5);
}

static void a_day_costs_one_in_twenty_of_a_larger_site(void **state)
{
	struct world *w = *state;
	crowd(w, NOW, 0, 100);
	crowd(w, NOW + TTL + DAY, 100, 300);
	struct registry_job *job = tidy(w, NOW + TTL + DAY);
	run(w);
	assert_int_equal(job->gone_count, 20);
	assert_int_equal(job->kept_back, 80);
}

static void what_went_today_is_remembered_over_a_restart(void **state)
{
	struct world *w = *state;
	crowd(w, NOW, 0, 25);
	phone(w, NOW + TTL + DAY, "alice", TOKEN_B, "alive", INBOX_OF("alice"));
	tidy(w, NOW + TTL + DAY);
	run(w);
	registry_store_close(w->store);
	open_store(w);
	struct registry_job *again = tidy(w, NOW + TTL + DAY + 1);
	run(w);
	assert_int_equal(again->gone_count, 0);
}

static void a_deleted_account_goes_after_the_grace(void **state)
{
	struct world *w = *state;
	phone(w, NOW, "alice", TOKEN_A, "one", INBOX_OF("alice"));
	at(w, REGISTRY_MAILBOX_DELETE, NOW + 1, "alice", "");
	run(w);
	struct registry_job *early = tidy(w, NOW + 1 + GRACE);
	run(w);
	assert_int_equal(early->gone_count, 0);
	struct registry_job *late = tidy(w, NOW + 2 + GRACE);
	run(w);
	assert_int_equal(late->gone_count, 1);
	assert_true(is_gone(w, late, "alice", TOKEN_A, "one"));
}

static void a_phone_is_nudged_once_five_days_before_it_expires(void **state)
{
	struct world *w = *state;
	phone(w, NOW, "alice", TOKEN_A, "one",
		BOXES({.name = "INBOX", .owner = "alice", .folder = ""},
			{.name = "Notes", .owner = "alice", .folder = "Notes"}));
	phone(w, NOW + 25 * DAY + 1, "bob", TOKEN_B, "alive", INBOX_OF("bob"));
	run(w);
	struct registry_job *early = tidy(w, NOW + 25 * DAY);
	run(w);
	assert_int_equal(early->match_count, 0);
	struct registry_job *job = tidy(w, NOW + 25 * DAY + 1);
	run(w);
	assert_int_equal(job->match_count, 1);
	assert_string_equal(job->matches[0].target->account_id, "one");
	assert_int_equal(job->matches[0].hash_count, 2);
	assert_true(has_hash(&job->matches[0], "Notes"));
	assert_true(job->matches[0].is_own);
	struct registry_job *again = tidy(w, NOW + 25 * DAY + 2);
	run(w);
	assert_int_equal(again->match_count, 0);
}

static void a_phone_that_renewed_may_be_nudged_again(void **state)
{
	struct world *w = *state;
	phone(w, NOW, "alice", TOKEN_A, "one", INBOX_OF("alice"));
	phone(w, NOW + 26 * DAY, "bob", TOKEN_B, "alive", INBOX_OF("bob"));
	tidy(w, NOW + 26 * DAY);
	phone(w, NOW + 27 * DAY, "alice", TOKEN_A, "one", INBOX_OF("alice"));
	phone(w, NOW + 53 * DAY, "bob", TOKEN_B, "alive", INBOX_OF("bob"));
	struct registry_job *job = tidy(w, NOW + 53 * DAY);
	run(w);
	assert_int_equal(job->match_count, 1);
	assert_string_equal(job->matches[0].target->account_id, "one");
}

static void the_stopped_the_sleeping_and_the_empty_are_not_nudged(void **state)
{
	struct world *w = *state;
	phone(w, NOW, "alice", TOKEN_A, "stopped", INBOX_OF("alice"));
	verdict(w, REGISTRY_STOP, TOKEN_A, TOPIC, NOW + 1);
	phone(w, NOW, "bob", TOKEN_B, "sleeping", INBOX_OF("bob"));
	phone(w, NOW, "carol", TOKEN_B, "empty", NO_BOXES);
	phone(w, NOW + 26 * DAY, "dave", TOKEN_B, "alive", INBOX_OF("dave"));
	at(w, REGISTRY_MAILBOX_DELETE, NOW + 26 * DAY, "bob", "");
	struct registry_job *job = tidy(w, NOW + 26 * DAY);
	run(w);
	assert_int_equal(job->match_count, 0);
	assert_int_equal(job->gone_count, 0);
}

static void those_without_a_mailbox_do_not_keep_others_from_being_nudged(void **state)
{
	struct world *w = *state;
	crowd(w, NOW - 1, 0, 1000);
	for (struct made *made = w->made; made; made = made->next) {
		if (made->job.kind == REGISTRY_REGISTER) {
			made->job.subscription_count = 0;
			job_list_append(&w->batch, &made->job.job);
		}
	}
	phone(w, NOW, "alice", TOKEN_A, "one", INBOX_OF("alice"));
	phone(w, NOW + 26 * DAY, "bob", TOKEN_B, "alive", INBOX_OF("bob"));
	struct registry_job *job = tidy(w, NOW + 26 * DAY);
	run(w);
	assert_int_equal(job->match_count, 1);
	assert_string_equal(job->matches[0].target->account_id, "one");
}

static void with_a_short_life_a_fresh_phone_is_not_nudged(void **state)
{
	struct world *w = *state;
	registry_store_close(w->store);
	w->settings.registration_ttl_ms = 6000;
	open_store(w);
	phone(w, NOW, "alice", TOKEN_A, "one", INBOX_OF("alice"));
	phone(w, NOW + 5000, "bob", TOKEN_B, "alive", INBOX_OF("bob"));
	struct registry_job *early = tidy(w, NOW + 5000);
	phone(w, NOW + 5001, "bob", TOKEN_B, "alive", INBOX_OF("bob"));
	struct registry_job *due = tidy(w, NOW + 5001);
	run(w);
	assert_int_equal(early->match_count, 0);
	assert_int_equal(due->match_count, 1);
}

int conformance_tidy(void)
{
	const struct CMUnitTest tests[] = {
		RULE(a_registration_goes_when_it_was_not_renewed),
		RULE(a_clock_that_is_far_ahead_expires_nobody),
		RULE(a_registration_from_the_future_expires_nobody),
		RULE(a_day_costs_ten_of_a_small_site),
		RULE(a_day_costs_one_in_twenty_of_a_larger_site),
		RULE(what_went_today_is_remembered_over_a_restart),
		RULE(a_deleted_account_goes_after_the_grace),
		RULE(a_phone_is_nudged_once_five_days_before_it_expires),
		RULE(a_phone_that_renewed_may_be_nudged_again),
		RULE(the_stopped_the_sleeping_and_the_empty_are_not_nudged),
		RULE(those_without_a_mailbox_do_not_keep_others_from_being_nudged),
		RULE(with_a_short_life_a_fresh_phone_is_not_nudged),
	};
	return cmocka_run_group_tests_name("tidy", tests, NULL, NULL);
}

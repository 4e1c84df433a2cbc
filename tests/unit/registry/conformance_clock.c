/* What a clock that ran ahead has left behind, once it is right again. */
#include "conformance.h"
#include "registry/batch.h"

#define AHEAD (400 * DAY)
#define NOTES_OF(user) BOXES({.name = "Notes", .owner = user, .folder = "Notes"})

static void a_phone_that_registered_by_a_clock_ahead_can_register_again(void **state)
{
	struct world *w = *state;
	phone(w, NOW + AHEAD, "alice", TOKEN_A, "one", INBOX_OF("alice"));
	run(w);
	set_clock(w, NOW);
	struct registry_job *job = phone(w, NOW - 5, "alice", TOKEN_A, "one", NOTES_OF("alice"));
	run(w);
	assert_false(job->is_stale);
	assert_false(job->is_new);
	assert_true(job->list_changed);
	assert_int_equal(job->matches[0].target->renewed_ms, NOW - 5);
	assert_true(is_told(w, NOW, "alice", "Notes", "one"));
	assert_false(is_told(w, NOW, "alice", "", "one"));
}

static void a_registration_by_a_clock_ahead_is_stopped_no_longer_when_it_renews(void **state)
{
	struct world *w = *state;
	phone(w, NOW + AHEAD, "alice", TOKEN_A, "one", INBOX_OF("alice"));
	verdict(w, REGISTRY_STOP, TOKEN_A, TOPIC, NOW + AHEAD + 1);
	run(w);
	set_clock(w, NOW);
	phone(w, NOW, "alice", TOKEN_A, "one", INBOX_OF("alice"));
	run(w);
	assert_true(is_told(w, NOW, "alice", "", "one"));
}

static void what_is_replayed_late_is_stale_still(void **state)
{
	struct world *w = *state;
	phone(w, NOW, "alice", TOKEN_A, "one", INBOX_OF("alice"));
	run(w);
	set_clock(w, NOW);
	struct registry_job *job =
		phone(w, NOW - 3 * DAY, "alice", TOKEN_A, "one", NOTES_OF("alice"));
	run(w);
	assert_true(job->is_stale);
	assert_true(is_told(w, NOW, "alice", "", "one"));
}

static void five_minutes_of_difference_between_clocks_are_no_wrong_clock(void **state)
{
	struct world *w = *state;
	phone(w, NOW + 5 * CLOCK_MINUTE_MS, "alice", TOKEN_A, "one", INBOX_OF("alice"));
	phone(w, NOW + 5 * CLOCK_MINUTE_MS + 1, "bob", TOKEN_A, "two", INBOX_OF("bob"));
	run(w);
	set_clock(w, NOW);
	struct registry_job *near = phone(w, NOW, "alice", TOKEN_A, "one", NOTES_OF("alice"));
	struct registry_job *far = phone(w, NOW, "bob", TOKEN_A, "two", NOTES_OF("bob"));
	run(w);
	assert_true(near->is_stale);
	assert_false(far->is_stale);
}

static void a_clock_that_was_never_set_judges_nothing(void **state)
{
	struct world *w = *state;
	phone(w, NOW, "alice", TOKEN_A, "one", INBOX_OF("alice"));
	run(w);
	set_clock(w, DAY);
	struct registry_job *job = phone(w, DAY, "alice", TOKEN_A, "one", NOTES_OF("alice"));
	run(w);
	assert_true(job->is_stale);
}

static void a_registration_that_says_it_is_from_the_future_comes_now(void **state)
{
	struct world *w = *state;
	set_clock(w, NOW);
	struct registry_job *job =
		phone(w, NOW + AHEAD, "alice", TOKEN_A, "one", INBOX_OF("alice"));
	run(w);
	assert_int_equal(job->matches[0].target->renewed_ms, NOW);
}

static void news_wakes_an_account_deleted_by_a_clock_ahead(void **state)
{
	struct world *w = *state;
	phone(w, NOW, "alice", TOKEN_A, "one", INBOX_OF("alice"));
	at(w, REGISTRY_MAILBOX_DELETE, NOW + AHEAD, "alice", "");
	run(w);
	set_clock(w, NOW + 1);
	assert_true(is_told(w, NOW + 1, "alice", "", "one"));
	struct registry_job *job = tidy(w, NOW + 1);
	run(w);
	assert_int_equal(job->gone_count, 0);
}

/* Until come_back, what runs is done by another node, and by its clock.  Returns the one here. */
static struct registry_store *go_to_a_node_ahead(struct world *w)
{
	struct registry_store *here = w->store;
	open_store(w);
	set_clock(w, NOW + AHEAD);
	return here;
}

static void come_back(struct world *w, struct registry_store *here)
{
	registry_store_close(w->store);
	w->store = here;
	set_clock(w, NOW + 1);
}

static void news_wakes_an_account_that_another_node_deleted_by_a_clock_ahead(void **state)
{
	struct world *w = *state;
	phone(w, NOW, "alice", TOKEN_A, "one", INBOX_OF("alice"));
	run(w);
	assert_true(is_told(w, NOW, "alice", "", "one"));
	struct registry_store *here = go_to_a_node_ahead(w);
	at(w, REGISTRY_MAILBOX_DELETE, NOW + AHEAD, "alice", "");
	run(w);
	come_back(w, here);
	assert_true(is_told(w, NOW + 1, "alice", "", "one"));
}

static void a_phone_that_registered_by_the_clock_of_a_node_ahead_can_register_here(void **state)
{
	struct world *w = *state;
	phone(w, NOW, "alice", TOKEN_A, "one", INBOX_OF("alice"));
	run(w);
	struct registry_store *here = go_to_a_node_ahead(w);
	phone(w, NOW + AHEAD, "alice", TOKEN_A, "one", INBOX_OF("alice"));
	run(w);
	come_back(w, here);
	struct registry_job *job = phone(w, NOW + 1, "alice", TOKEN_A, "one", NOTES_OF("alice"));
	run(w);
	assert_false(job->is_stale);
	assert_int_equal(job->matches[0].target->renewed_ms, NOW + 1);
	assert_true(is_told(w, NOW + 1, "alice", "Notes", "one"));
}

static void a_registration_wakes_an_account_deleted_by_a_clock_ahead(void **state)
{
	struct world *w = *state;
	phone(w, NOW, "alice", TOKEN_A, "one",
		BOXES({.name = "Other Users/bob", .owner = "bob", .folder = ""}));
	at(w, REGISTRY_MAILBOX_DELETE, NOW + AHEAD, "alice", "");
	run(w);
	set_clock(w, NOW + 1);
	phone(w, NOW + 1, "alice", TOKEN_B, "two", INBOX_OF("alice"));
	run(w);
	assert_true(is_told(w, NOW + 1, "bob", "", "one"));
}

static void a_registration_wakes_an_account_deleted_by_the_clock_of_a_node_ahead(void **state)
{
	struct world *w = *state;
	phone(w, NOW, "alice", TOKEN_A, "one",
		BOXES({.name = "Other Users/bob", .owner = "bob", .folder = ""}));
	run(w);
	struct registry_store *here = go_to_a_node_ahead(w);
	at(w, REGISTRY_MAILBOX_DELETE, NOW + AHEAD, "alice", "");
	run(w);
	come_back(w, here);
	phone(w, NOW + 1, "alice", TOKEN_B, "two", INBOX_OF("alice"));
	run(w);
	assert_true(is_told(w, NOW + 1, "bob", "", "one"));
}

static void a_rename_reaches_what_registered_by_a_clock_ahead(void **state)
{
	struct world *w = *state;
	phone(w, NOW + AHEAD, "alice", TOKEN_A, "one", NOTES_OF("alice"));
	run(w);
	set_clock(w, NOW);
	moved(w, NOW, "alice", "Notes", "alice", "Archive");
	run(w);
	assert_true(is_told(w, NOW, "alice", "Archive", "one"));
}

static void a_delete_reaches_what_registered_by_a_clock_ahead(void **state)
{
	struct world *w = *state;
	phone(w, NOW + AHEAD, "alice", TOKEN_A, "one", NOTES_OF("alice"));
	phone(w, NOW + AHEAD, "bob", TOKEN_A, "two",
		BOXES({.name = "Other Users/carol", .owner = "carol", .folder = ""}));
	run(w);
	set_clock(w, NOW);
	at(w, REGISTRY_MAILBOX_DELETE, NOW, "alice", "Notes");
	at(w, REGISTRY_MAILBOX_DELETE, NOW, "bob", "");
	run(w);
	assert_false(is_told(w, NOW, "alice", "Notes", "one"));
	assert_false(is_told(w, NOW, "carol", "", "two"));
}

static void a_new_account_id_supersedes_one_from_the_future(void **state)
{
	struct world *w = *state;
	phone(w, NOW + AHEAD, "alice", TOKEN_A, "old", INBOX_OF("alice"));
	run(w);
	set_clock(w, NOW);
	phone(w, NOW, "alice", TOKEN_A, "new", INBOX_OF("alice"));
	run(w);
	set_clock(w, NOW + 3 * DAY);
	struct registry_job *job =
		phone(w, NOW + 3 * DAY, "alice", TOKEN_A, "new", INBOX_OF("alice"));
	run(w);
	assert_true(is_gone(w, job, "alice", TOKEN_A, "old"));
}

static void an_account_id_superseded_by_a_clock_ahead_goes_after_three_days(void **state)
{
	struct world *w = *state;
	phone(w, NOW - DAY, "alice", TOKEN_A, "old", INBOX_OF("alice"));
	phone(w, NOW + AHEAD, "alice", TOKEN_A, "new", INBOX_OF("alice"));
	run(w);
	for (int64_t day = 0; day < 4; day++) {
		set_clock(w, NOW + day * DAY);
		struct registry_job *job =
			phone(w, NOW + day * DAY, "alice", TOKEN_A, "new", INBOX_OF("alice"));
		run(w);
		assert_int_equal(is_gone(w, job, "alice", TOKEN_A, "old"), day == 3);
	}
}

/* The old one has registered again in truth, if not by the clocks, which were set back twice. */
static void an_account_id_that_renewed_behind_a_clock_set_back_does_not_go(void **state)
{
	struct world *w = *state;
	const int64_t ahead = NOW + 4 * CLOCK_MINUTE_MS;
	phone(w, NOW - DAY, "alice", TOKEN_A, "old", INBOX_OF("alice"));
	phone(w, ahead + 1, "alice", TOKEN_A, "new", INBOX_OF("alice"));
	phone(w, ahead, "alice", TOKEN_A, "old", INBOX_OF("alice"));
	run(w);
	for (int64_t day = 0; day < 5; day++) {
		int64_t now_ms = NOW - CLOCK_MINUTE_MS + day * DAY;
		set_clock(w, now_ms);
		struct registry_job *job =
			phone(w, now_ms, "alice", TOKEN_A, "new", INBOX_OF("alice"));
		run(w);
		assert_false(is_gone(w, job, "alice", TOKEN_A, "old"));
	}
}

/* As it happens hourly, so that no day is missing. */
static void tidy_daily(struct world *w, int64_t from_ms, int64_t to_ms)
{
	for (int64_t now_ms = from_ms; now_ms < to_ms; now_ms += DAY) {
		set_clock(w, now_ms);
		tidy(w, now_ms);
		run(w);
	}
}

static void a_registration_from_the_future_expires_at_last(void **state)
{
	struct world *w = *state;
	phone(w, NOW + AHEAD, "alice", TOKEN_A, "future", INBOX_OF("alice"));
	phone(w, NOW, "bob", TOKEN_B, "alive", INBOX_OF("bob"));
	run(w);
	set_clock(w, NOW);
	struct registry_job *first = tidy(w, NOW);
	run(w);
	assert_int_equal(first->gone_count, 0);
	tidy_daily(w, NOW + DAY, NOW + TTL);
	set_clock(w, NOW + TTL + 1);
	phone(w, NOW + TTL + 1, "bob", TOKEN_B, "alive", INBOX_OF("bob"));
	struct registry_job *last = tidy(w, NOW + TTL + 1);
	run(w);
	assert_int_equal(last->gone_count, 1);
	assert_true(is_gone(w, last, "alice", TOKEN_A, "future"));
}

static void an_account_deleted_by_a_clock_ahead_goes_after_the_grace(void **state)
{
	struct world *w = *state;
	phone(w, NOW, "alice", TOKEN_A, "one", INBOX_OF("alice"));
	phone(w, NOW, "bob", TOKEN_B, "alive", INBOX_OF("bob"));
	at(w, REGISTRY_MAILBOX_DELETE, NOW + AHEAD, "alice", "");
	run(w);
	tidy_daily(w, NOW, NOW + GRACE);
	set_clock(w, NOW + GRACE + 1);
	struct registry_job *job = tidy(w, NOW + GRACE + 1);
	run(w);
	assert_int_equal(job->gone_count, 1);
	assert_true(is_gone(w, job, "alice", TOKEN_A, "one"));
}

/* Our clock was behind, and what it took for the future is old when it is right again. */
static void who_registered_before_a_clock_fell_behind_stays_when_it_is_right_again(void **state)
{
	struct world *w = *state;
	phone(w, NOW, "alice", TOKEN_A, "one", INBOX_OF("alice"));
	phone(w, NOW, "bob", TOKEN_B, "two", INBOX_OF("bob"));
	tidy(w, NOW);
	run(w);
	set_clock(w, NOW - 90 * DAY);
	tidy(w, NOW - 90 * DAY);
	run(w);
	set_clock(w, NOW + DAY);
	phone(w, NOW + DAY, "bob", TOKEN_B, "two", INBOX_OF("bob"));
	struct registry_job *job = tidy(w, NOW + DAY);
	run(w);
	assert_int_equal(job->gone_count, 0);
	assert_int_equal(job->match_count, 1);
	assert_string_equal(job->matches[0].target->account_id, "one");
}

/* It was right again before a round came. */
static void who_registered_before_a_clock_was_behind_for_a_moment_stays(void **state)
{
	struct world *w = *state;
	phone(w, NOW, "alice", TOKEN_A, "one", INBOX_OF("alice"));
	phone(w, NOW, "bob", TOKEN_B, "two", INBOX_OF("bob"));
	phone(w, NOW, "carol", TOKEN_B, "three", INBOX_OF("carol"));
	at(w, REGISTRY_MAILBOX_DELETE, NOW + 1, "carol", "");
	set_clock(w, NOW + 2);
	tidy(w, NOW + 2);
	run(w);
	set_clock(w, NOW - 90 * DAY);
	news(w, NOW - 90 * DAY, "alice", "");
	run(w);
	for (int64_t day = 0; day < 5; day++) {
		int64_t now_ms = NOW + CLOCK_MINUTE_MS + day * DAY;
		set_clock(w, now_ms);
		phone(w, now_ms, "bob", TOKEN_B, "two", INBOX_OF("bob"));
		struct registry_job *job = tidy(w, now_ms);
		run(w);
		assert_int_equal(job->gone_count, 0);
	}
}

/* One of three phones renews by a clock that is `by_ms` off; then nobody is to go. */
static void nobody_goes_when_the_clock_was_set(struct world *w, int64_t by_ms)
{
	phone(w, NOW, "alice", TOKEN_A, "one", INBOX_OF("alice"));
	phone(w, NOW, "bob", TOKEN_B, "two", INBOX_OF("bob"));
	phone(w, NOW, "carol", TOKEN_B, "three", INBOX_OF("carol"));
	at(w, REGISTRY_MAILBOX_DELETE, NOW + 1, "carol", "");
	run(w);
	set_clock(w, NOW + 2);
	tidy(w, NOW + 2);
	run(w);
	int64_t now_ms = NOW + by_ms;
	set_clock(w, now_ms);
	phone(w, now_ms, "alice", TOKEN_A, "one", INBOX_OF("alice"));
	run(w);
	struct registry_job *job = tidy(w, now_ms);
	run(w);
	assert_int_equal(job->gone_count, 0);
	assert_int_equal(job->moved_ms, by_ms - 2);
	tidy_daily(w, now_ms + DAY, now_ms + 5 * DAY);
	struct registry_job *still = news(w, now_ms, "bob", "");
	run(w);
	assert_int_equal(still->match_count, 1);
}

static void nobody_goes_when_the_clock_was_set_forwards(void **state)
{
	nobody_goes_when_the_clock_was_set(*state, 90 * DAY);
}

static void nobody_goes_when_the_clock_was_set_backwards(void **state)
{
	nobody_goes_when_the_clock_was_set(*state, -90 * DAY);
}

static void who_renewed_by_a_clock_behind_stays_when_it_is_right_again(void **state)
{
	struct world *w = *state;
	phone(w, NOW, "alice", TOKEN_A, "one", INBOX_OF("alice"));
	phone(w, NOW, "bob", TOKEN_B, "two", INBOX_OF("bob"));
	tidy(w, NOW);
	run(w);
	set_clock(w, NOW - 90 * DAY);
	phone(w, NOW - 90 * DAY, "alice", TOKEN_A, "one", INBOX_OF("alice"));
	tidy(w, NOW - 90 * DAY);
	run(w);
	set_clock(w, NOW + DAY);
	phone(w, NOW + DAY, "bob", TOKEN_B, "two", INBOX_OF("bob"));
	struct registry_job *job = tidy(w, NOW + DAY);
	run(w);
	assert_int_equal(job->gone_count, 0);
	/* It looks as if it were to go: a push makes it renew. */
	assert_int_equal(job->match_count, 1);
	assert_string_equal(job->matches[0].target->account_id, "one");
}

static void what_was_spared_goes_after_five_days(void **state)
{
	struct world *w = *state;
	phone(w, NOW, "alice", TOKEN_A, "one", INBOX_OF("alice"));
	tidy(w, NOW);
	run(w);
	int64_t now_ms = NOW + TTL + 3 * DAY;
	set_clock(w, now_ms);
	phone(w, now_ms, "bob", TOKEN_B, "two", INBOX_OF("bob"));
	tidy_daily(w, now_ms, now_ms + 5 * DAY);
	struct registry_job *before = news(w, now_ms, "alice", "");
	run(w);
	assert_int_equal(before->match_count, 1);
	set_clock(w, now_ms + 5 * DAY);
	struct registry_job *job = tidy(w, now_ms + 5 * DAY);
	run(w);
	assert_int_equal(job->gone_count, 1);
	assert_true(is_gone(w, job, "alice", TOKEN_A, "one"));
}

int conformance_clock(void)
{
	const struct CMUnitTest tests[] = {
		RULE(a_phone_that_registered_by_a_clock_ahead_can_register_again),
		RULE(a_registration_by_a_clock_ahead_is_stopped_no_longer_when_it_renews),
		RULE(what_is_replayed_late_is_stale_still),
		RULE(five_minutes_of_difference_between_clocks_are_no_wrong_clock),
		RULE(a_clock_that_was_never_set_judges_nothing),
		RULE(a_registration_that_says_it_is_from_the_future_comes_now),
		RULE(news_wakes_an_account_deleted_by_a_clock_ahead),
		RULE(news_wakes_an_account_that_another_node_deleted_by_a_clock_ahead),
		RULE(a_phone_that_registered_by_the_clock_of_a_node_ahead_can_register_here),
		RULE(a_registration_wakes_an_account_deleted_by_the_clock_of_a_node_ahead),
		RULE(a_registration_wakes_an_account_deleted_by_a_clock_ahead),
		RULE(a_rename_reaches_what_registered_by_a_clock_ahead),
		RULE(a_delete_reaches_what_registered_by_a_clock_ahead),
		RULE(a_new_account_id_supersedes_one_from_the_future),
		RULE(an_account_id_superseded_by_a_clock_ahead_goes_after_three_days),
		RULE(an_account_id_that_renewed_behind_a_clock_set_back_does_not_go),
		RULE(a_registration_from_the_future_expires_at_last),
		RULE(an_account_deleted_by_a_clock_ahead_goes_after_the_grace),
		RULE(nobody_goes_when_the_clock_was_set_forwards),
		RULE(nobody_goes_when_the_clock_was_set_backwards),
		RULE(who_renewed_by_a_clock_behind_stays_when_it_is_right_again),
		RULE(what_was_spared_goes_after_five_days),
		RULE(who_registered_before_a_clock_fell_behind_stays_when_it_is_right_again),
		RULE(who_registered_before_a_clock_was_behind_for_a_moment_stays),
	};
	return cmocka_run_group_tests_name("clock", tests, NULL, NULL);
}

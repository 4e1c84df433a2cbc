/* Registrations that are brought from elsewhere, and all of a user that goes. */
#include "conformance.h"
#include "registry/batch.h"

static const struct registry_past nothing_known = {0};
static const struct registry_past undated = {.is_undated = true};

static struct registry_job *brought(struct world *w, int64_t renewed_ms, const char *user,
	const char *token, const char *account_id, const struct registry_past *past)
{
	struct registry_job *job = phone(w, renewed_ms, user, token, account_id, INBOX_OF(user));
	job->kind = REGISTRY_IMPORT;
	job->past = past;
	job->confirmed = false;
	return job;
}

static const struct registry_listed *stored(
	struct world *w, const char *user, const char *account_id)
{
	static struct registry_query query;
	query = (struct registry_query){.user = user, .limit = 100};
	struct registry_job *job = &add(w, REGISTRY_LIST, w->now_ms)->job;
	job->query = &query;
	run(w);
	for (size_t i = 0; i < job->listing->count; i++) {
		if (!strcmp(job->listing->listed[i].target->account_id, account_id))
			return &job->listing->listed[i];
	}
	return NULL;
}

static void one_that_is_not_known_is_taken_as_it_stood(void **state)
{
	struct world *w = *state;
	static const struct registry_past past = {.created_ms = NOW - 5 * DAY,
		.superseded_ms = NOW - DAY,
		.stopped_reason = "DeviceTokenNotForTopic"};
	set_clock(w, NOW);
	struct registry_job *job = brought(w, NOW - 2 * DAY, "alice", TOKEN_A, "one", &past);
	run(w);
	assert_int_equal(job->imported, REGISTRY_IMPORTED_NEW);
	assert_int_equal(job->match_count, 1);
	assert_int_equal(job->effect_count, 0);
	const struct registry_listed *listed = stored(w, "alice", "one");
	assert_int_equal(listed->target->renewed_ms, NOW - 2 * DAY);
	assert_false(listed->target->confirmed);
	assert_int_equal(listed->created_ms, NOW - 5 * DAY);
	assert_int_equal(listed->superseded_ms, NOW - DAY);
	assert_string_equal(listed->stopped_reason, "DeviceTokenNotForTopic");
	assert_int_equal(listed->subscription_count, 1);
}

static void what_is_stored_as_new_or_newer_stays(void **state)
{
	struct world *w = *state;
	phone(w, NOW, "alice", TOKEN_A, "one", INBOX_OF("alice"));
	run(w);
	struct registry_job *same = brought(w, NOW, "alice", TOKEN_A, "one", &nothing_known);
	run(w);
	struct registry_job *older = brought(w, NOW - 1, "alice", TOKEN_A, "one", &nothing_known);
	run(w);
	struct registry_job *unknown = brought(w, NOW + 1, "alice", TOKEN_A, "one", &undated);
	run(w);
	assert_int_equal(same->imported, REGISTRY_IMPORTED_KNOWN);
	assert_int_equal(older->imported, REGISTRY_IMPORTED_KNOWN);
	assert_int_equal(unknown->imported, REGISTRY_IMPORTED_KNOWN);
	assert_int_equal(older->match_count, 0);
	const struct registry_listed *listed = stored(w, "alice", "one");
	assert_true(listed->target->confirmed);
	assert_int_equal(listed->target->renewed_ms, NOW);
}

static void a_newer_one_renews_what_is_stored(void **state)
{
	struct world *w = *state;
	phone(w, NOW - DAY, "alice", TOKEN_A, "one", INBOX_OF("alice"));
	run(w);
	verdict(w, REGISTRY_STOP, TOKEN_A, TOPIC, NOW);
	run(w);
	struct registry_job *job = brought(w, NOW, "alice", TOKEN_A, "one", &nothing_known);
	run(w);
	assert_int_equal(job->imported, REGISTRY_IMPORTED_RENEWED);
	const struct registry_listed *listed = stored(w, "alice", "one");
	assert_int_equal(listed->target->renewed_ms, NOW);
	assert_int_equal(listed->created_ms, NOW - DAY);
	assert_null(listed->stopped_reason);
}

static void two_of_one_registration_in_a_batch_leave_the_newer(void **state)
{
	struct world *w = *state;
	set_clock(w, NOW);
	struct registry_job *newer = brought(w, NOW - 1, "alice", TOKEN_A, "one", &nothing_known);
	struct registry_job *older = brought(w, NOW - 2, "alice", TOKEN_A, "one", &nothing_known);
	run(w);
	assert_int_equal(newer->imported, REGISTRY_IMPORTED_NEW);
	assert_int_equal(older->imported, REGISTRY_IMPORTED_KNOWN);
	assert_int_equal(stored(w, "alice", "one")->target->renewed_ms, NOW - 1);
}

static void one_that_expired_is_not_taken(void **state)
{
	struct world *w = *state;
	set_clock(w, NOW);
	struct registry_job *expired =
		brought(w, NOW - TTL - 1, "alice", TOKEN_A, "one", &nothing_known);
	struct registry_job *last = brought(w, NOW - TTL, "bob", TOKEN_B, "two", &nothing_known);
	run(w);
	assert_int_equal(expired->imported, REGISTRY_IMPORTED_EXPIRED);
	assert_int_equal(last->imported, REGISTRY_IMPORTED_NEW);
	assert_null(stored(w, "alice", "one"));
}

static void nobody_who_was_renewed_later_is_evicted(void **state)
{
	struct world *w = *state;
	static const char *const accounts[PER_USER] = {"one", "two", "three", "four"};
	for (unsigned i = 0; i < PER_USER; i++)
		phone(w, NOW + i, "alice", TOKEN_A, accounts[i], INBOX_OF("alice"));
	run(w);
	struct registry_job *old = brought(w, NOW - 1, "alice", TOKEN_B, "old", &nothing_known);
	run(w);
	struct registry_job *unknown = brought(w, NOW + 8, "alice", TOKEN_B, "unknown", &undated);
	run(w);
	assert_int_equal(old->imported, REGISTRY_IMPORTED_LIMIT);
	assert_int_equal(unknown->imported, REGISTRY_IMPORTED_LIMIT);
	struct registry_job *young = brought(w, NOW + 2, "alice", TOKEN_B, "young", &nothing_known);
	run(w);
	assert_int_equal(young->imported, REGISTRY_IMPORTED_NEW);
	assert_int_equal(young->gone_count, 1);
	assert_true(is_gone(w, young, "alice", TOKEN_A, "one"));
}

static void two_accounts_of_a_phone_keep_their_order(void **state)
{
	struct world *w = *state;
	static const struct registry_past first = {.created_ms = NOW - 9 * DAY};
	static const struct registry_past second = {.created_ms = NOW - 6 * DAY};
	set_clock(w, NOW);
	/* Both are alive: the first was renewed after the second came. */
	brought(w, NOW - 3 * DAY, "alice", TOKEN_A, "one", &first);
	brought(w, NOW - 2 * DAY, "alice", TOKEN_A, "two", &second);
	/* And here the first was not. */
	brought(w, NOW - 2 * DAY, "bob", TOKEN_B, "two", &second);
	brought(w, NOW - 7 * DAY, "bob", TOKEN_B, "one", &first);
	run(w);
	assert_int_equal(stored(w, "alice", "one")->superseded_ms, 0);
	assert_int_equal(stored(w, "alice", "two")->superseded_ms, 0);
	assert_int_equal(stored(w, "bob", "one")->superseded_ms, NOW - 6 * DAY);
	assert_int_equal(stored(w, "bob", "two")->superseded_ms, 0);
}

static void an_undated_one_says_nothing_about_others(void **state)
{
	struct world *w = *state;
	phone(w, NOW - DAY, "alice", TOKEN_A, "one", INBOX_OF("alice"));
	at(w, REGISTRY_MAILBOX_DELETE, NOW - DAY + 1, "alice", "");
	run(w);
	set_clock(w, NOW);
	struct registry_job *job = brought(w, NOW, "alice", TOKEN_A, "two", &undated);
	run(w);
	assert_int_equal(job->imported, REGISTRY_IMPORTED_NEW);
	assert_int_equal(job->effect_count, 0);
	const struct registry_listed *other = stored(w, "alice", "one");
	assert_int_equal(other->superseded_ms, 0);
	assert_int_equal(other->suspended_ms, NOW - DAY + 1);
	/* Something that happens to the account still resumes it. */
	struct registry_job *resumes = news(w, NOW + 1, "alice", "");
	run(w);
	assert_int_equal(resumes->effect_count, 1);
	assert_int_equal(resumes->effects[0].kind, REGISTRY_EFFECT_RESUMED);
}

static void a_suspended_one_stays_so_until_something_happens(void **state)
{
	struct world *w = *state;
	static const struct registry_past past = {.suspended_ms = NOW - 1};
	set_clock(w, NOW);
	struct registry_job *job = brought(w, NOW - DAY, "alice", TOKEN_A, "one", &past);
	run(w);
	assert_int_equal(job->effect_count, 1);
	assert_int_equal(job->effects[0].kind, REGISTRY_EFFECT_SUSPENDED);
	assert_int_equal(stored(w, "alice", "one")->suspended_ms, NOW - 1);
	assert_true(is_told(w, NOW + 1, "alice", "", "one"));
	assert_int_equal(stored(w, "alice", "one")->suspended_ms, 0);
}

static void a_dry_run_changes_nothing(void **state)
{
	struct world *w = *state;
	phone(w, NOW - DAY, "alice", TOKEN_A, "one", INBOX_OF("alice"));
	run(w);
	struct registry_job *fresh = brought(w, NOW, "bob", TOKEN_B, "two", &nothing_known);
	struct registry_job *renewed = brought(w, NOW, "alice", TOKEN_A, "one", &nothing_known);
	fresh->is_dry_run = renewed->is_dry_run = true;
	run(w);
	assert_int_equal(fresh->imported, REGISTRY_IMPORTED_NEW);
	assert_int_equal(renewed->imported, REGISTRY_IMPORTED_RENEWED);
	assert_int_equal(renewed->match_count, 0);
	assert_null(stored(w, "bob", "two"));
	assert_int_equal(stored(w, "alice", "one")->target->renewed_ms, NOW - DAY);
}

static void all_of_a_user_goes_without_a_tombstone(void **state)
{
	struct world *w = *state;
	static const struct registry_query alice = {.user = "alice", .limit = 100};
	static const struct registry_query bob = {.user = "bob", .limit = 100};
	phone(w, NOW, "alice", TOKEN_A, "one", INBOX_OF("alice"));
	phone(w, NOW, "alice", TOKEN_B, "two", INBOX_OF("alice"));
	phone(w, NOW, "bob", TOKEN_B, "two", INBOX_OF("bob"));
	run(w);
	verdict(w, REGISTRY_FORGET, TOKEN_B, TOPIC, NOW + 1);
	run(w);
	struct registry_job *job = &add(w, REGISTRY_REMOVE_USER, NOW + 2)->job;
	job->query = &alice;
	run(w);
	assert_int_equal(job->gone_count, 2);
	assert_true(is_gone(w, job, "alice", TOKEN_A, "one"));
	assert_true(is_gone(w, job, "alice", TOKEN_B, "two"));
	assert_null(stored(w, "alice", "one"));
	assert_false(is_told(w, NOW + 3, "alice", "", "one"));
	struct registry_job *tombstones = &add(w, REGISTRY_LIST_FORGOTTEN, NOW + 3)->job;
	struct registry_job *others = &add(w, REGISTRY_LIST_FORGOTTEN, NOW + 3)->job;
	tombstones->query = &alice;
	others->query = &bob;
	run(w);
	assert_int_equal(tombstones->tombstones->count, 0);
	assert_int_equal(others->tombstones->count, 1);
	struct registry_job *again = &add(w, REGISTRY_REMOVE_USER, NOW + 4)->job;
	again->query = &alice;
	run(w);
	assert_int_equal(again->gone_count, 0);
}

int conformance_import(void)
{
	const struct CMUnitTest rules[] = {
		RULE(one_that_is_not_known_is_taken_as_it_stood),
		RULE(what_is_stored_as_new_or_newer_stays),
		RULE(a_newer_one_renews_what_is_stored),
		RULE(two_of_one_registration_in_a_batch_leave_the_newer),
		RULE(one_that_expired_is_not_taken),
		RULE(nobody_who_was_renewed_later_is_evicted),
		RULE(two_accounts_of_a_phone_keep_their_order),
		RULE(an_undated_one_says_nothing_about_others),
		RULE(a_suspended_one_stays_so_until_something_happens),
		RULE(a_dry_run_changes_nothing),
		RULE(all_of_a_user_goes_without_a_tombstone),
	};
	return cmocka_run_group_tests_name("import", rules, NULL, NULL);
}

/* What is remembered of registrations that are gone. */
#include "conformance.h"
#include "registry/batch.h"

static const struct registry_query all = {.limit = 1000};

static const struct registry_tombstones *tombstones(
	struct world *w, const struct registry_query *query)
{
	struct registry_job *job = &add(w, REGISTRY_LIST_FORGOTTEN, w->now_ms)->job;
	job->query = query;
	run(w);
	return job->tombstones;
}

/* The newest one. */
static const struct registry_tombstone *last(struct world *w)
{
	const struct registry_tombstones *found = tombstones(w, &all);
	assert_true(found->count > 0);
	return &found->tombstones[0];
}

static void an_answer_of_apples_is_remembered_word_by_word(void **state)
{
	struct world *w = *state;
	assert_int_equal(tombstones(w, &all)->count, 0);
	phone(w, NOW, "alice", TOKEN_A, "one", INBOX_OF("alice"));
	run(w);
	struct registry_job *job = verdict(w, REGISTRY_FORGET, TOKEN_A, TOPIC, NOW + 5);
	job->received_ms = NOW + 7;
	job->answer_status = 410;
	job->reason = "Unregistered";
	set_clock(w, NOW + 7);
	run(w);
	const struct registry_tombstones *found = tombstones(w, &all);
	assert_int_equal(found->count, 1);
	assert_false(found->has_more);
	const struct registry_tombstone *tombstone = &found->tombstones[0];
	struct registry_key key =
		registry_key_make(w->site, "alice", TOKEN_A, "one", "com.apple.mobilemail");
	assert_memory_equal(&tombstone->key, &key, sizeof(key));
	assert_string_equal(tombstone->user, "alice");
	assert_string_equal(tombstone->token, TOKEN_A);
	assert_string_equal(tombstone->account_id, "one");
	assert_string_equal(tombstone->topic, TOPIC);
	assert_int_equal(tombstone->renewed_ms, NOW);
	assert_int_equal(tombstone->at_ms, NOW + 7);
	assert_int_equal(tombstone->why, REGISTRY_WHY_APPLE);
	assert_int_equal(tombstone->status, 410);
	assert_string_equal(tombstone->reason, "Unregistered");
	assert_false(tombstone->is_back);
}

static void a_stop_leaves_no_tombstone_and_the_end_of_a_stopped_one_says_why(void **state)
{
	struct world *w = *state;
	phone(w, NOW, "alice", TOKEN_A, "one", INBOX_OF("alice"));
	run(w);
	verdict(w, REGISTRY_STOP, TOKEN_A, TOPIC, NOW + 5);
	run(w);
	assert_int_equal(tombstones(w, &all)->count, 0);
	phone(w, NOW + TTL + 1, "bob", TOKEN_B, "alive", INBOX_OF("bob"));
	tidy(w, NOW + TTL + 1);
	run(w);
	const struct registry_tombstone *tombstone = last(w);
	assert_int_equal(tombstone->why, REGISTRY_WHY_EXPIRED);
	assert_int_equal(tombstone->status, 0);
	assert_string_equal(tombstone->reason, "DeviceTokenNotForTopic");
	assert_int_equal(tombstone->at_ms, NOW + TTL + 1);
}

static void each_other_end_has_its_name(void **state)
{
	struct world *w = *state;
	phone(w, NOW, "alice", TOKEN_A, "deleted", INBOX_OF("alice"));
	phone(w, NOW, "bob", TOKEN_B, "removed", INBOX_OF("bob"));
	at(w, REGISTRY_MAILBOX_DELETE, NOW + 1, "alice", "");
	tidy(w, NOW + 2 + GRACE);
	run(w);
	assert_string_equal(last(w)->account_id, "deleted");
	assert_int_equal(last(w)->why, REGISTRY_WHY_DELETED);

	struct registry_key key =
		registry_key_make(w->site, "bob", TOKEN_B, "removed", "com.apple.mobilemail");
	struct registry_job *job = &add(w, REGISTRY_REMOVE, NOW + 3 + GRACE)->job;
	job->keys = &key;
	job->key_count = 1;
	run(w);
	assert_string_equal(last(w)->account_id, "removed");
	assert_int_equal(last(w)->why, REGISTRY_WHY_REMOVED);

	int64_t now_ms = NOW + 4 + GRACE;
	phone(w, now_ms, "carol", TOKEN_A, "old", INBOX_OF("carol"));
	phone(w, now_ms + 1, "carol", TOKEN_A, "new", INBOX_OF("carol"));
	phone(w, now_ms + 4 * DAY, "carol", TOKEN_A, "new", INBOX_OF("carol"));
	run(w);
	assert_string_equal(last(w)->account_id, "old");
	assert_int_equal(last(w)->why, REGISTRY_WHY_SUPERSEDED);
	assert_int_equal(last(w)->at_ms, now_ms + 4 * DAY);
	assert_int_equal(tombstones(w, &all)->count, 3);
}

static void what_is_evicted_has_its_name(void **state)
{
	struct world *w = *state;
	static const char *const accounts[] = {"a", "b", "c", "d", "e"};
	static const char *const tokens[] = {TOKEN_A, TOKEN_B, "cc", "dd", "ee"};
	for (int i = 0; i < PER_USER + 1; i++)
		phone(w, NOW + i, "alice", tokens[i], accounts[i], INBOX_OF("alice"));
	run(w);
	assert_string_equal(last(w)->account_id, "a");
	assert_int_equal(last(w)->why, REGISTRY_WHY_LIMIT);
	assert_int_equal(tombstones(w, &all)->count, 1);
}

static void forget(struct world *w, int64_t now_ms, const char *user, const char *token)
{
	phone(w, now_ms, user, token, "one", INBOX_OF(user));
	run(w);
	verdict(w, REGISTRY_FORGET, token, TOPIC, now_ms + 1)->received_ms = now_ms + 1;
	run(w);
}

static void one_that_is_back_says_so_and_has_one_tombstone(void **state)
{
	struct world *w = *state;
	forget(w, NOW, "alice", TOKEN_A);
	forget(w, NOW + 10, "alice", TOKEN_A);
	assert_int_equal(tombstones(w, &all)->count, 1);
	assert_int_equal(last(w)->renewed_ms, NOW + 10);
	assert_false(last(w)->is_back);
	phone(w, NOW + 20, "alice", TOKEN_A, "one", INBOX_OF("alice"));
	run(w);
	assert_true(last(w)->is_back);
}

static void they_come_page_by_page_and_user_by_user(void **state)
{
	struct world *w = *state;
	for (int i = 0; i < 5; i++) {
		char token[32];
		snprintf(token, sizeof(token), "%016d", i);
		forget(w, NOW + 10 * i, i % 2 ? "bob" : "alice", token);
	}
	struct registry_query page = {.limit = 2};
	for (int seen = 0; seen < 5;) {
		const struct registry_tombstones *found = tombstones(w, &page);
		for (size_t i = 0; i < found->count; i++) {
			assert_int_equal(found->tombstones[i].renewed_ms, NOW + 10 * (4 - seen));
			seen++;
		}
		assert_int_equal(found->has_more, seen < 5);
		page.after_id = found->tombstones[found->count - 1].id;
	}
	const struct registry_query of_bob = {.user = "bob", .limit = 1};
	const struct registry_tombstones *found = tombstones(w, &of_bob);
	assert_int_equal(found->count, 1);
	assert_true(found->has_more);
	assert_int_equal(found->tombstones[0].renewed_ms, NOW + 30);
	const struct registry_query of_nobody = {.user = "nobody", .limit = 10};
	assert_int_equal(tombstones(w, &of_nobody)->count, 0);
}

static void a_user_has_no_more_than_so_many(void **state)
{
	struct world *w = *state;
	forget(w, NOW, "bob", TOKEN_B);
	for (int i = 1; i <= REGISTRY_TOMBSTONES_PER_USER + 3; i++) {
		char token[32];
		snprintf(token, sizeof(token), "%016d", i);
		forget(w, NOW + 10 * i, "alice", token);
	}
	const struct registry_tombstones *found = tombstones(w, &all);
	assert_int_equal(found->count, REGISTRY_TOMBSTONES_PER_USER + 1);
	assert_string_equal(found->tombstones[REGISTRY_TOMBSTONES_PER_USER].user, "bob");
	assert_int_equal(found->tombstones[REGISTRY_TOMBSTONES_PER_USER - 1].renewed_ms, NOW + 40);
}

static void they_go_after_thirty_days_whatever_the_clock_did(void **state)
{
	struct world *w = *state;
	forget(w, NOW, "alice", TOKEN_A);
	int64_t future_ms = NOW + 1000 * DAY;
	forget(w, future_ms, "bob", TOKEN_B); /* the clock is wrong */
	set_clock(w, NOW + 2);
	tidy(w, NOW + 2);
	run(w);
	assert_int_equal(tombstones(w, &all)->count, 2);
	const int64_t right_ms = NOW + 2 - 5 * CLOCK_MINUTE_MS;
	assert_int_equal(last(w)->at_ms, right_ms);
	const struct {
		int64_t now_ms;
		size_t left;
	} steps[] = {
		{right_ms + REGISTRY_TOMBSTONE_MS, 2},
		{right_ms + 1 + REGISTRY_TOMBSTONE_MS, 1},
		{NOW + 1 + REGISTRY_TOMBSTONE_MS, 1},
		{NOW + 2 + REGISTRY_TOMBSTONE_MS, 0},
	};
	for (size_t i = 0; i < sizeof(steps) / sizeof(steps[0]); i++) {
		set_clock(w, steps[i].now_ms);
		tidy(w, steps[i].now_ms);
		run(w);
		assert_int_equal(tombstones(w, &all)->count, steps[i].left);
	}
}

static void another_sites_are_not_seen(void **state)
{
	struct world *w = *state;
	forget(w, NOW, "alice", TOKEN_A);
	struct world *other = NULL;
	assert_int_equal(set_up((void **)&other), 0);
	other->now_ms = NOW;
	assert_int_equal(tombstones(other, &all)->count, 0);
	tidy(other, NOW + 2 * REGISTRY_TOMBSTONE_MS);
	run(other);
	tear_down((void **)&other);
	assert_int_equal(tombstones(w, &all)->count, 1);
}

static void they_survive_a_restart(void **state)
{
	struct world *w = *state;
	forget(w, NOW, "alice", TOKEN_A);
	registry_store_close(w->store);
	open_store(w);
	assert_int_equal(tombstones(w, &all)->count, 1);
}

int conformance_tombstones(void)
{
	static const struct CMUnitTest rules[] = {
		RULE(an_answer_of_apples_is_remembered_word_by_word),
		RULE(a_stop_leaves_no_tombstone_and_the_end_of_a_stopped_one_says_why),
		RULE(each_other_end_has_its_name),
		RULE(what_is_evicted_has_its_name),
		RULE(one_that_is_back_says_so_and_has_one_tombstone),
		RULE(they_come_page_by_page_and_user_by_user),
		RULE(a_user_has_no_more_than_so_many),
		RULE(they_go_after_thirty_days_whatever_the_clock_did),
		RULE(another_sites_are_not_seen),
		RULE(they_survive_a_restart),
	};
	return cmocka_run_group_tests_name("tombstones", rules, NULL, NULL);
}

/* A phone that may listen on a topic of before: a registration for each. */
#include "conformance.h"

#define THIRD_TOPIC "com.apple.mail.XServer.three"

static const char *const former[] = {OTHER_TOPIC, THIRD_TOPIC};

/* With `count` of the former topics. */
static struct registry_job *phone_between(
	struct world *w, int64_t received_ms, const char *account_id, size_t count)
{
	struct registry_job *job =
		phone(w, received_ms, "alice", TOKEN_A, account_id, INBOX_OF("alice"));
	job->former_topics = former;
	job->former_topic_count = count;
	return job;
}

static const struct registry_match *on_topic(const struct registry_job *job, const char *topic)
{
	for (size_t i = 0; i < job->match_count; i++) {
		if (strcmp(job->matches[i].target->topic, topic) == 0)
			return &job->matches[i];
	}
	return NULL;
}

static struct registry_job *told(struct world *w, int64_t received_ms)
{
	struct registry_job *job = news(w, received_ms, "alice", "");
	run(w);
	return job;
}

static void it_is_told_on_each_of_them(void **state)
{
	struct world *w = *state;
	struct registry_job *registered = phone_between(w, NOW, "one", 2);
	run(w);
	assert_true(registered->is_new);
	assert_int_equal(registered->match_count, 3);
	assert_string_equal(registered->matches[0].target->topic, TOPIC);
	const struct registry_job *job = told(w, NOW + 1);
	assert_int_equal(job->match_count, 3);
	const char *const topics[] = {TOPIC, OTHER_TOPIC, THIRD_TOPIC};
	for (size_t i = 0; i < 3; i++) {
		const struct registry_match *match = on_topic(job, topics[i]);
		assert_non_null(match);
		assert_true(match->is_own);
		assert_string_equal(match->target->token, TOKEN_A);
		assert_true(has_hash(match, "INBOX"));
	}
	assert_memory_not_equal(&on_topic(job, TOPIC)->target->key,
		&on_topic(job, OTHER_TOPIC)->target->key, sizeof(struct registry_key));
}

static void when_it_registers_again_the_former_ones_go(void **state)
{
	struct world *w = *state;
	phone_between(w, NOW, "one", 2);
	run(w);
	struct registry_job *again = phone_between(w, NOW + DAY, "one", 0);
	run(w);
	assert_int_equal(again->gone_count, 2);
	assert_int_equal(again->match_count, 1);
	assert_false(again->list_changed);
	const struct registry_job *job = told(w, NOW + DAY + 1);
	assert_int_equal(job->match_count, 1);
	assert_non_null(on_topic(job, TOPIC));
}

static void within_the_day_they_are_renewed(void **state)
{
	struct world *w = *state;
	struct registry_job *first = phone_between(w, NOW, "one", 1);
	run(w);
	struct registry_key key = on_topic(first, OTHER_TOPIC)->target->key;
	struct registry_job *again = phone_between(w, NOW + 5, "one", 1);
	run(w);
	assert_int_equal(again->gone_count, 0);
	const struct registry_job *job = told(w, NOW + 6);
	assert_int_equal(job->match_count, 2);
	assert_memory_equal(&on_topic(job, OTHER_TOPIC)->target->key, &key, sizeof(key));
	assert_int_equal(on_topic(job, OTHER_TOPIC)->target->renewed_ms, NOW + 5);
}

static void one_that_is_known_already_gets_the_former_topic_beside_its_new_one(void **state)
{
	struct world *w = *state;
	w->topic = OTHER_TOPIC;
	phone_between(w, NOW, "one", 0);
	run(w);
	w->topic = TOPIC;
	struct registry_job *again = phone_between(w, NOW + 1, "one", 1);
	run(w);
	assert_false(again->is_new);
	assert_true(again->list_changed);
	const struct registry_job *job = told(w, NOW + 2);
	assert_int_equal(job->match_count, 2);
	assert_non_null(on_topic(job, TOPIC));
	assert_non_null(on_topic(job, OTHER_TOPIC));
}

static void a_stop_on_one_topic_does_not_stop_the_other(void **state)
{
	struct world *w = *state;
	phone_between(w, NOW, "one", 1);
	run(w);
	struct registry_job *stop = verdict(w, REGISTRY_STOP, TOKEN_A, TOPIC, NOW + 1);
	stop->reason = "DeviceTokenNotForTopic";
	run(w);
	assert_int_equal(stop->gone_count, 1);
	const struct registry_job *job = told(w, NOW + 2);
	assert_int_equal(job->match_count, 1);
	assert_non_null(on_topic(job, OTHER_TOPIC));
}

static void one_that_is_forgotten_on_one_topic_is_told_on_the_other(void **state)
{
	struct world *w = *state;
	phone_between(w, NOW, "one", 1);
	run(w);
	struct registry_job *forget = verdict(w, REGISTRY_FORGET, TOKEN_A, OTHER_TOPIC, NOW + 1);
	run(w);
	assert_int_equal(forget->gone_count, 1);
	assert_non_null(on_topic(told(w, NOW + 2), TOPIC));
	/* And comes back whole. */
	phone_between(w, NOW + 3, "one", 1);
	run(w);
	assert_int_equal(told(w, NOW + 4)->match_count, 2);
}

static void they_are_not_another_account_of_the_phone(void **state)
{
	struct world *w = *state;
	for (int64_t day = 0; day < 6; day++) {
		struct registry_job *job = phone_between(w, NOW + day * DAY, "one", 1);
		run(w);
		assert_int_equal(job->gone_count, 0);
	}
	assert_int_equal(told(w, NOW + 6 * DAY)->match_count, 2);
}

static void they_do_not_count_among_the_users_registrations(void **state)
{
	struct world *w = *state;
	static const char *const accounts[PER_USER] = {"one", "two", "three", "four"};
	for (unsigned i = 0; i < PER_USER; i++) {
		struct registry_job *job = phone_between(w, NOW + i, accounts[i], 2);
		run(w);
		assert_int_equal(job->gone_count, 0);
	}
	assert_int_equal(told(w, NOW + 10)->match_count, 3 * PER_USER);
	struct registry_job *fifth =
		phone(w, NOW + 11, "alice", TOKEN_B, "five", INBOX_OF("alice"));
	run(w);
	assert_int_equal(fifth->gone_count, 3);
	assert_true(is_gone(w, fifth, "alice", TOKEN_A, "one"));
	assert_int_equal(told(w, NOW + 12)->match_count, 3 * PER_USER - 3 + 1);
}

static void a_new_list_is_the_list_of_all_of_them(void **state)
{
	struct world *w = *state;
	phone_between(w, NOW, "one", 1);
	run(w);
	struct registry_job *again = phone(w, NOW + 1, "alice", TOKEN_A, "one",
		BOXES({.name = "Notes", .owner = "alice", .folder = "Notes"}));
	again->former_topics = former;
	again->former_topic_count = 1;
	run(w);
	assert_true(again->list_changed);
	assert_int_equal(told(w, NOW + 2)->match_count, 0);
	const struct registry_job *job = news(w, NOW + 3, "alice", "Notes");
	run(w);
	assert_int_equal(job->match_count, 2);
	assert_false(on_topic(job, OTHER_TOPIC)->target->inbox_only);
}

static void what_comes_late_changes_none_of_them(void **state)
{
	struct world *w = *state;
	phone_between(w, NOW, "one", 1);
	run(w);
	struct registry_job *late = phone_between(w, NOW - 5, "one", 0);
	run(w);
	assert_true(late->is_stale);
	assert_int_equal(late->gone_count, 0);
	assert_int_equal(told(w, NOW + 1)->match_count, 2);
}

int conformance_former(void)
{
	const struct CMUnitTest tests[] = {
		RULE(it_is_told_on_each_of_them),
		RULE(when_it_registers_again_the_former_ones_go),
		RULE(within_the_day_they_are_renewed),
		RULE(one_that_is_known_already_gets_the_former_topic_beside_its_new_one),
		RULE(a_stop_on_one_topic_does_not_stop_the_other),
		RULE(one_that_is_forgotten_on_one_topic_is_told_on_the_other),
		RULE(they_are_not_another_account_of_the_phone),
		RULE(they_do_not_count_among_the_users_registrations),
		RULE(a_new_list_is_the_list_of_all_of_them),
		RULE(what_comes_late_changes_none_of_them),
	};
	return cmocka_run_group_tests_name("former topics", tests, NULL, NULL);
}

/* Rows that no mailpushd wrote: they are left out, and keep nobody else from being found. */
#include "conformance.h"

#include "registry/batch.h"

#define SUBTOPIC "com.apple.mobilemail"

/* Past the rules, as somebody does who edits the tables: `row` or `list` is NULL. */
static void edit(struct world *w, const struct registry_row *row, const struct registry_list *list)
{
	const struct registry_ops *ops = w->settings.ops;
	struct err err = {"no text"};
	struct registry_db *db = NULL;
	registry_store_close(w->store);
	if (ops->open(w->settings.place, &w->settings, &db, &err) ||
		ops->begin(db, REGISTRY_WRITES, &err) ||
		(row ? ops->put(db, row, 1, &err) : ops->put_lists(db, list, 1, &err)) ||
		ops->commit(db, &err))
		fail_msg("%s", err.text);
	ops->close(db);
	open_store(w);
}

static struct registry_key key_of(struct world *w, const char *user)
{
	return registry_key_make(w->site, user, TOKEN_A, "one", SUBTOPIC);
}

static void put(struct world *w, const char *user, const char *token, const char *account_id)
{
	const struct registry_row row = {
		.key = key_of(w, user),
		.user = user,
		.token = token,
		.account_id = account_id,
		.topic = TOPIC,
		.subtopic = SUBTOPIC,
		.aps_version = 2,
		.created_ms = NOW,
		.renewed_ms = NOW,
	};
	edit(w, &row, NULL);
}

static void put_hash(struct world *w, const char *user, const char *name, const char *hash)
{
	struct registry_subscription boxes[] = {
		{.name = "INBOX", .owner = user, .folder = ""},
		{.name = "Notes", .owner = user, .folder = "Notes"},
	};
	const struct registry_list list = {key_of(w, user), boxes, 2};
	for (size_t i = 0; i < 2; i++)
		strcpy(boxes[i].hash, strcmp(boxes[i].name, name) ? hash_of(boxes[i].name) : hash);
	edit(w, NULL, &list);
}

static void two_of(struct world *w, const char *user)
{
	phone(w, NOW, user, TOKEN_A, "one",
		BOXES({.name = "INBOX", .owner = user, .folder = ""},
			{.name = "Notes", .owner = user, .folder = "Notes"}));
	run(w);
}

static void a_registration_that_nobody_could_be_pushed_to_is_left_out_alone(void **state)
{
	static const struct {
		const char *token;
		const char *account_id;
	} malformed[] = {{TOKEN_A, ""}, {TOKEN_A, "a\"b"}, {"", "one"}, {"xyz", "one"}};
	struct world *w = *state;
	two_of(w, "alice");
	two_of(w, "bob");
	for (size_t i = 0; i < sizeof(malformed) / sizeof(malformed[0]); i++) {
		put(w, "alice", malformed[i].token, malformed[i].account_id);
		struct registry_job *of_alice = news(w, NOW + 1, "alice", "");
		struct registry_job *of_bob = news(w, NOW + 1, "bob", "");
		run(w);
		assert_int_equal(of_alice->match_count, 0);
		assert_int_equal(of_bob->match_count, 1);
	}
}

static void a_malformed_registration_is_mended_when_the_phone_registers_again(void **state)
{
	struct world *w = *state;
	two_of(w, "alice");
	put(w, "alice", "", "");
	assert_false(is_told(w, NOW + 1, "alice", "", "one"));
	phone(w, NOW + 2, "alice", TOKEN_A, "one", INBOX_OF("alice"));
	run(w);
	assert_true(is_told(w, NOW + 3, "alice", "", "one"));
}

static void one_that_was_given_to_another_site_is_ours_when_it_registers(void **state)
{
	struct world *w = *state;
	char other[sizeof(w->site) + 8];
	snprintf(other, sizeof(other), "%s-other", w->site);
	w->settings.site = other;
	put(w, "alice", TOKEN_A, "one");
	w->settings.site = w->site;
	registry_store_close(w->store);
	open_store(w);
	phone(w, NOW + 1, "alice", TOKEN_A, "one", INBOX_OF("alice"));
	run(w);
	assert_true(is_told(w, NOW + 2, "alice", "", "one"));
	struct registry_job *job = phone(w, NOW + 3, "alice", TOKEN_A, "one", INBOX_OF("alice"));
	run(w);
	assert_false(job->is_new);
}

static void pages_are_full_without_the_malformed(void **state)
{
	struct world *w = *state;
	static const char *const users[] = {"alice", "bob", "carol", "dave", "erin"};
	for (size_t i = 0; i < sizeof(users) / sizeof(users[0]); i++)
		two_of(w, users[i]);
	put(w, "alice", "", "one");
	put(w, "bob", TOKEN_A, "");
	put(w, "dave", TOKEN_A, "");
	const struct registry_query first = {.limit = 1};
	struct registry_job *job = &add(w, REGISTRY_LIST, NOW)->job;
	job->query = &first;
	run(w);
	assert_int_equal(job->listing->count, 1);
	assert_string_equal(job->listing->listed[0].target->user, "carol");
	assert_true(job->listing->has_more);
	const struct registry_query second = {
		.limit = 1, .after_user = "carol", .after_key = key_of(w, "carol")};
	job = &add(w, REGISTRY_LIST, NOW)->job;
	job->query = &second;
	run(w);
	assert_int_equal(job->listing->count, 1);
	assert_string_equal(job->listing->listed[0].target->user, "erin");
	assert_false(job->listing->has_more);
}

static void a_mailbox_with_a_malformed_hash_is_left_out_alone(void **state)
{
	static const char *const hashes[] = {"", "0123", "\"0123456789abcdef0123456789abcde",
		"0123456789ABCDEF0123456789ABCDEF"};
	struct world *w = *state;
	two_of(w, "alice");
	for (size_t i = 0; i < sizeof(hashes) / sizeof(hashes[0]); i++) {
		put_hash(w, "alice", "Notes", hashes[i]);
		struct registry_job *inbox = news(w, NOW + 1, "alice", "");
		struct registry_job *notes = news(w, NOW + 1, "alice", "Notes");
		run(w);
		assert_int_equal(inbox->match_count, 1);
		assert_int_equal(notes->match_count, 0);
	}
	two_of(w, "alice");
	assert_true(is_told(w, NOW + 2, "alice", "Notes", "one"));
}

static void a_malformed_registration_is_not_nudged(void **state)
{
	struct world *w = *state;
	two_of(w, "alice");
	two_of(w, "bob");
	two_of(w, "carol");
	put(w, "alice", TOKEN_A, "");
	put_hash(w, "bob", "INBOX", "");
	phone(w, NOW + TTL, "dave", TOKEN_A, "one", INBOX_OF("dave"));
	struct registry_job *job = tidy(w, NOW + TTL - DAY);
	run(w);
	assert_int_equal(job->match_count, 2);
	for (size_t i = 0; i < 2; i++) {
		bool is_bob = strcmp(job->matches[i].target->user, "bob") == 0;
		assert_int_equal(job->matches[i].hash_count, is_bob ? 1 : 2);
	}
}

int conformance_malformed(void)
{
	const struct CMUnitTest rules[] = {
		RULE(a_registration_that_nobody_could_be_pushed_to_is_left_out_alone),
		RULE(a_malformed_registration_is_mended_when_the_phone_registers_again),
		RULE(one_that_was_given_to_another_site_is_ours_when_it_registers),
		RULE(pages_are_full_without_the_malformed),
		RULE(a_mailbox_with_a_malformed_hash_is_left_out_alone),
		RULE(a_malformed_registration_is_not_nudged),
	};
	return cmocka_run_group_tests_name("malformed", rules, NULL, NULL);
}

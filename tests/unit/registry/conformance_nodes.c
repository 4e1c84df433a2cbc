/* Several nodes on one registry share its housekeeping. */
#include "conformance.h"
#include "driver/ops.h"
#include "registry/batch.h"

#include <errno.h>

#define ROUND (50 * CLOCK_MINUTE_MS)
#define LATER (NOW + TTL + DAY)

/* The other node; leave: the first one again. */
static struct registry_store *enter_other(struct world *w)
{
	struct registry_store *here = w->store;
	open_store(w);
	return here;
}

static void leave_other(struct world *w, struct registry_store *here)
{
	registry_store_close(w->store);
	w->store = here;
}

/* By a node's timer. */
static struct registry_job *come(struct world *w, int64_t now_ms)
{
	struct registry_job *job = tidy(w, now_ms);
	job->is_asked = false;
	run(w);
	return job;
}

static void one_of_the_nodes_that_come_in_an_hour_tidies(void **state)
{
	struct world *w = *state;
	crowd(w, NOW, 0, 25);
	phone(w, LATER, "alice", TOKEN_B, "alive", INBOX_OF("alice"));
	run(w);
	struct registry_job *first = come(w, LATER);
	assert_false(first->is_done_elsewhere);
	assert_int_equal(first->gone_count, 10);
	assert_int_equal(first->kept_back, 15);
	struct registry_store *here = enter_other(w);
	struct registry_job *other = come(w, LATER + ROUND - 1);
	assert_true(other->is_done_elsewhere);
	assert_int_equal(other->kept_back, 0);
	struct registry_job *next = come(w, LATER + ROUND);
	assert_false(next->is_done_elsewhere);
	assert_int_equal(next->gone_count, 0);
	assert_int_equal(next->kept_back, 15);
	leave_other(w, here);
	assert_true(come(w, LATER + ROUND + 1)->is_done_elsewhere);
}

static void who_asks_for_a_round_has_it_at_once(void **state)
{
	struct world *w = *state;
	phone(w, NOW, "alice", TOKEN_A, "one", INBOX_OF("alice"));
	run(w);
	come(w, NOW + 1);
	phone(w, LATER, "bob", TOKEN_B, "alive", INBOX_OF("bob"));
	run(w);
	come(w, LATER);
	struct registry_store *here = enter_other(w);
	struct registry_job *job = tidy(w, LATER + 1);
	run(w);
	leave_other(w, here);
	assert_false(job->is_done_elsewhere);
}

static void a_node_whose_clock_is_ahead_keeps_no_other_from_tidying(void **state)
{
	struct world *w = *state;
	phone(w, NOW, "alice", TOKEN_A, "one", INBOX_OF("alice"));
	run(w);
	struct registry_store *here = enter_other(w);
	assert_false(come(w, NOW + CLOCK_HOUR_MS)->is_done_elsewhere);
	leave_other(w, here);
	w->now_ms = NOW;
	assert_false(come(w, NOW)->is_done_elsewhere);
	assert_true(come(w, NOW + 1)->is_done_elsewhere);
}

static void five_minutes_between_clocks_make_no_second_round(void **state)
{
	struct world *w = *state;
	phone(w, NOW, "alice", TOKEN_A, "one", INBOX_OF("alice"));
	run(w);
	struct registry_store *here = enter_other(w);
	assert_false(come(w, NOW + 5 * CLOCK_MINUTE_MS)->is_done_elsewhere);
	leave_other(w, here);
	w->now_ms = NOW;
	assert_true(come(w, NOW)->is_done_elsewhere);
}

static void a_phone_is_nudged_by_one_node(void **state)
{
	struct world *w = *state;
	phone(w, NOW, "alice", TOKEN_A, "one", INBOX_OF("alice"));
	phone(w, NOW + 26 * DAY, "bob", TOKEN_B, "alive", INBOX_OF("bob"));
	run(w);
	struct registry_store *here = enter_other(w);
	struct registry_job *job = tidy(w, NOW + 26 * DAY);
	run(w);
	assert_int_equal(job->match_count, 1);
	leave_other(w, here);
	struct registry_job *again = tidy(w, NOW + 26 * DAY + 1);
	run(w);
	assert_int_equal(again->match_count, 0);
}

/* What is pending for them is its own. */
static void each_node_learns_what_became_of_whom_it_holds_suspended(void **state)
{
	struct world *w = *state;
	phone(w, NOW, "alice", TOKEN_A, "one", INBOX_OF("alice"));
	run(w);
	come(w, NOW + 1);
	const struct registry_key keys[] = {
		registry_key_make(w->site, "alice", TOKEN_A, "one", "com.apple.mobilemail"),
		registry_key_make(w->site, "bob", TOKEN_A, "none", "com.apple.mobilemail"),
	};
	struct registry_job *job = tidy(w, NOW + 2);
	job->is_asked = false;
	job->keys = keys;
	job->key_count = 2;
	run(w);
	assert_true(job->is_done_elsewhere);
	assert_int_equal(job->effect_count, 2);
	assert_int_equal(job->effects[0].kind, REGISTRY_EFFECT_RESUMED);
	assert_int_equal(job->effects[1].kind, REGISTRY_EFFECT_ABSENT);
}

static void a_round_puts_right_what_a_node_with_a_clock_ahead_stores(void **state)
{
	struct world *w = *state;
	phone(w, NOW, "bob", TOKEN_B, "other", INBOX_OF("bob"));
	run(w);
	struct registry_store *here = enter_other(w);
	phone(w, NOW + 400 * DAY, "alice", TOKEN_A, "one", INBOX_OF("alice"));
	run(w);
	leave_other(w, here);
	w->now_ms = NOW + 1;
	assert_false(come(w, NOW + 1)->is_done_elsewhere);
	struct registry_job *job = phone(w, NOW + 2, "alice", TOKEN_A, "one", INBOX_OF("alice"));
	run(w);
	assert_false(job->is_stale);
}

struct claims {
	struct registry_db *db;
	const struct registry_ops *ops;
};

static bool claim(const struct claims *claims, int64_t was_ms, int64_t seen_ms)
{
	struct err err = {"no text"};
	bool is_ours = false;
	if (claims->ops->begin(claims->db, REGISTRY_WRITES, &err) ||
		claims->ops->claim_round(claims->db, was_ms, seen_ms, NOW, &is_ours, &err) ||
		claims->ops->commit(claims->db, &err))
		fail_msg("%s", err.text);
	return is_ours;
}

static void a_round_is_claimed_by_who_knows_the_last_one(void **state)
{
	struct world *w = *state;
	struct err err = {"no text"};
	struct claims claims = {.ops = w->settings.ops};
	registry_store_close(w->store);
	assert_int_equal(claims.ops->open(w->settings.place, &w->settings, &claims.db, &err), 0);
	assert_true(claim(&claims, 0, NOW));
	assert_false(claim(&claims, 0, NOW + 1));
	assert_true(claim(&claims, NOW, NOW + 1));
	struct registry_round round = {0};
	assert_int_equal(claims.ops->begin(claims.db, REGISTRY_READS, &err), 0);
	assert_int_equal(claims.ops->load_round(claims.db, &round, &err), 0);
	assert_int_equal(claims.ops->commit(claims.db, &err), 0);
	claims.ops->close(claims.db);
	assert_int_equal(round.seen_ms, NOW + 1);
	assert_int_equal(round.spared_until_ms, NOW);
	open_store(w);
}

struct node {
	struct registry_db *db;
	const struct registry_ops *ops;
	struct registry_settings settings;
	struct registry_key found;
	size_t found_count;
	int64_t renewed_ms;
};

static struct node open_node(struct world *w, int64_t timeout_ms)
{
	struct node node = {.ops = w->settings.ops, .settings = w->settings};
	struct err err = {"no text"};
	node.settings.timeout_ms = timeout_ms;
	assert_int_equal(node.ops->open(node.settings.place, &node.settings, &node.db, &err), 0);
	return node;
}

static void on_expired(void *ctx, size_t index, const struct registry_key *key)
{
	struct node *node = ctx;
	(void)index;
	node->found = *key;
	node->found_count++;
}

static int find_expired(struct node *node)
{
	struct err err;
	uint64_t total = 0;
	node->found_count = 0;
	int failed = node->ops->begin(node->db, REGISTRY_WRITES, &err);
	return failed
		? failed
		: node->ops->find_expired(node->db, NOW + 1, 10, on_expired, node, &total, &err);
}

static int remove_found(struct node *node)
{
	struct err err;
	const struct registry_end end = {.why = REGISTRY_WHY_EXPIRED, .at_ms = LATER};
	int failed = node->ops->remove(node->db, &node->found, node->found_count, &end, &err);
	if (!failed)
		failed = node->ops->commit(node->db, &err);
	if (failed)
		node->ops->rollback(node->db);
	return failed;
}

static int renew(struct node *node, const char *site)
{
	struct err err;
	const struct registry_row row = {
		.key = registry_key_make(site, "alice", TOKEN_A, "one", "com.apple.mobilemail"),
		.user = "alice",
		.token = TOKEN_A,
		.account_id = "one",
		.topic = TOPIC,
		.subtopic = "com.apple.mobilemail",
		.aps_version = 2,
		.created_ms = NOW,
		.renewed_ms = LATER,
	};
	int failed = node->ops->begin(node->db, REGISTRY_WRITES, &err);
	if (!failed)
		failed = node->ops->put(node->db, &row, 1, &err);
	if (!failed)
		failed = node->ops->commit(node->db, &err);
	if (failed)
		node->ops->rollback(node->db);
	return failed;
}

static void on_renewed(void *ctx, size_t index, const struct registry_row *row)
{
	struct node *node = ctx;
	(void)index;
	node->renewed_ms = row->renewed_ms;
}

static int64_t renewed_ms(struct node *node)
{
	struct err err = {"no text"};
	const char *user = "alice";
	node->renewed_ms = 0;
	if (node->ops->begin(node->db, REGISTRY_READS, &err) ||
		node->ops->load_users(node->db, &user, 1, on_renewed, node, &err) ||
		node->ops->commit(node->db, &err))
		fail_msg("%s", err.text);
	return node->renewed_ms;
}

/* Between the look and the deed of another node it comes too late for the one or the other. */
static void who_renews_while_another_node_expires_it_is_not_lost(void **state)
{
	struct world *w = *state;
	phone(w, NOW, "alice", TOKEN_A, "one", INBOX_OF("alice"));
	run(w);
	registry_store_close(w->store);
	struct node one = open_node(w, 0);
	struct node other = open_node(w, 2000);
	assert_int_equal(find_expired(&one), 0);
	assert_int_equal(one.found_count, 1);
	bool is_renewed = renew(&other, w->site) == 0;
	int of_removal = remove_found(&one);
	assert_int_equal(of_removal, is_renewed ? -EAGAIN : 0);
	assert_int_equal(renewed_ms(&one), is_renewed ? LATER : 0);
	assert_int_equal(find_expired(&one), 0);
	assert_int_equal(one.found_count, 0);
	one.ops->rollback(one.db);
	assert_int_equal(renew(&one, w->site), 0);
	assert_int_equal(renewed_ms(&one), LATER);
	one.ops->close(one.db);
	other.ops->close(other.db);
	open_store(w);
}

int conformance_nodes(void)
{
	const struct CMUnitTest tests[] = {
		RULE(one_of_the_nodes_that_come_in_an_hour_tidies),
		RULE(who_asks_for_a_round_has_it_at_once),
		RULE(a_node_whose_clock_is_ahead_keeps_no_other_from_tidying),
		RULE(five_minutes_between_clocks_make_no_second_round),
		RULE(a_phone_is_nudged_by_one_node),
		RULE(each_node_learns_what_became_of_whom_it_holds_suspended),
		RULE(a_round_puts_right_what_a_node_with_a_clock_ahead_stores),
		RULE(a_round_is_claimed_by_who_knows_the_last_one),
		RULE(who_renews_while_another_node_expires_it_is_not_lost),
	};
	return cmocka_run_group_tests_name("nodes", tests, NULL, NULL);
}

/* What goes from one registry to another, and what does not. */
#include "../registry/memory.h"
#include "base/clock.h"
#include "base/mem.h"
#include "transfer/copy_page.h"
#include "transfer/registry_copy.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#define NOW (INT64_C(20000) * CLOCK_DAY_MS)
#define SITE "here"

struct world {
	struct registry_db *from;
	struct registry_db *to;
	struct registry_copy_counts counts;
	uint64_t told; /* by progress */
	struct err err;
};

/* What a registry has of one user. */
struct found {
	unsigned registrations;
	int64_t renewed_ms;
	int64_t suspended_ms;
	char stopped_reason[64];
	bool is_nudged;
	unsigned subscriptions;
	char folder[64]; /* of the last */
};

static struct registry_db *open_memory(const char *place)
{
	const struct registry_settings settings = {
		.ops = &memory_ops, .place = place, .site = SITE};
	struct registry_db *db = NULL;
	struct err err;
	assert_int_equal(memory_ops.open(place, &settings, &db, &err), 0);
	return db;
}

static int set_up(void **state)
{
	struct world *w = mem_alloc_zero(1, sizeof(*w));
	w->from = open_memory("from");
	w->to = open_memory("to");
	*state = w;
	return 0;
}

static int tear_down(void **state)
{
	struct world *w = *state;
	memory_ops.close(w->from);
	memory_ops.close(w->to);
	memory_forget();
	free(w);
	return 0;
}

static struct registry_row row_of(const char *user, int64_t renewed_ms)
{
	static const char token[] =
		"aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa";
	return (struct registry_row){
		.key = registry_key_make(SITE, user, token, "A-1", "com.apple.mobilemail"),
		.user = user,
		.token = token,
		.account_id = "A-1",
		.topic = "com.apple.mail",
		.subtopic = "com.apple.mobilemail",
		.aps_version = 2,
		.renewed_ms = renewed_ms,
		.created_ms = NOW - CLOCK_DAY_MS,
	};
}

static void put(struct registry_db *db, const struct registry_row *row, const char *folder)
{
	struct err err;
	const struct registry_subscription subscriptions[] = {
		{.name = "INBOX",
			.owner = row->user,
			.folder = "",
			.hash = "0123456789abcdef0123456789abcdef"},
		{.name = "Notes",
			.owner = row->user,
			.folder = folder,
			.hash = "fedcba9876543210fedcba9876543210"},
	};
	const struct registry_list list = {
		.key = row->key, .subscriptions = subscriptions, .count = 2};
	assert_int_equal(db->ops->begin(db, REGISTRY_WRITES, &err), 0);
	assert_int_equal(db->ops->put(db, row, 1, &err), 0);
	assert_int_equal(db->ops->put_lists(db, &list, 1, &err), 0);
	assert_int_equal(db->ops->commit(db, &err), 0);
}

static void put_plain(struct registry_db *db, const char *user, int64_t renewed_ms)
{
	const struct registry_row row = row_of(user, renewed_ms);
	put(db, &row, "Notes");
}

static void forget(struct registry_db *db, const char *user)
{
	struct err err;
	const struct registry_row row = row_of(user, 0);
	const struct registry_end end = {.why = REGISTRY_WHY_APPLE,
		.at_ms = NOW + 5,
		.status = 410,
		.reason = "Unregistered"};
	assert_int_equal(db->ops->begin(db, REGISTRY_WRITES, &err), 0);
	assert_int_equal(db->ops->remove(db, &row.key, 1, &end, &err), 0);
	assert_int_equal(db->ops->commit(db, &err), 0);
}

static void on_row(void *ctx, size_t index, const struct registry_row *row)
{
	struct found *found = ctx;
	(void)index;
	found->registrations++;
	found->renewed_ms = row->renewed_ms;
	found->suspended_ms = row->suspended_ms;
	found->is_nudged = row->is_nudged;
	snprintf(found->stopped_reason, sizeof(found->stopped_reason), "%s",
		row->stopped_reason ? row->stopped_reason : "");
}

static void on_subscription(
	void *ctx, size_t index, const struct registry_subscription *subscription)
{
	struct found *found = ctx;
	(void)index;
	found->subscriptions++;
	snprintf(found->folder, sizeof(found->folder), "%s", subscription->folder);
}

static struct found look(struct registry_db *db, const char *user)
{
	struct found found = {0};
	struct err err;
	const struct registry_row row = row_of(user, 0);
	assert_int_equal(db->ops->begin(db, REGISTRY_READS, &err), 0);
	assert_int_equal(db->ops->load_users(db, &user, 1, on_row, &found, &err), 0);
	assert_int_equal(db->ops->load_lists(db, &row.key, 1, on_subscription, &found, &err), 0);
	assert_int_equal(db->ops->commit(db, &err), 0);
	return found;
}

static void on_progress(void *ctx, const struct registry_copy_counts *so_far)
{
	struct world *w = ctx;
	assert_true(so_far->read > w->told);
	w->told = so_far->read;
}

static int run(struct world *w, bool is_last, bool is_dry_run)
{
	const struct registry_copy_settings settings = {.from = w->from,
		.to = w->to,
		.is_last = is_last,
		.is_dry_run = is_dry_run,
		.progress = on_progress,
		.ctx = w};
	w->told = 0;
	return registry_copy_run(&settings, &w->counts, &w->err);
}

static void all_that_is_known_of_a_registration_is_copied(void **state)
{
	struct world *w = *state;
	struct registry_row row = row_of("alice", NOW);
	row.suspended_ms = NOW + 1;
	row.stopped_reason = "DeviceTokenNotForTopic";
	row.is_nudged = true;
	put(w->from, &row, "Moved");
	assert_int_equal(run(w, false, true), 0);
	assert_int_equal(look(w->to, "alice").registrations, 0);
	assert_int_equal(w->counts.new_ones, 1);
	assert_int_equal(run(w, false, false), 0);
	struct found found = look(w->to, "alice");
	assert_int_equal(found.renewed_ms, NOW);
	assert_int_equal(found.suspended_ms, NOW + 1);
	assert_string_equal(found.stopped_reason, "DeviceTokenNotForTopic");
	assert_true(found.is_nudged);
	assert_int_equal(found.subscriptions, 2);
	assert_string_equal(found.folder, "Moved");
	assert_int_equal(run(w, false, false), 0);
	assert_int_equal(w->counts.new_ones, 0);
	assert_int_equal(w->counts.known, 1);
}

static void the_later_renewal_wins_also_at_last(void **state)
{
	struct world *w = *state;
	for (int is_last = 0; is_last < 2; is_last++) {
		put_plain(w->from, "alice", NOW + 1);
		put_plain(w->to, "alice", NOW);
		put_plain(w->from, "bob", NOW);
		put_plain(w->to, "bob", NOW + 1);
		assert_int_equal(run(w, is_last, false), 0);
		assert_int_equal(w->counts.renewed, 1);
		assert_int_equal(w->counts.known, 1);
		assert_int_equal(look(w->to, "alice").renewed_ms, NOW + 1);
		assert_int_equal(look(w->to, "bob").renewed_ms, NOW + 1);
	}
}

static void only_the_last_copy_takes_what_changed_of_one_renewal(void **state)
{
	struct world *w = *state;
	struct registry_row stopped = row_of("alice", NOW);
	stopped.stopped_reason = "DeviceTokenNotForTopic";
	put_plain(w->to, "alice", NOW);
	put(w->from, &stopped, "Notes");
	const struct registry_row moved = row_of("bob", NOW);
	put_plain(w->to, "bob", NOW);
	put(w->from, &moved, "Moved");
	assert_int_equal(run(w, false, false), 0);
	assert_int_equal(w->counts.known, 2);
	assert_string_equal(look(w->to, "alice").stopped_reason, "");
	assert_int_equal(run(w, true, false), 0);
	assert_int_equal(w->counts.changed, 2);
	assert_string_equal(look(w->to, "alice").stopped_reason, "DeviceTokenNotForTopic");
	assert_string_equal(look(w->to, "bob").folder, "Moved");
	assert_int_equal(run(w, true, false), 0);
	assert_int_equal(w->counts.changed, 0);
	assert_int_equal(w->counts.known, 2);
}

static void what_was_forgotten_there_does_not_come_back(void **state)
{
	struct world *w = *state;
	put_plain(w->from, "alice", NOW);
	put_plain(w->from, "bob", NOW + 1);
	for (int i = 0; i < 2; i++) {
		put_plain(w->to, i ? "alice" : "bob", NOW);
		forget(w->to, i ? "alice" : "bob");
	}
	assert_int_equal(run(w, true, false), 0);
	assert_int_equal(w->counts.forgotten, 1);
	assert_int_equal(w->counts.new_ones, 1);
	assert_int_equal(look(w->to, "alice").registrations, 0);
	/* It has registered again since. */
	assert_int_equal(look(w->to, "bob").registrations, 1);
}

/* It had renewed by a clock that was ahead. */
static void what_was_forgotten_of_the_future_does_not_beat_what_is_alive(void **state)
{
	struct world *w = *state;
	put_plain(w->from, "alice", NOW + 10);
	put_plain(w->to, "alice", NOW + 400 * CLOCK_DAY_MS);
	forget(w->to, "alice");
	put_plain(w->from, "bob", NOW + 400 * CLOCK_DAY_MS);
	forget(w->from, "bob");
	put_plain(w->to, "bob", NOW + 10);
	assert_int_equal(run(w, true, false), 0);
	assert_int_equal(w->counts.forgotten, 0);
	assert_int_equal(w->counts.removed, 0);
	assert_int_equal(look(w->to, "alice").registrations, 1);
	assert_int_equal(look(w->to, "bob").registrations, 1);
}

static void on_tombstone(void *ctx, const struct registry_tombstone *tombstone)
{
	unsigned *count = ctx;
	(*count)++;
	assert_string_equal(tombstone->user, "alice");
	assert_string_equal(tombstone->reason, "Unregistered");
	assert_int_equal(tombstone->status, 410);
	assert_int_equal(tombstone->at_ms, NOW + 5);
	assert_int_equal(tombstone->why, REGISTRY_WHY_APPLE);
}

static void what_was_forgotten_here_goes_there_with_its_reason(void **state)
{
	struct world *w = *state;
	struct err err;
	unsigned tombstones = 0;
	put_plain(w->from, "alice", NOW);
	put_plain(w->from, "bob", NOW);
	put_plain(w->to, "carol", NOW);
	assert_int_equal(run(w, false, false), 0);
	forget(w->from, "alice");
	forget(w->from, "bob");
	put_plain(w->to, "bob", NOW + 1); /* there it has registered again */
	assert_int_equal(run(w, false, false), 0);
	assert_int_equal(look(w->to, "alice").registrations, 1);
	assert_int_equal(run(w, true, true), 0);
	assert_int_equal(w->counts.removed, 1);
	assert_int_equal(w->counts.others, 2);
	assert_int_equal(look(w->to, "alice").registrations, 1);
	assert_int_equal(run(w, true, false), 0);
	assert_int_equal(w->counts.removed, 1);
	assert_int_equal(w->counts.others, 2);
	assert_int_equal(look(w->to, "alice").registrations, 0);
	assert_int_equal(look(w->to, "bob").registrations, 1);
	assert_int_equal(look(w->to, "carol").registrations, 1);
	assert_int_equal(w->to->ops->begin(w->to, REGISTRY_READS, &err), 0);
	assert_int_equal(
		w->to->ops->list_tombstones(w->to, "alice", 0, 10, on_tombstone, &tombstones, &err),
		0);
	assert_int_equal(w->to->ops->commit(w->to, &err), 0);
	assert_int_equal(tombstones, 1);
}

#define MANY (3 * COPY_PAGE_ROWS + 7)
#define LONG 1000

static void pages_end_by_number_and_by_size(void **state)
{
	struct world *w = *state;
	struct err err;
	mem_auto char *name = mem_alloc(LONG + 1);
	memset(name, 'n', LONG);
	name[LONG] = '\0';
	struct registry_subscription *list = mem_alloc_zero(LONG, sizeof(*list));
	for (int i = 0; i < MANY; i++) {
		char user[16];
		snprintf(user, sizeof(user), "user%04d", i);
		put_plain(w->from, user, NOW);
	}
	/* So many that a page ends behind its first slice. */
	for (int i = 0; i < LONG; i++)
		list[i] = (struct registry_subscription){.name = mem_printf("%s%04d", name, i),
			.owner = "big",
			.folder = name,
			.hash = "0123456789abcdef0123456789abcdef"};
	for (int i = 0; i < 40; i++) {
		char user[16];
		snprintf(user, sizeof(user), "big%04d", i);
		const struct registry_row row = row_of(user, NOW);
		const struct registry_list big = {
			.key = row.key, .subscriptions = list, .count = LONG};
		assert_int_equal(w->from->ops->begin(w->from, REGISTRY_WRITES, &err), 0);
		assert_int_equal(w->from->ops->put(w->from, &row, 1, &err), 0);
		assert_int_equal(w->from->ops->put_lists(w->from, &big, 1, &err), 0);
		assert_int_equal(w->from->ops->commit(w->from, &err), 0);
	}
	assert_int_equal(run(w, false, false), 0);
	assert_int_equal(w->counts.new_ones, MANY + 40);
	assert_int_equal(look(w->to, "big0039").subscriptions, LONG);
	assert_int_equal(look(w->to, "user0774").registrations, 1);
	assert_int_equal(run(w, true, false), 0);
	assert_int_equal(w->counts.known, MANY + 40);
	assert_int_equal(w->counts.changed + w->counts.others, 0);
	for (int i = 0; i < LONG; i++)
		free((char *)list[i].name);
	free(list);
}

static void what_fails_in_passing_is_done_again(void **state)
{
	struct world *w = *state;
	static const enum memory_failure failures[] = {
		MEMORY_NO_BEGIN, MEMORY_NO_COMMIT, MEMORY_CONFLICT};
	for (size_t i = 0; i < sizeof(failures) / sizeof(failures[0]); i++) {
		put_plain(w->from, "alice", NOW + (int64_t)i);
		memory_fail_times(failures[i], 3);
		assert_int_equal(run(w, true, false), 0);
		assert_int_equal(w->counts.read, 1);
		assert_int_equal(w->counts.new_ones + w->counts.renewed, 1);
		assert_int_equal(look(w->to, "alice").renewed_ms, NOW + (int64_t)i);
	}
}

static void what_somebody_has_to_mend_ends_it(void **state)
{
	struct world *w = *state;
	put_plain(w->from, "alice", NOW);
	memory_fail(MEMORY_NO_RIGHTS, NULL);
	assert_true(run(w, false, false) < 0);
	memory_fail(MEMORY_WELL, NULL);
	assert_int_equal(w->counts.read, 0);
	assert_int_equal(look(w->to, "alice").registrations, 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
#define TEST(test) cmocka_unit_test_setup_teardown(test, set_up, tear_down)
		TEST(all_that_is_known_of_a_registration_is_copied),
		TEST(the_later_renewal_wins_also_at_last),
		TEST(only_the_last_copy_takes_what_changed_of_one_renewal),
		TEST(what_was_forgotten_there_does_not_come_back),
		TEST(what_was_forgotten_of_the_future_does_not_beat_what_is_alive),
		TEST(what_was_forgotten_here_goes_there_with_its_reason),
		TEST(pages_end_by_number_and_by_size),
		TEST(what_fails_in_passing_is_done_again),
		TEST(what_somebody_has_to_mend_ends_it),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}

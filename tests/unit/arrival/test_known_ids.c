/* A folder is followed by its id, in the order in which events come and the registry answers. */
#include "arrival/known_ids.h"

#include "events.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

static struct mailbox_ids *ids;

static int begin(void **state)
{
	(void)state;
	static const uint8_t seed[16] = {1};
	ids = mailbox_ids_new(seed);
	return 0;
}

static int end(void **state)
{
	(void)state;
	mailbox_ids_free(ids);
	return 0;
}

/* It comes, and the registry is asked: which folder moves to its own first?  "": none. */
static struct arrival *come(const char *id, const char *at, const char *moves)
{
	struct arrival *arrival = events_news(RELAY_URGENT, id, at);
	known_ids_consult(ids, arrival);
	assert_string_equal(arrival->job.was_at ? arrival->job.was_at->folder : "", moves);
	return arrival;
}

/* The registry has answered: somebody subscribes to it. */
static void match(struct arrival *arrival)
{
	struct registry_match one = {.reading = 0};
	arrival->job.matches = &one;
	arrival->job.match_count = 1;
	known_ids_learn(ids, arrival);
	arrival->job.matches = NULL;
	arrival->job.match_count = 0;
	arrival_free(arrival);
}

static void see(const char *id, const char *at, const char *moves)
{
	match(come(id, at, moves));
}

static void change(const char *from, const char *at)
{
	struct arrival *arrival = events_change(from, at);
	known_ids_consult(ids, arrival);
	known_ids_learn(ids, arrival);
	arrival_free(arrival);
}

/* A registration of somebody's. */
static void name(const char *folder)
{
	const struct registry_subscription named = {.owner = "alice", .folder = folder};
	struct arrival *arrival = events_change(NULL, "Elsewhere");
	arrival->job.subscriptions = &named;
	arrival->job.subscription_count = 1;
	known_ids_consult(ids, arrival);
	arrival_free(arrival);
}

static void a_folder_that_moved_is_followed_once(void **state)
{
	(void)state;
	see("x", "A", "");
	struct arrival *first = come("x", "B", "A");
	struct arrival *second = come("x", "B", "");
	match(first);
	match(second);
	see("x", "C", "B");
}

static void a_folder_that_nobody_subscribes_to_is_not_learnt(void **state)
{
	(void)state;
	arrival_free(come("x", "A", ""));
	see("x", "B", "");
}

static void folders_that_swapped_names_stay_with_their_names(void **state)
{
	(void)state;
	see("x", "A", "");
	see("y", "B", "");
	struct arrival *first = come("x", "B", "");
	struct arrival *second = come("y", "A", "");
	match(first);
	match(second);
	see("x", "C", "B");
}

/* Events of before the swap are answered after it was noticed. */
static void what_was_under_way_before_a_swap_teaches_nothing(void **state)
{
	(void)state;
	see("x", "A", "");
	see("y", "B", "");
	struct arrival *before = come("y", "B", "");
	struct arrival *first = come("x", "B", "");
	match(before);
	struct arrival *second = come("y", "A", "");
	match(first);
	match(second);
}

static void what_was_under_way_before_a_move_teaches_nothing(void **state)
{
	(void)state;
	see("x", "A", "");
	struct arrival *before = come("x", "A", "");
	struct arrival *after = come("x", "B", "A");
	match(before);
	see("x", "B", "");
	match(after);
}

static void what_was_under_way_before_a_registration_teaches_nothing(void **state)
{
	(void)state;
	struct arrival *before = come("x", "A", "");
	name("A");
	match(before);
	see("x", "B", "");
}

static void what_names_a_folder_leaves_the_others_known(void **state)
{
	(void)state;
	see("x", "A", "");
	see("y", "B", "");
	see("z", "C", "");
	name("A");
	change(NULL, "B");
	see("x", "A2", "");
	see("y", "B2", "");
	see("z", "C2", "C");
}

static void a_rename_puts_both_names_in_doubt(void **state)
{
	(void)state;
	see("x", "A", "");
	see("y", "B", "");
	see("z", "C", "");
	change("A", "B/Sub");
	see("x", "A2", "");
	see("y", "B2", "");
	see("z", "C2", "C");
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, begin, end)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(a_folder_that_moved_is_followed_once),
		TEST(a_folder_that_nobody_subscribes_to_is_not_learnt),
		TEST(folders_that_swapped_names_stay_with_their_names),
		TEST(what_was_under_way_before_a_swap_teaches_nothing),
		TEST(what_was_under_way_before_a_move_teaches_nothing),
		TEST(what_was_under_way_before_a_registration_teaches_nothing),
		TEST(what_names_a_folder_leaves_the_others_known),
		TEST(a_rename_puts_both_names_in_doubt),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}

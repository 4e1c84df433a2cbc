/* News is merged while it waits, and a barrier parts it. */
#include "arrival/merging.h"

#include "../registry/memory.h"
#include "base/clock.h"
#include "events.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

static uv_loop_t loop;
static struct registry *registry;
static struct merging *merging;
static struct arrival *all[16];
static unsigned count;

static void on_trouble(void *ctx, const char *text)
{
	(void)ctx;
	(void)text;
}

static void on_done(struct registry_job *job)
{
	(void)job;
}

static int begin(void **state)
{
	(void)state;
	static const uint8_t seed[16] = {1};
	const struct registry_settings settings = {.ops = &memory_ops,
		.place = "here",
		.site = "here",
		.registration_ttl_ms = 30 * CLOCK_DAY_MS,
		.deleted_user_grace_ms = 7 * CLOCK_DAY_MS,
		.registrations_per_user = 64};
	struct err err;
	count = 0;
	uv_loop_init(&loop);
	if (registry_new(&loop, &settings, on_trouble, on_trouble, NULL, &registry, &err))
		return -1;
	merging = merging_new(registry, seed);
	return 0;
}

static int end(void **state)
{
	(void)state;
	merging_free(merging);
	if (!registry_free(registry))
		return -1;
	uv_run(&loop, UV_RUN_DEFAULT);
	for (unsigned i = 0; i < count; i++)
		arrival_free(all[i]);
	memory_forget();
	return uv_loop_close(&loop);
}

static struct arrival *news(const char *folder)
{
	return all[count++] = events_news(RELAY_URGENT, "x", folder);
}

/* Which one takes it in?  NULL: it is submitted itself. */
static const struct arrival *come(struct arrival *arrival)
{
	struct arrival *into = merging_match(merging, arrival);
	if (!into) {
		arrival->job.done = on_done;
		registry_submit(registry, &arrival->job);
		merging_begin(merging, arrival);
	}
	return into;
}

static void news_of_one_folder_becomes_one(void **state)
{
	(void)state;
	struct arrival *first = news("A");
	assert_null(come(first));
	assert_null(come(news("B")));
	assert_ptr_equal(come(news("A")), first);
	assert_ptr_equal(come(news("A")), first);
}

static void news_of_another_urgency_is_another(void **state)
{
	(void)state;
	assert_null(come(news("A")));
	assert_null(come(all[count++] = events_news(RELAY_DEFERRED, "x", "A")));
}

static void what_the_thread_has_takes_nothing_in(void **state)
{
	(void)state;
	struct arrival *second = news("A");
	assert_null(come(news("A")));
	worker_flush(registry_worker(registry));
	assert_null(come(second));
	assert_ptr_equal(come(news("A")), second);
}

static void what_the_thread_has_takes_nothing_in_while_others_wait(void **state)
{
	(void)state;
	assert_null(come(news("A")));
	worker_flush(registry_worker(registry));
	assert_null(come(news("B")));
	assert_null(come(news("A")));
}

static void a_barrier_parts_what_is_before_it_and_after(void **state)
{
	(void)state;
	struct arrival *moved = news("B");
	moved->job.was_at = &(const struct mailbox){.owner = "alice", .folder = "Old"};
	assert_null(come(news("A")));
	assert_null(come(all[count++] = events_change("A", "C")));
	assert_null(come(news("A")));
	assert_null(come(moved));
	assert_null(come(news("A")));
	assert_null(come(news("B")));
}

static void what_was_parked_before_a_restart_stays_one(void **state)
{
	(void)state;
	struct arrival *parked = news("A");
	parked->parked_id = 7;
	assert_null(come(news("A")));
	assert_null(come(parked));
	assert_ptr_equal(come(news("A")), parked);
}

static void what_was_answered_takes_nothing_in(void **state)
{
	(void)state;
	struct arrival *first = news("A");
	struct arrival *second = news("A");
	assert_null(come(first));
	merging_end(merging, first);
	assert_null(come(second));
	merging_end(merging, first);
	assert_ptr_equal(come(news("A")), second);
}

static void news_for_a_frozen_registry_becomes_one(void **state)
{
	(void)state;
	struct arrival *first = news("A");
	assert_null(come(news("A")));
	worker_flush(registry_worker(registry));
	registry_hold(registry, REGISTRY_HELD_FOR_COPY);
	assert_null(come(first));
	assert_null(come(news("B")));
	assert_ptr_equal(come(news("A")), first);
	assert_null(come(all[count++] = events_change("A", "C")));
	struct arrival *later = news("A");
	assert_null(come(later));
	registry_release(registry, REGISTRY_HELD_FOR_COPY);
	assert_ptr_equal(come(news("A")), later);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, begin, end)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(news_of_one_folder_becomes_one),
		TEST(news_of_another_urgency_is_another),
		TEST(what_the_thread_has_takes_nothing_in),
		TEST(what_the_thread_has_takes_nothing_in_while_others_wait),
		TEST(a_barrier_parts_what_is_before_it_and_after),
		TEST(what_was_parked_before_a_restart_stays_one),
		TEST(what_was_answered_takes_nothing_in),
		TEST(news_for_a_frozen_registry_becomes_one),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}

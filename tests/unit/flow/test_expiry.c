/* What the loop makes of a round of housekeeping; the registry and the queue are played. */
#include "flow/expiry.h"

#include "base/alarm.h"
#include "base/mem.h"
#include "flow/delivery.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

static struct {
	uv_loop_t loop;
	struct metrics metrics;
	struct expiry *expiry;
	struct registry_job *job; /* that the registry has */
	bool is_alarm;
} world;

void registry_submit(struct registry *registry, struct registry_job *job)
{
	(void)registry;
	world.job = job;
}

size_t queue_suspended(const struct queue *queue, struct registry_key **ret)
{
	(void)queue;
	*ret = NULL;
	return 0;
}

struct queue_plan queue_add(struct queue *queue, struct push_target *target,
	const char (*hashes)[MAILBOX_HASH_SIZE], unsigned hash_count, enum queue_urgency urgency,
	struct queue_waiter *waiter)
{
	(void)queue;
	(void)target;
	(void)hashes;
	(void)hash_count;
	(void)urgency;
	(void)waiter;
	return (struct queue_plan){0};
}

void queue_follow(
	struct queue *queue, const struct registry_effect *effect, struct queue_waiter *waiter)
{
	(void)queue;
	(void)effect;
	(void)waiter;
}

void delivery_drop(struct delivery *delivery, const struct registry_key *keys, size_t count,
	struct queue_waiter *waiter)
{
	(void)delivery;
	(void)keys;
	(void)count;
	(void)waiter;
}

void delivery_gone(struct delivery *delivery, const struct registry_key *key)
{
	(void)delivery;
	(void)key;
}

void delivery_wake(struct delivery *delivery)
{
	(void)delivery;
}

static int begin(void **state)
{
	(void)state;
	memset(&world, 0, sizeof(world));
	uv_loop_init(&world.loop);
	alarm_start(&world.loop, NULL);
	const struct expiry_needs needs = {.loop = &world.loop, .metrics = &world.metrics};
	world.expiry = expiry_new(&needs);
	return 0;
}

static int end(void **state)
{
	(void)state;
	expiry_free(world.expiry);
	alarm_stop();
	uv_run(&world.loop, UV_RUN_DEFAULT);
	assert_int_equal(uv_loop_close(&world.loop), 0);
	return 0;
}

static void wait_for_round(void)
{
	while (!world.job)
		uv_run(&world.loop, UV_RUN_ONCE);
}

static void finish(bool is_done_elsewhere, uint64_t kept_back)
{
	struct registry_job *job = mem_steal(world.job);
	job->status = 0;
	job->is_done_elsewhere = is_done_elsewhere;
	job->kept_back = kept_back;
	job->done(job);
}

static void note(void *ctx, const char *name, const char *text, int64_t since_unix_ms)
{
	(void)ctx;
	(void)text;
	(void)since_unix_ms;
	world.is_alarm = world.is_alarm || !strcmp(name, "registry:expiry");
}

static bool is_alarm(void)
{
	world.is_alarm = false;
	alarm_each(note, NULL);
	return world.is_alarm;
}

static void what_is_kept_back_is_an_alarm_until_a_round_of_ours_keeps_nothing(void **state)
{
	(void)state;
	expiry_now(world.expiry);
	finish(false, 3);
	assert_true(is_alarm());
	expiry_now(world.expiry);
	finish(true, 0);
	assert_true(is_alarm());
	expiry_now(world.expiry);
	finish(false, 0);
	assert_false(is_alarm());
}

/* Or another node might do each of them. */
static void while_the_alarm_stands_the_next_round_is_ours(void **state)
{
	(void)state;
	expiry_now(world.expiry);
	finish(false, 3);
	wait_for_round();
	assert_true(world.job->is_asked);
	finish(false, 0);
}

static void else_it_is_whose_it_is(void **state)
{
	(void)state;
	wait_for_round();
	assert_false(world.job->is_asked);
	finish(true, 0);
}

int main(void)
{
#define T(name) cmocka_unit_test_setup_teardown(name, begin, end)
	const struct CMUnitTest tests[] = {
		T(what_is_kept_back_is_an_alarm_until_a_round_of_ours_keeps_nothing),
		T(while_the_alarm_stands_the_next_round_is_ours),
		T(else_it_is_whose_it_is),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}

/*
 * News of one mailbox is merged while neither registry nor queue answers: what waits is bounded,
 * and is acknowledged once the newest is on disk.
 */
#include "arrival/arrivals.h"

#include "../registry/memory.h"
#include "base/clock.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#define MAX_WAITING 10
#define JOBS_MAX 8

static uv_loop_t loop;
static struct config config;
static struct imapdconf imapdconf = {.names = {.altnamespace = true,
					     .unixhierarchysep = true,
					     .defaultdomain = "",
					     .userprefix = "Other Users",
					     .sharedprefix = "Shared Folders"}};
static char site[] = "here";
static struct input_files input_files = {.site = site, .imapdconf = &imapdconf};
static struct metrics metrics;
static struct observer observer;
static struct registry *registry;
static struct arrivals *arrivals;
static bool is_paused;
static unsigned acknowledged;
static unsigned refused;

/* What stands in for the queue: its disk takes a job when the test says so. */

static struct queue_waiter *jobs[JOBS_MAX];
static unsigned job_count;
static char last_parked[512];
static unsigned unparked;

static void submit(struct queue_waiter *waiter)
{
	assert_true(job_count < JOBS_MAX);
	jobs[job_count++] = waiter;
	waiter->waiting++;
}

void __wrap_queue_park(struct queue *queue, uint64_t parked_id, int64_t received_ms,
	const char *raw, size_t raw_size, struct queue_waiter *waiter);
void __wrap_queue_unpark(struct queue *queue, uint64_t parked_id, struct queue_waiter *waiter);

void __wrap_queue_park(struct queue *queue, uint64_t parked_id, int64_t received_ms,
	const char *raw, size_t raw_size, struct queue_waiter *waiter)
{
	(void)queue;
	(void)received_ms;
	assert_int_equal(parked_id, 1);
	assert_true(raw_size && raw_size < sizeof(last_parked));
	memcpy(last_parked, raw, raw_size);
	last_parked[raw_size] = '\0';
	submit(waiter);
}

void __wrap_queue_unpark(struct queue *queue, uint64_t parked_id, struct queue_waiter *waiter)
{
	(void)queue;
	assert_int_equal(parked_id, 1);
	unparked++;
	submit(waiter);
}

void __wrap_alarm_raise(const char *name, const char *format, ...);
void __wrap_alarm_clear(const char *name);

void __wrap_alarm_raise(const char *name, const char *format, ...)
{
	(void)name;
	(void)format;
}

void __wrap_alarm_clear(const char *name)
{
	(void)name;
}

static void finish_one_job(int status)
{
	struct queue_waiter *first = jobs[0];
	assert_true(job_count);
	memmove(jobs, jobs + 1, --job_count * sizeof(jobs[0]));
	first->waiting--;
	first->done(first, status);
}

static void on_pause(void *ctx, bool pause)
{
	(void)ctx;
	is_paused = pause;
}

static void on_trouble(void *ctx, const char *text)
{
	(void)ctx;
	(void)text;
}

static void on_answer(void *who, int status, const char *text)
{
	(void)who;
	(void)text;
	if (status)
		refused++;
	else
		acknowledged++;
}

static size_t write_event(unsigned uid, char *json, size_t room)
{
	return (size_t)snprintf(json, room,
		"{\"event\":\"MessageNew\",\"uri\":\"imap://mail.example.com/user/alice/A\","
		"\"uidset\":\"%u\",\"vnd.cmu.mbtype\":\"e\"}",
		uid);
}

/* One was parked before a restart, and the registry takes nothing. */
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
	char json[256];
	is_paused = false;
	acknowledged = refused = job_count = unparked = 0;
	config = (struct config){.max_waiting = MAX_WAITING, .dovecot_site = "", .queue = ""};
	relay_policy_init(&config.policy);
	uv_loop_init(&loop);
	if (registry_new(&loop, &settings, on_trouble, on_trouble, NULL, &registry, &err))
		return -1;
	registry_hold(registry, REGISTRY_HELD_FOR_COPY);
	const struct arrivals_needs needs = {.loop = &loop,
		.config = &config,
		.input_files = &input_files,
		.registry = registry,
		.metrics = &metrics,
		.observer = &observer,
		.pause = on_pause};
	arrivals = arrivals_new(&needs, seed);
	arrivals_hold(arrivals);
	arrivals_take_parked(arrivals, 1, 1, json, write_event(0, json, sizeof(json)));
	arrivals_release(arrivals);
	return 0;
}

static void end_registry(void)
{
	if (registry)
		assert_true(registry_free(registry));
	registry = NULL;
}

static int end(void **state)
{
	(void)state;
	end_registry();
	while (job_count)
		finish_one_job(0);
	arrivals_free(arrivals);
	uv_run(&loop, UV_RUN_DEFAULT);
	memory_forget();
	return uv_loop_close(&loop);
}

static void come(unsigned uid, bool is_awaited)
{
	char json[256];
	size_t size = write_event(uid, json, sizeof(json));
	const struct notification notification = {.class = {"EVENT", 5}, .message = {json, size}};
	arrivals_take(arrivals, &notification,
		(struct arrival_waiter){
			.answer = is_awaited ? on_answer : NULL, .through = "stream"});
}

static void let_registry_answer(void)
{
	registry_release(registry, REGISTRY_HELD_FOR_COPY);
	while (!unparked)
		uv_run(&loop, UV_RUN_ONCE);
}

static void assert_newest_is_parked(const char *uidset)
{
	assert_non_null(strstr(last_parked, uidset));
}

static void news_merged_while_the_disk_hangs_is_written_once_more(void **state)
{
	(void)state;
	for (unsigned uid = 1; uid <= 8; uid++)
		come(uid, true);
	assert_int_equal(job_count, 1);
	finish_one_job(0);
	assert_int_equal(job_count, 1);
	assert_int_equal(acknowledged, 0);
	assert_newest_is_parked("\"uidset\":\"8\"");
	finish_one_job(0);
	assert_int_equal(job_count, 0);
	assert_int_equal(acknowledged, 8);
	come(9, true);
	assert_int_equal(job_count, 1);
	assert_newest_is_parked("\"uidset\":\"9\"");
}

static void news_for_which_nobody_waits_takes_no_place(void **state)
{
	(void)state;
	for (unsigned uid = 1; uid <= 3 * MAX_WAITING; uid++)
		come(uid, false);
	assert_int_equal(job_count, 1);
	assert_false(is_paused);
}

static void each_sender_that_waits_takes_a_place(void **state)
{
	(void)state;
	for (unsigned uid = 1; uid < MAX_WAITING; uid++)
		come(uid, true);
	assert_false(is_paused);
	come(MAX_WAITING, true);
	assert_true(is_paused);
	finish_one_job(0);
	assert_true(is_paused);
	finish_one_job(0);
	assert_int_equal(acknowledged, MAX_WAITING);
	assert_false(is_paused);
}

static void what_follows_from_it_is_awaited_where_the_newest_was_not_parked(void **state)
{
	(void)state;
	come(1, true);
	come(2, true);
	let_registry_answer();
	assert_int_equal(job_count, 2);
	finish_one_job(0);
	assert_int_equal(job_count, 1);
	assert_int_equal(acknowledged, 0);
	finish_one_job(0);
	assert_int_equal(job_count, 0);
	assert_int_equal(acknowledged, 2);
	assert_int_equal(arrivals_count(arrivals), 0);
}

static void a_stop_writes_the_newest_behind_what_is_on_its_way(void **state)
{
	(void)state;
	come(1, true);
	come(2, true);
	end_registry();
	assert_int_equal(job_count, 2);
	assert_newest_is_parked("\"uidset\":\"2\"");
	finish_one_job(0);
	assert_int_equal(acknowledged, 0);
	finish_one_job(0);
	assert_int_equal(acknowledged, 2);
	assert_int_equal(arrivals_count(arrivals), 0);
}

static void what_no_disk_takes_is_refused(void **state)
{
	(void)state;
	come(1, true);
	come(2, true);
	finish_one_job(-ECANCELED);
	assert_int_equal(job_count, 0);
	assert_int_equal(refused, 2);
	assert_int_equal(acknowledged, 0);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, begin, end)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(news_merged_while_the_disk_hangs_is_written_once_more),
		TEST(news_for_which_nobody_waits_takes_no_place),
		TEST(each_sender_that_waits_takes_a_place),
		TEST(what_follows_from_it_is_awaited_where_the_newest_was_not_parked),
		TEST(a_stop_writes_the_newest_behind_what_is_on_its_way),
		TEST(what_no_disk_takes_is_refused),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}

/* The thread around the registry: order, trouble, the end. */
#include "base/clock.h"
#include "base/mem.h"
#include "registry/registry.h"
#include "sqlite/sqlite.h"

#include <errno.h>
#include <setjmp.h>
#include <sqlite3.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#define NOW (INT64_C(20000) * CLOCK_DAY_MS)
#define TOKEN "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"
#define JOBS 4

struct world {
	char folder[64];
	char path[128];
	uv_loop_t loop;
	struct registry *registry;
	sqlite3 *other;

	struct mail_event event;
	struct registry_subscription box;
	struct registry_job jobs[JOBS];
	struct registry_job *done[JOBS];
	unsigned done_count;
	unsigned expected;
	char trouble[ERR_TEXT_MAX];
	unsigned troubles;
	unsigned recoveries;
	bool ends_at_trouble;
	struct registry_job *next; /* submitted when one has come back */
};

static struct world *world; /* of this test */

static void on_done(struct registry_job *job)
{
	struct world *w = world;
	assert_true(w->done_count < JOBS);
	w->done[w->done_count++] = job;
	struct registry_job *next = mem_steal(w->next);
	if (next)
		registry_submit(w->registry, next);
	if (w->done_count == w->expected)
		uv_stop(&w->loop);
}

static void on_trouble(void *ctx, const char *text)
{
	struct world *w = ctx;
	if (!text) {
		w->recoveries++;
		return;
	}
	w->troubles++;
	snprintf(w->trouble, sizeof(w->trouble), "%s", text);
	if (w->ends_at_trouble)
		uv_stop(&w->loop);
	else
		sqlite3_exec(w->other, "ROLLBACK", NULL, NULL, NULL);
}

static void on_refused(void *ctx, const char *text)
{
	(void)ctx;
	fail_msg("%s", text);
}

static int set_up(void **state)
{
	struct world *w = mem_alloc_zero(1, sizeof(*w));
	strcpy(w->folder, "/tmp/mailpush-registry-XXXXXX");
	assert_non_null(mkdtemp(w->folder));
	snprintf(w->path, sizeof(w->path), "%s/registry.sqlite", w->folder);
	uv_loop_init(&w->loop);
	struct registry_settings settings = {
		.ops = &sqlite_ops,
		.place = w->path,
		.site = "here",
		.registration_ttl_ms = 30 * CLOCK_DAY_MS,
		.deleted_user_grace_ms = 7 * CLOCK_DAY_MS,
		.registrations_per_user = 64,
	};
	struct err err;
	if (registry_new(&w->loop, &settings, on_trouble, on_refused, w, &w->registry, &err) != 0)
		fail_msg("%s", err.text);
	assert_int_equal(sqlite3_open(w->path, &w->other), SQLITE_OK);

	w->event.registration = (struct event_registration){
		.user = "alice",
		.token = TOKEN,
		.account_id = "one",
		.subtopic = "com.apple.mobilemail",
		.aps_version = 2,
	};
	w->event.at[0] = (struct mailbox){.owner = "alice", .folder = ""};
	w->event.readings = 1;
	w->box = (struct registry_subscription){.name = "INBOX",
		.owner = "alice",
		.folder = "",
		.hash = "0123456789abcdef0123456789abcdef"};
	/* News, a registration, news, news. */
	for (unsigned i = 0; i < JOBS; i++) {
		w->jobs[i] = (struct registry_job){
			.kind = i == 1 ? REGISTRY_REGISTER : REGISTRY_NEWS,
			.done = on_done,
			.received_ms = NOW + i,
			.event = &w->event,
			.subscriptions = &w->box,
			.subscription_count = 1,
			.topic = "com.apple.mail.XServer.one",
		};
	}
	*state = world = w;
	return 0;
}

static int tear_down(void **state)
{
	struct world *w = *state;
	registry_free(w->registry);
	sqlite3_close(w->other);
	uv_run(&w->loop, UV_RUN_DEFAULT);
	assert_int_equal(uv_loop_close(&w->loop), 0);
	for (unsigned i = 0; i < JOBS; i++)
		registry_job_fini(&w->jobs[i]);
	static const char *const ends[] = {"", "-wal", "-shm"};
	for (size_t i = 0; i < sizeof(ends) / sizeof(ends[0]); i++) {
		mem_auto char *path = mem_printf("%s%s", w->path, ends[i]);
		unlink(path);
	}
	rmdir(w->folder);
	free(w);
	return 0;
}

static void submit_all(struct world *w)
{
	w->expected = JOBS;
	for (unsigned i = 0; i < JOBS; i++)
		registry_submit(w->registry, &w->jobs[i]);
}

static void jobs_come_back_in_order_and_each_sees_what_came_before(void **state)
{
	struct world *w = *state;
	submit_all(w);
	uv_run(&w->loop, UV_RUN_DEFAULT);
	assert_int_equal(w->done_count, JOBS);
	for (unsigned i = 0; i < JOBS; i++) {
		assert_ptr_equal(w->done[i], &w->jobs[i]);
		assert_int_equal(w->jobs[i].status, 0);
	}
	assert_int_equal(w->jobs[0].match_count, 0);
	assert_true(w->jobs[1].is_new);
	assert_int_equal(w->jobs[2].match_count, 1);
	assert_int_equal(w->jobs[3].match_count, 1);
	assert_int_equal(w->troubles, 0);
	assert_int_equal(w->recoveries, 0);
}

static void a_batch_that_fails_is_reported_and_done_when_it_can_be(void **state)
{
	struct world *w = *state;
	assert_int_equal(sqlite3_exec(w->other, "BEGIN IMMEDIATE", NULL, NULL, NULL), SQLITE_OK);
	submit_all(w);
	uv_run(&w->loop, UV_RUN_DEFAULT);
	assert_int_equal(w->done_count, JOBS);
	assert_int_equal(w->troubles, 1);
	assert_int_equal(w->recoveries, 1);
	assert_non_null(strstr(w->trouble, w->path));
	for (unsigned i = 0; i < JOBS; i++)
		assert_int_equal(w->jobs[i].status, 0);
	assert_int_equal(w->jobs[2].match_count, 1);
}

static void the_end_brings_back_undone_what_fails_and_what_waits(void **state)
{
	struct world *w = *state;
	w->ends_at_trouble = true;
	assert_int_equal(sqlite3_exec(w->other, "BEGIN IMMEDIATE", NULL, NULL, NULL), SQLITE_OK);
	/* A batch that needs to write is handed over; another job waits behind it. */
	registry_submit(w->registry, &w->jobs[1]);
	worker_flush(registry_worker(w->registry));
	registry_submit(w->registry, &w->jobs[2]);
	uv_run(&w->loop, UV_RUN_DEFAULT);
	assert_int_equal(w->done_count, 0);
	registry_free(w->registry);
	w->registry = NULL;
	assert_int_equal(w->done_count, 2);
	assert_ptr_equal(w->done[0], &w->jobs[1]);
	assert_ptr_equal(w->done[1], &w->jobs[2]);
	assert_int_equal(w->jobs[1].status, -ECANCELED);
	assert_int_equal(w->jobs[1].match_count, 0);
	assert_int_equal(w->jobs[2].status, -ECANCELED);
}

static void the_end_waits_for_what_is_being_done(void **state)
{
	struct world *w = *state;
	registry_submit(w->registry, &w->jobs[1]);
	worker_flush(registry_worker(w->registry));
	registry_free(w->registry);
	w->registry = NULL;
	assert_int_equal(w->done_count, 1);
	assert_int_equal(w->jobs[1].status, 0);
	assert_true(w->jobs[1].is_new);
}

static void what_is_submitted_when_all_has_ended_comes_back_undone(void **state)
{
	struct world *w = *state;
	registry_submit(w->registry, &w->jobs[1]);
	w->next = &w->jobs[2];
	registry_free(w->registry);
	w->registry = NULL;
	assert_int_equal(w->done_count, 2);
	assert_ptr_equal(w->done[1], &w->jobs[2]);
	assert_int_equal(w->jobs[2].status, -ECANCELED);
}

static void a_registry_that_cannot_be_opened_is_not_started(void **state)
{
	struct world *w = *state;
	struct registry_settings settings = {
		.ops = &sqlite_ops,
		.place = "/nonexistent/registry.sqlite",
		.site = "here",
		.registrations_per_user = 64,
	};
	struct registry *registry = NULL;
	struct err err;
	assert_int_equal(
		registry_new(&w->loop, &settings, on_trouble, on_refused, w, &registry, &err),
		-ENOENT);
	assert_null(registry);
}

#define TEST(test) cmocka_unit_test_setup_teardown(test, set_up, tear_down)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(jobs_come_back_in_order_and_each_sees_what_came_before),
		TEST(a_batch_that_fails_is_reported_and_done_when_it_can_be),
		TEST(the_end_brings_back_undone_what_fails_and_what_waits),
		TEST(the_end_waits_for_what_is_being_done),
		TEST(what_is_submitted_when_all_has_ended_comes_back_undone),
		TEST(a_registry_that_cannot_be_opened_is_not_started),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}

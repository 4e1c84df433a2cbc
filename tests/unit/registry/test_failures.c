/* What the thread does when the database fails in each of its ways. */
#include "base/clock.h"
#include "base/mem.h"
#include "driver/failure.h"
#include "memory.h"
#include "registry/registry.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <string.h>

#include <cmocka.h>

#define NOW (INT64_C(20000) * CLOCK_DAY_MS)
#define JOBS 7
#define NO_TEXT "\xff"

struct world {
	uv_loop_t loop;
	struct registry *registry;
	struct mail_event events[JOBS];
	struct registry_subscription boxes[JOBS];
	struct registry_job jobs[JOBS];
	unsigned done;
	unsigned expected;
	unsigned troubles;
	unsigned recoveries;
	unsigned refused;
	bool is_in_trouble;
	bool is_mended_at_trouble;
	bool is_trouble_endured;
};

static struct world *world;

static void on_done(struct registry_job *job)
{
	struct world *w = world;
	assert_ptr_equal(job, &w->jobs[w->done]);
	if (++w->done == w->expected)
		uv_stop(&w->loop);
}

static void on_trouble(void *ctx, const char *text)
{
	struct world *w = ctx;
	w->is_in_trouble = text;
	if (!text) {
		w->recoveries++;
		return;
	}
	w->troubles++;
	if (w->is_mended_at_trouble)
		memory_fail(MEMORY_WELL, NULL);
	else if (!w->is_trouble_endured)
		uv_stop(&w->loop);
}

static void on_refused(void *ctx, const char *text)
{
	struct world *w = ctx;
	assert_non_null(strstr(text, "refuse"));
	w->refused++;
}

static int set_up(void **state)
{
	const struct registry_settings settings = {
		.ops = &memory_ops,
		.place = "failures",
		.site = "here",
		.registration_ttl_ms = 30 * CLOCK_DAY_MS,
		.deleted_user_grace_ms = 7 * CLOCK_DAY_MS,
		.registrations_per_user = 64,
	};
	struct world *w = mem_alloc_zero(1, sizeof(*w));
	struct err err;
	uv_loop_init(&w->loop);
	if (registry_new(&w->loop, &settings, on_trouble, on_refused, w, &w->registry, &err))
		fail_msg("%s", err.text);
	*state = world = w;
	return 0;
}

static int tear_down(void **state)
{
	struct world *w = *state;
	w->expected = 0;
	assert_true(registry_free(w->registry));
	uv_run(&w->loop, UV_RUN_DEFAULT);
	assert_int_equal(uv_loop_close(&w->loop), 0);
	for (unsigned i = 0; i < JOBS; i++)
		registry_job_fini(&w->jobs[i]);
	memory_fail(MEMORY_WELL, NULL);
	memory_forget();
	free(w);
	return 0;
}

static void add(struct world *w, enum registry_job_kind kind, const char *user)
{
	unsigned at = w->expected++;
	w->events[at].registration = (struct event_registration){
		.user = user,
		.token = "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa",
		.account_id = "one",
		.subtopic = "com.apple.mobilemail",
		.aps_version = 2,
	};
	w->events[at].at[0] = (struct mailbox){.owner = user, .folder = ""};
	w->events[at].readings = 1;
	w->boxes[at] = (struct registry_subscription){.name = "INBOX",
		.owner = user,
		.folder = "",
		.hash = "0123456789abcdef0123456789abcdef"};
	w->jobs[at] = (struct registry_job){
		.kind = kind,
		.done = on_done,
		.received_ms = NOW + at,
		.event = &w->events[at],
		.subscriptions = &w->boxes[at],
		.subscription_count = 1,
		.topic = "com.apple.mail.XServer.one",
	};
}

static void run_all(struct world *w)
{
	for (unsigned i = 0; i < w->expected; i++)
		registry_submit(w->registry, &w->jobs[i]);
	uv_run(&w->loop, UV_RUN_DEFAULT);
}

static void a_conflict_is_done_again_quietly_and_counted(void **state)
{
	struct world *w = *state;
	add(w, REGISTRY_REGISTER, "alice");
	memory_fail_times(MEMORY_CONFLICT, 3);
	run_all(w);
	assert_int_equal(w->jobs[0].status, 0);
	assert_true(w->jobs[0].is_new);
	assert_int_equal(registry_conflicts(w->registry), 3);
	assert_int_equal(w->troubles, 0);
}

static void a_database_that_is_back_at_once_is_no_trouble(void **state)
{
	struct world *w = *state;
	add(w, REGISTRY_REGISTER, "alice");
	memory_fail_times(MEMORY_NO_BEGIN, 1);
	run_all(w);
	assert_int_equal(w->jobs[0].status, 0);
	assert_int_equal(w->troubles, 0);
	assert_int_equal(registry_conflicts(w->registry), 0);
}

static void a_database_that_stays_away_is_trouble_until_it_is_back(void **state)
{
	struct world *w = *state;
	add(w, REGISTRY_REGISTER, "alice");
	add(w, REGISTRY_NEWS, "alice");
	w->is_mended_at_trouble = true;
	memory_fail(MEMORY_NO_BEGIN, NULL);
	run_all(w);
	assert_int_equal(w->jobs[1].status, 0);
	assert_int_equal(w->jobs[1].match_count, 1);
	assert_int_equal(w->troubles, 1);
	assert_int_equal(w->recoveries, 1);
}

static void what_somebody_has_to_mend_is_trouble_at_the_first_failure(void **state)
{
	struct world *w = *state;
	add(w, REGISTRY_REGISTER, "alice");
	memory_fail_times(MEMORY_NO_RIGHTS, 1);
	run_all(w);
	assert_int_equal(w->troubles, 1);
	assert_int_equal(w->done, 0);
}

static void a_job_that_is_refused_is_set_aside_and_the_others_go_on_in_order(void **state)
{
	struct world *w = *state;
	add(w, REGISTRY_REGISTER, "alice");
	add(w, REGISTRY_NEWS, "alice");
	add(w, REGISTRY_NEWS, NO_TEXT);
	add(w, REGISTRY_REGISTER, "bob");
	add(w, REGISTRY_REGISTER, NO_TEXT);
	add(w, REGISTRY_NEWS, "bob");
	add(w, REGISTRY_NEWS, "alice");
	memory_fail(MEMORY_TEXT_ONLY, NULL);
	run_all(w);
	static const bool is_refused[JOBS] = {[2] = true, [4] = true};
	for (unsigned i = 0; i < JOBS; i++)
		assert_int_equal(w->jobs[i].status, is_refused[i] ? -EILSEQ : 0);
	assert_int_equal(w->jobs[1].match_count, 1);
	assert_int_equal(w->jobs[5].match_count, 1);
	assert_int_equal(w->jobs[6].match_count, 1);
	assert_int_equal(w->refused, 2);
	assert_int_equal(w->troubles, 0);
}

static void is_set_aside(struct world *w, enum memory_failure failure)
{
	add(w, REGISTRY_REGISTER, "alice");
	add(w, REGISTRY_REGISTER, NO_TEXT);
	add(w, REGISTRY_NEWS, "alice");
	memory_fail(failure, NULL);
	w->is_trouble_endured = true;
	run_all(w);
	assert_int_equal(w->jobs[0].status, 0);
	assert_int_equal(w->jobs[1].status, -EILSEQ);
	assert_int_equal(w->jobs[2].match_count, 1);
	assert_int_equal(w->refused, 1);
	assert_false(w->is_in_trouble);
}

static void a_job_that_fails_again_and_again_for_an_unknown_reason_is_set_aside_too(void **state)
{
	is_set_aside(*state, MEMORY_TEXT_OR_UNKNOWN);
}

static void a_row_that_is_always_another_s_is_set_aside_too(void **state)
{
	is_set_aside(*state, MEMORY_TEXT_OR_TAKEN);
}

static void the_trouble_ends_when_a_job_alone_is_set_aside(void **state)
{
	struct world *w = *state;
	add(w, REGISTRY_REGISTER, NO_TEXT);
	memory_fail(MEMORY_TEXT_OR_UNKNOWN, NULL);
	w->is_trouble_endured = true;
	run_all(w);
	assert_int_equal(w->jobs[0].status, -EILSEQ);
	assert_false(w->is_in_trouble);
}

static void an_unknown_failure_after_others_is_the_first_of_its_kind(void **state)
{
	struct world *w = *state;
	add(w, REGISTRY_REGISTER, "alice");
	memory_fail_times(MEMORY_CONFLICT_THEN_UNKNOWN, 9);
	run_all(w);
	assert_int_equal(w->jobs[0].status, 0);
	assert_int_equal(w->refused, 0);
}

static void what_fails_before_a_job_was_looked_at_is_no_fault_of_a_job(void **state)
{
	struct world *w = *state;
	add(w, REGISTRY_REGISTER, "alice");
	memory_fail_times(MEMORY_REFUSED_BEGIN, 1);
	run_all(w);
	assert_int_equal(w->jobs[0].status, 0);
	assert_int_equal(w->refused, 0);
}

static void jobs_that_are_all_refused_come_back_all(void **state)
{
	struct world *w = *state;
	for (unsigned i = 0; i < 3; i++)
		add(w, REGISTRY_REGISTER, NO_TEXT);
	memory_fail(MEMORY_TEXT_ONLY, NULL);
	run_all(w);
	assert_int_equal(w->refused, 3);
}

static void what_takes_too_long_is_done_in_smaller_parts(void **state)
{
	struct world *w = *state;
	static const char *const users[] = {"a", "b", "c", "d", "e"};
	for (unsigned i = 0; i < 5; i++)
		add(w, REGISTRY_REGISTER, users[i]);
	memory_fail(MEMORY_SLOW, NULL);
	w->is_trouble_endured = true;
	run_all(w);
	for (unsigned i = 0; i < 5; i++)
		assert_int_equal(w->jobs[i].status, 0);
	assert_int_equal(w->refused, 0);
}

static void an_errno_says_what_is_done_next(void **state)
{
	(void)state;
	assert_int_equal(failure_of(-EAGAIN), FAILURE_CONFLICT);
	assert_int_equal(failure_of(-EEXIST), FAILURE_CONFLICT);
	assert_int_equal(failure_of(-EILSEQ), FAILURE_BAD_JOB);
	assert_int_equal(failure_of(-EACCES), FAILURE_FATAL);
	assert_int_equal(failure_of(-ENOTSUP), FAILURE_FATAL);
	assert_int_equal(failure_of(-EIO), FAILURE_AWAY);
	assert_int_equal(failure_of(-ENOTCONN), FAILURE_AWAY);
	assert_int_equal(failure_of(-EPROTO), FAILURE_UNKNOWN);
	assert_int_equal(failure_of(failure_before_jobs(-EPROTO)), FAILURE_AWAY);
	assert_int_equal(failure_of(failure_before_jobs(-EILSEQ)), FAILURE_AWAY);
	assert_int_equal(failure_before_jobs(-EACCES), -EACCES);
	assert_int_equal(failure_before_jobs(-EAGAIN), -EAGAIN);
	assert_int_equal(failure_before_jobs(-EEXIST), -EAGAIN);
	assert_true(failure_is_open(-EIO) && failure_is_open(-EPROTO));
	assert_false(
		failure_is_open(-EAGAIN) || failure_is_open(-EEXIST) || failure_is_open(-EILSEQ));
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
	const struct CMUnitTest tests[] = {
		TEST(a_conflict_is_done_again_quietly_and_counted),
		TEST(a_database_that_is_back_at_once_is_no_trouble),
		TEST(a_database_that_stays_away_is_trouble_until_it_is_back),
		TEST(what_somebody_has_to_mend_is_trouble_at_the_first_failure),
		TEST(a_job_that_is_refused_is_set_aside_and_the_others_go_on_in_order),
		TEST(a_job_that_fails_again_and_again_for_an_unknown_reason_is_set_aside_too),
		TEST(a_row_that_is_always_another_s_is_set_aside_too),
		TEST(the_trouble_ends_when_a_job_alone_is_set_aside),
		cmocka_unit_test(an_errno_says_what_is_done_next),
		TEST(an_unknown_failure_after_others_is_the_first_of_its_kind),
		TEST(what_fails_before_a_job_was_looked_at_is_no_fault_of_a_job),
		TEST(jobs_that_are_all_refused_come_back_all),
		TEST(what_takes_too_long_is_done_in_smaller_parts),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}

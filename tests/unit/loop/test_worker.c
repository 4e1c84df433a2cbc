#include "loop/worker.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/mem.h"

#include <errno.h>
#include <pthread.h>
#include <string.h>

struct number {
	struct job job;
	int value;
	int doubled;
};

struct fixture {
	uv_loop_t loop;
	struct worker *worker;
	int batches;
	int portions;
	uv_check_t check;
	int turns; /* of the loop, since the first came back */
	int done;
	int last_value;
	pthread_mutex_t gate; /* held by a test to keep the thread in its batch */
	int failures_left;
	char trouble[64];
	int troubles;
	int wanted;
	bool asks;
	int asked;
	int left_at_end;
};

static int attempt(void *ctx, struct job_list *batch, struct err *err)
{
	struct fixture *f = ctx;
	pthread_mutex_lock(&f->gate);
	pthread_mutex_unlock(&f->gate);
	if (f->asks && !worker_ask(f->worker))
		return -ECANCELED;
	if (f->failures_left) {
		f->failures_left--;
		return err_set(err, -ENOSPC, "disk is full");
	}
	f->batches++;
	for (struct job *job = batch->first; job; job = job->next) {
		struct number *number = MEM_CONTAINER(job, struct number, job);
		number->doubled = number->value * 2;
	}
	return 0;
}

static void run(void *ctx, struct job_list *batch)
{
	struct fixture *f = ctx;
	worker_attempt(f->worker, attempt, f, batch);
}

static void asked(void *ctx)
{
	struct fixture *f = ctx;
	assert_int_equal(f->batches, 0);
	f->asked++;
}

static void done(void *ctx, struct job_list *batch)
{
	struct fixture *f = ctx;
	struct job *job;
	assert_true(batch->count <= WORKER_TURN_MAX);
	f->portions++;
	while ((job = job_list_take(batch))) {
		struct number *number = MEM_CONTAINER(job, struct number, job);
		assert_int_equal(number->doubled, number->value * 2);
		assert_true(number->value > f->last_value);
		f->last_value = number->value;
		f->done++;
		free(number);
	}
	if (f->done == f->wanted)
		uv_stop(&f->loop);
}

static void trouble(void *ctx, const char *text)
{
	struct fixture *f = ctx;
	f->troubles++;
	strncpy(f->trouble, text ? text : "none", sizeof(f->trouble) - 1);
	if (f->wanted < 0 && text)
		uv_stop(&f->loop);
}

static void note_end(void *ctx, struct job_list *left)
{
	struct fixture *f = ctx;
	f->left_at_end = (int)left->count;
}

static int set_up(void **state)
{
	static const struct worker_callbacks callbacks = {
		.run = run, .done = done, .trouble = trouble, .asked = asked, .end = note_end};
	struct fixture *f = mem_alloc_zero(1, sizeof(*f));
	struct err err;
	pthread_mutex_init(&f->gate, NULL);
	uv_loop_init(&f->loop);
	*state = f;
	return worker_new(&f->loop, "test", &callbacks, f, &f->worker, &err);
}

static int tear_down(void **state)
{
	struct fixture *f = *state;
	struct job_list left;
	job_list_init(&left);
	worker_free(f->worker, WORKER_END_MS, &left);
	assert_null(left.first);
	uv_run(&f->loop, UV_RUN_DEFAULT);
	assert_int_equal(uv_loop_close(&f->loop), 0);
	free(f);
	return 0;
}

static struct job *number_new(int value)
{
	struct number *number = mem_alloc_zero(1, sizeof(*number));
	number->value = value;
	return &number->job;
}

static void submit(struct fixture *f, int value)
{
	worker_submit(f->worker, number_new(value));
}

static void submit_lazy(struct fixture *f, int value)
{
	worker_submit_lazy(f->worker, number_new(value));
}

static void all_jobs_come_back_done_and_in_order(void **state)
{
	struct fixture *f = *state;
	for (int i = 1; i <= 1000; i++)
		submit(f, i);
	f->wanted = 1000;
	uv_run(&f->loop, UV_RUN_DEFAULT);
	assert_int_equal(f->done, 1000);
	assert_int_equal(f->batches, 1);
}

static void what_comes_while_the_thread_is_busy_makes_one_batch(void **state)
{
	struct fixture *f = *state;
	pthread_mutex_lock(&f->gate);
	submit(f, 1);
	worker_flush(f->worker);
	assert_int_equal(worker_running(f->worker), 1);
	for (int i = 2; i <= 10; i++) {
		submit(f, i);
		worker_flush(f->worker);
	}
	assert_int_equal(worker_waiting(f->worker), 9);
	pthread_mutex_unlock(&f->gate);
	f->wanted = 10;
	uv_run(&f->loop, UV_RUN_DEFAULT);
	assert_int_equal(f->batches, 2);
}

static void a_batch_is_bounded_and_the_rest_waits_in_order(void **state)
{
	struct fixture *f = *state;
	pthread_mutex_lock(&f->gate);
	for (int i = 1; i <= WORKER_BATCH_MAX + 10; i++)
		submit(f, i);
	worker_flush(f->worker);
	assert_int_equal(worker_running(f->worker), WORKER_BATCH_MAX);
	assert_int_equal(worker_waiting(f->worker), 10);
	assert_int_equal(worker_submitted(f->worker), WORKER_BATCH_MAX + 10);
	pthread_mutex_unlock(&f->gate);
	f->wanted = WORKER_BATCH_MAX + 10;
	uv_run(&f->loop, UV_RUN_DEFAULT);
	assert_int_equal(f->done, WORKER_BATCH_MAX + 10);
	assert_int_equal(f->batches, 2);
}

static void on_turn(uv_check_t *check)
{
	struct fixture *f = check->data;
	f->turns += f->done > 0;
}

/* Sockets are read in between. */
static void a_large_batch_comes_back_over_several_turns(void **state)
{
	struct fixture *f = *state;
	uv_check_init(&f->loop, &f->check);
	f->check.data = f;
	uv_check_start(&f->check, on_turn);
	f->wanted = 3 * WORKER_TURN_MAX + 1;
	for (int i = 1; i <= f->wanted; i++)
		submit(f, i);
	uv_run(&f->loop, UV_RUN_DEFAULT);
	assert_int_equal(f->done, f->wanted);
	assert_int_equal(f->batches, 1);
	assert_int_equal(f->portions, 4);
	assert_int_equal(f->turns, 4);
	uv_close((uv_handle_t *)&f->check, NULL);
}

static void what_is_back_but_not_given_out_is_left_first(void **state)
{
	struct fixture *f = *state;
	f->wanted = -1;
	for (int i = 1; i <= WORKER_TURN_MAX + 2; i++)
		submit(f, i);
	while (!f->done)
		uv_run(&f->loop, UV_RUN_ONCE);
	submit(f, WORKER_TURN_MAX + 3);
	struct job_list left;
	job_list_init(&left);
	worker_free(mem_steal(f->worker), WORKER_END_MS, &left);
	assert_int_equal(left.count, 3);
	for (int i = 1; i <= 3; i++) {
		struct number *number = MEM_CONTAINER(job_list_take(&left), struct number, job);
		assert_int_equal(number->value, WORKER_TURN_MAX + i);
		free(number);
	}
}

static void a_lazy_job_waits_for_one_that_is_not(void **state)
{
	struct fixture *f = *state;
	submit_lazy(f, 1);
	uv_run(&f->loop, UV_RUN_NOWAIT);
	assert_int_equal(worker_running(f->worker), 0);
	assert_int_equal(worker_waiting(f->worker), 1);
	submit(f, 2);
	f->wanted = 2;
	uv_run(&f->loop, UV_RUN_DEFAULT);
	assert_int_equal(f->done, 2);
	assert_int_equal(f->batches, 1);
}

static void a_lazy_job_goes_alone_in_the_end(void **state)
{
	struct fixture *f = *state;
	submit_lazy(f, 1);
	f->wanted = 1;
	uv_run(&f->loop, UV_RUN_DEFAULT);
	assert_int_equal(f->done, 1);
	submit_lazy(f, 2);
	f->wanted = 2;
	uv_run(&f->loop, UV_RUN_DEFAULT);
	assert_int_equal(f->done, 2);
	assert_int_equal(f->batches, 2);
}

static void a_failing_batch_is_tried_again_and_its_trouble_reported_once(void **state)
{
	struct fixture *f = *state;
	f->failures_left = 2;
	submit(f, 1);
	submit(f, 2);
	f->wanted = 2;
	uv_run(&f->loop, UV_RUN_DEFAULT);
	assert_int_equal(f->done, 2);
	assert_string_equal(f->trouble, "none");
	assert_true(f->troubles <= 2);
	assert_int_equal(f->failures_left, 0);
}

static void a_worker_that_is_stopped_gives_back_what_it_could_not_do(void **state)
{
	struct fixture *f = *state;
	f->failures_left = -1;
	submit(f, 1);
	worker_flush(f->worker);
	submit(f, 2);
	f->wanted = -1;
	uv_run(&f->loop, UV_RUN_DEFAULT);
	assert_string_equal(f->trouble, "disk is full");
	struct job_list left;
	job_list_init(&left);
	worker_free(f->worker, WORKER_END_MS, &left);
	for (int i = 1; i <= 2; i++) {
		struct job *job = job_list_take(&left);
		assert_non_null(job);
		struct number *number = MEM_CONTAINER(job, struct number, job);
		assert_int_equal(number->value, i);
		assert_int_equal(number->doubled, 0);
		free(number);
	}
	assert_null(job_list_take(&left));
	f->worker = NULL;
}

static void the_loop_answers_while_the_thread_waits(void **state)
{
	struct fixture *f = *state;
	f->asks = true;
	f->wanted = 2;
	submit(f, 1);
	submit(f, 2);
	uv_run(&f->loop, UV_RUN_DEFAULT);
	assert_int_equal(f->asked, 1);
	assert_int_equal(f->done, 2);
}

static void a_worker_that_is_stopped_while_it_asks_gives_its_batch_back(void **state)
{
	struct fixture *f = *state;
	f->asks = true;
	submit(f, 1);
	worker_flush(f->worker);
	struct job_list left;
	job_list_init(&left);
	worker_free(f->worker, WORKER_END_MS, &left);
	f->worker = NULL;
	assert_int_equal(f->asked, 0);
	assert_int_equal(left.count, 1);
	free(MEM_CONTAINER(job_list_take(&left), struct number, job));
}

static void a_thread_that_does_not_return_keeps_what_it_has_until_it_does(void **state)
{
	struct fixture *f = *state;
	pthread_mutex_lock(&f->gate);
	submit(f, 1);
	worker_flush(f->worker);
	submit(f, 2);
	struct job_list left;
	job_list_init(&left);
	assert_false(worker_free(f->worker, 1, &left));
	assert_int_equal(left.count, 0);
	pthread_mutex_unlock(&f->gate);
	assert_true(worker_free(f->worker, WORKER_END_MS, &left));
	f->worker = NULL;
	assert_int_equal(f->left_at_end, 2);
	assert_int_equal(left.count, 2);
	for (int i = 1; i <= 2; i++) {
		struct number *number = MEM_CONTAINER(job_list_take(&left), struct number, job);
		assert_int_equal(number->value, i);
		free(number);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(
			the_loop_answers_while_the_thread_waits, set_up, tear_down),
		cmocka_unit_test_setup_teardown(
			a_thread_that_does_not_return_keeps_what_it_has_until_it_does, set_up,
			tear_down),
		cmocka_unit_test_setup_teardown(
			a_worker_that_is_stopped_while_it_asks_gives_its_batch_back, set_up,
			tear_down),
		cmocka_unit_test_setup_teardown(
			all_jobs_come_back_done_and_in_order, set_up, tear_down),
		cmocka_unit_test_setup_teardown(
			what_comes_while_the_thread_is_busy_makes_one_batch, set_up, tear_down),
		cmocka_unit_test_setup_teardown(
			a_batch_is_bounded_and_the_rest_waits_in_order, set_up, tear_down),
		cmocka_unit_test_setup_teardown(
			a_large_batch_comes_back_over_several_turns, set_up, tear_down),
		cmocka_unit_test_setup_teardown(
			what_is_back_but_not_given_out_is_left_first, set_up, tear_down),
		cmocka_unit_test_setup_teardown(
			a_lazy_job_waits_for_one_that_is_not, set_up, tear_down),
		cmocka_unit_test_setup_teardown(
			a_lazy_job_goes_alone_in_the_end, set_up, tear_down),
		cmocka_unit_test_setup_teardown(
			a_failing_batch_is_tried_again_and_its_trouble_reported_once, set_up,
			tear_down),
		cmocka_unit_test_setup_teardown(
			a_worker_that_is_stopped_gives_back_what_it_could_not_do, set_up,
			tear_down),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}

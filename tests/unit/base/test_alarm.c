#include "base/alarm.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/log.h"
#include "base/mem.h"

#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static char folder[64];
static char script[128];
static char output[128];
static uv_loop_t loop;

/* It says what it was called with, and then does more. */
static void write_script(const char *more)
{
	FILE *file = fopen(script, "w");
	assert_non_null(file);
	fprintf(file, "#!/bin/sh\necho \"$1|$2|$3\" >> %s\n%s\n", output, more);
	fclose(file);
	chmod(script, 0700);
}

static int set_up(void **state)
{
	(void)state;
	strcpy(folder, "/tmp/alarm.XXXXXX");
	if (!mkdtemp(folder))
		return -1;
	snprintf(script, sizeof(script), "%s/command", folder);
	snprintf(output, sizeof(output), "%s/output", folder);
	write_script("");
	log_set_level(LOG_LEVEL_ERROR);
	uv_loop_init(&loop);
	alarm_start(&loop, script);
	return 0;
}

static int tear_down(void **state)
{
	(void)state;
	alarm_stop();
	uv_run(&loop, UV_RUN_DEFAULT);
	assert_int_equal(uv_loop_close(&loop), 0);
	unlink(script);
	unlink(output);
	rmdir(folder);
	return 0;
}

static void count(void *ctx, const char *name, const char *text, int64_t since_unix_ms)
{
	(void)name;
	(void)text;
	assert_true(since_unix_ms > 0);
	++*(int *)ctx;
}

static void an_alarm_stands_from_raise_to_clear(void **state)
{
	(void)state;
	assert_false(alarm_stands("disk"));
	alarm_raise("disk", "full: %d", 1);
	alarm_raise("disk", "full: %d", 2);
	alarm_raise("apns", "away");
	assert_true(alarm_stands("disk"));
	int standing = 0;
	alarm_each(count, &standing);
	assert_int_equal(standing, 2);
	alarm_clear("disk");
	alarm_clear("disk");
	assert_false(alarm_stands("disk"));
	assert_true(alarm_stands("apns"));
}

static void the_command_runs_for_begin_and_end_in_order(void **state)
{
	(void)state;
	alarm_raise("disk", "it's \"full\"; $(id)");
	alarm_raise("disk", "still full");
	alarm_clear("disk");
	/* Runs until both calls have ended: nothing else keeps the loop. */
	uv_run(&loop, UV_RUN_DEFAULT);
	FILE *file = fopen(output, "r");
	assert_non_null(file);
	char line[200];
	assert_non_null(fgets(line, sizeof(line), file));
	assert_string_equal(line, "begin|disk|it's \"full\"; $(id)\n");
	assert_non_null(fgets(line, sizeof(line), file));
	assert_string_equal(line, "end|disk|still full\n");
	assert_null(fgets(line, sizeof(line), file));
	fclose(file);
}

/* How often the command has said so, and what it said last. */
static int lines_of_output(char last[200])
{
	FILE *file = fopen(output, "r");
	assert_non_null(file);
	int lines = 0;
	while (fgets(last, 200, file))
		lines++;
	fclose(file);
	return lines;
}

static void a_command_that_hangs_is_killed_with_all_that_it_started(void **state)
{
	(void)state;
	/* Whoever lives of it keeps the pipe open. */
	int pipe_fds[2];
	assert_int_equal(pipe(pipe_fds), 0);
	write_script("if [ $2 = hangs ]; then sleep 1000 & wait; fi");
	alarm_limit_command(500);
	alarm_raise("hangs", "forever");
	alarm_limit_command(ALARM_COMMAND_MS);
	alarm_raise("disk", "full");
	uv_run(&loop, UV_RUN_DEFAULT);
	char last[200];
	assert_true(lines_of_output(last) >= 1);
	assert_string_equal(last, "begin|disk|full\n");
	close(pipe_fds[1]);
	char byte;
	assert_int_equal(read(pipe_fds[0], &byte, 1), 0);
	close(pipe_fds[0]);
}

static void what_is_over_before_its_turn_is_left_out(void **state)
{
	(void)state;
	char last[200];
	alarm_raise("first", "runs");
	for (int i = 0; i < 3; i++) {
		alarm_raise("disk", "full");
		alarm_clear("disk");
	}
	alarm_raise("apns", "away");
	uv_run(&loop, UV_RUN_DEFAULT);
	assert_int_equal(lines_of_output(last), 2);
	assert_string_equal(last, "begin|apns|away\n");
}

static void what_is_back_before_its_end_had_its_turn_is_left_out(void **state)
{
	(void)state;
	char last[200];
	alarm_raise("disk", "full");
	alarm_clear("disk");
	alarm_raise("disk", "full again");
	uv_run(&loop, UV_RUN_DEFAULT);
	assert_int_equal(lines_of_output(last), 1);
	alarm_clear("disk");
	uv_run(&loop, UV_RUN_DEFAULT);
	assert_int_equal(lines_of_output(last), 2);
	assert_string_equal(last, "end|disk|full again\n");
}

/* So often, each change with its call. */
static void come_and_go(const char *name, int times)
{
	for (int i = 0; i < times; i++) {
		alarm_raise(name, "full");
		uv_run(&loop, UV_RUN_DEFAULT);
		alarm_clear(name);
		uv_run(&loop, UV_RUN_DEFAULT);
	}
}

static void one_that_comes_and_goes_is_told_a_bounded_number_of_times(void **state)
{
	(void)state;
	char last[200];
	come_and_go("disk", ALARM_CHANGES_MAX);
	assert_int_equal(lines_of_output(last), ALARM_CHANGES_MAX);
	assert_string_equal(last, "end|disk|full\n");
	/* Each has a number of its own. */
	alarm_raise("apns", "away");
	uv_run(&loop, UV_RUN_DEFAULT);
	assert_int_equal(lines_of_output(last), ALARM_CHANGES_MAX + 1);
}

static void end_window(void)
{
	alarm_end_window();
	uv_run(&loop, UV_RUN_DEFAULT);
}

static void what_it_came_to_is_told_after_the_window(void **state)
{
	(void)state;
	char last[200];
	come_and_go("disk", ALARM_CHANGES_MAX / 2 + 5);
	alarm_raise("disk", "full at last");
	assert_true(alarm_stands("disk"));
	assert_int_equal(lines_of_output(last), ALARM_CHANGES_MAX);
	end_window();
	assert_int_equal(lines_of_output(last), ALARM_CHANGES_MAX + 1);
	assert_string_equal(last, "begin|disk|full at last\n");
	/* The next window has that alone, and only what did change. */
	alarm_clear("disk");
	alarm_raise("disk", "still full");
	end_window();
	assert_int_equal(lines_of_output(last), ALARM_CHANGES_MAX + 1);
	come_and_go("disk", 3);
	assert_false(alarm_stands("disk"));
	end_window();
	assert_int_equal(lines_of_output(last), ALARM_CHANGES_MAX + 2);
	assert_string_equal(last, "end|disk|full\n");
	/* One without a change ends it. */
	end_window();
	come_and_go("disk", 1);
	assert_int_equal(lines_of_output(last), ALARM_CHANGES_MAX + 4);
}

static void a_command_that_cannot_be_run_holds_up_nothing(void **state)
{
	(void)state;
	char last[200];
	assert_int_equal(unlink(script), 0);
	alarm_raise("disk", "full");
	uv_run(&loop, UV_RUN_DEFAULT);
	write_script("");
	alarm_clear("disk");
	uv_run(&loop, UV_RUN_DEFAULT);
	assert_int_equal(lines_of_output(last), 1);
}

static int lifeline; /* when it closes, a command that waits for it ends */

static void a_stop_while_the_command_runs_waits_for_nothing(void **state)
{
	(void)state;
	int pipe_fds[2];
	int said[2];
	char wait_for_it[64];
	assert_int_equal(pipe(pipe_fds), 0);
	assert_int_equal(pipe(said), 0);
	assert_int_equal(fcntl(pipe_fds[1], F_SETFD, FD_CLOEXEC), 0);
	lifeline = pipe_fds[1];
	snprintf(wait_for_it, sizeof(wait_for_it), "echo >/dev/fd/%d; read nothing </dev/fd/%d",
		said[1], pipe_fds[0]);
	write_script(wait_for_it);
	alarm_raise("disk", "full");
	alarm_clear("disk");
	close(pipe_fds[0]);
	close(said[1]);
	char newline;
	assert_int_equal(read(said[0], &newline, 1), 1);
	close(said[0]);
}

/* The loop must end although the command does not. */
static int tear_down_and_let_go(void **state)
{
	int failed = tear_down(state);
	close(lifeline);
	return failed;
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(
			an_alarm_stands_from_raise_to_clear, set_up, tear_down),
		cmocka_unit_test_setup_teardown(
			the_command_runs_for_begin_and_end_in_order, set_up, tear_down),
		cmocka_unit_test_setup_teardown(
			a_command_that_hangs_is_killed_with_all_that_it_started, set_up, tear_down),
		cmocka_unit_test_setup_teardown(
			what_is_over_before_its_turn_is_left_out, set_up, tear_down),
		cmocka_unit_test_setup_teardown(
			what_is_back_before_its_end_had_its_turn_is_left_out, set_up, tear_down),
		cmocka_unit_test_setup_teardown(
			one_that_comes_and_goes_is_told_a_bounded_number_of_times, set_up,
			tear_down),
		cmocka_unit_test_setup_teardown(
			what_it_came_to_is_told_after_the_window, set_up, tear_down),
		cmocka_unit_test_setup_teardown(
			a_command_that_cannot_be_run_holds_up_nothing, set_up, tear_down),
		cmocka_unit_test_setup_teardown(a_stop_while_the_command_runs_waits_for_nothing,
			set_up, tear_down_and_let_go),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}

#include "base/alarm.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/log.h"
#include "base/mem.h"

#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static char folder[64];
static char script[128];
static char output[128];
static uv_loop_t loop;

static int set_up(void **state)
{
	(void)state;
	strcpy(folder, "/tmp/alarm.XXXXXX");
	if (!mkdtemp(folder))
		return -1;
	snprintf(script, sizeof(script), "%s/command", folder);
	snprintf(output, sizeof(output), "%s/output", folder);
	FILE *file = fopen(script, "w");
	fprintf(file, "#!/bin/sh\necho \"$1|$2|$3\" >> %s\n", output);
	fclose(file);
	chmod(script, 0700);
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

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(
			an_alarm_stands_from_raise_to_clear, set_up, tear_down),
		cmocka_unit_test_setup_teardown(
			the_command_runs_for_begin_and_end_in_order, set_up, tear_down),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}

/* Files in a folder of their own, changed in every way; the loop is turned until that is told. */
#include "daemon/file_watch.h"

#include "base/clock.h"
#include "base/mem.h"

#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#define GUARD_MS 20000

static uv_loop_t loop;
static uv_timer_t tick;
static struct file_watch *watch;
static struct file_watch_settings settings;
static char folder[64];
static unsigned told;

static void on_tick(uv_timer_t *timer)
{
	(void)timer;
}

static void until_told(unsigned times)
{
	int64_t guard_ms = clock_monotonic_ms() + GUARD_MS;
	uv_timer_start(&tick, on_tick, 20, 20);
	while (told < times) {
		if (clock_monotonic_ms() > guard_ms)
			fail_msg("told %u times, not %u", told, times);
		uv_run(&loop, UV_RUN_ONCE);
	}
	uv_timer_stop(&tick);
	assert_int_equal(told, times);
}

static void on_changed(void *ctx)
{
	assert_ptr_equal(ctx, folder);
	told++;
}

static const char *at(const char *name)
{
	static char paths[8][128];
	static unsigned next;
	char *path = paths[next++ % 8];
	snprintf(path, sizeof(paths[0]), "%s/%s", folder, name);
	return path;
}

static void write_file(const char *name, const char *text)
{
	FILE *file = fopen(at(name), "w");
	assert_non_null(file);
	fputs(text, file);
	fclose(file);
}

static int begin(void **state)
{
	(void)state;
	told = 0;
	settings = (struct file_watch_settings){.settle_ms = 30, .look_ms = 20};
	strcpy(folder, "/tmp/mailpush-watch-XXXXXX");
	if (!mkdtemp(folder))
		return -1;
	uv_loop_init(&loop);
	uv_timer_init(&loop, &tick);
	return 0;
}

static int end(void **state)
{
	(void)state;
	char command[128];
	file_watch_free(mem_steal(watch));
	uv_close((uv_handle_t *)&tick, NULL);
	uv_run(&loop, UV_RUN_DEFAULT);
	snprintf(command, sizeof(command), "rm -rf '%s'", folder);
	return uv_loop_close(&loop) || system(command);
}

static void start(const char *first, const char *second)
{
	const char *paths[] = {at(first), second ? at(second) : NULL};
	watch = file_watch_new(&loop, &settings, paths, second ? 2 : 1, on_changed, folder);
}

static void a_file_that_is_written_in_place_is_reported(void **state)
{
	(void)state;
	write_file("a", "one");
	start("a", NULL);
	write_file("a", "other");
	until_told(1);
	write_file("a", "and again");
	until_told(2);
}

static void a_file_that_is_replaced_is_reported(void **state)
{
	(void)state;
	write_file("a", "one");
	start("a", NULL);
	write_file("b", "one");
	assert_int_equal(rename(at("b"), at("a")), 0);
	until_told(1);
}

static void a_file_that_comes_or_goes_is_reported(void **state)
{
	(void)state;
	start("a", NULL);
	write_file("a", "one");
	until_told(1);
	unlink(at("a"));
	until_told(2);
}

static void a_file_whose_mode_changes_is_reported(void **state)
{
	(void)state;
	write_file("a", "one");
	start("a", NULL);
	assert_int_equal(chmod(at("a"), 0400), 0);
	until_told(1);
}

static void changes_close_to_each_other_are_reported_once(void **state)
{
	(void)state;
	settings.settle_ms = 500;
	write_file("a", "one");
	write_file("b", "one");
	start("a", "b");
	write_file("a", "other");
	write_file("b", "other");
	until_told(1);
}

static void a_link_that_is_switched_is_reported(void **state)
{
	(void)state;
	assert_int_equal(mkdir(at("archive"), 0700), 0);
	assert_int_equal(mkdir(at("live"), 0700), 0);
	write_file("archive/1", "one");
	write_file("archive/2", "two");
	assert_int_equal(symlink("../archive/1", at("live/a")), 0);
	start("live/a", NULL);
	assert_int_equal(symlink("../archive/2", at("live/new")), 0);
	assert_int_equal(rename(at("live/new"), at("live/a")), 0);
	until_told(1);
	/* What it leads to is watched where it is now. */
	write_file("archive/2", "rewritten");
	until_told(2);
}

static void a_link_on_the_way_that_is_switched_is_reported(void **state)
{
	(void)state;
	assert_int_equal(mkdir(at("1"), 0700), 0);
	assert_int_equal(mkdir(at("2"), 0700), 0);
	write_file("1/a", "one");
	write_file("2/a", "two");
	assert_int_equal(symlink(at("1"), at("now")), 0);
	start("now/a", NULL);
	assert_int_equal(symlink("2", at("new")), 0);
	assert_int_equal(rename(at("new"), at("now")), 0);
	until_told(1);
}

static void a_folder_that_is_replaced_is_watched_on(void **state)
{
	(void)state;
	assert_int_equal(mkdir(at("f"), 0700), 0);
	write_file("f/a", "one");
	start("f/a", NULL);
	assert_int_equal(rename(at("f"), at("older")), 0);
	assert_int_equal(mkdir(at("f"), 0700), 0);
	write_file("f/a", "three");
	until_told(1);
}

static void links_that_lead_in_a_circle_do_no_harm(void **state)
{
	(void)state;
	assert_int_equal(symlink("b", at("a")), 0);
	assert_int_equal(symlink("a", at("b")), 0);
	start("a", NULL);
	unlink(at("a"));
	write_file("a", "at last");
	until_told(1);
}

static void other_files_of_the_folder_are_of_no_interest(void **state)
{
	(void)state;
	write_file("a", "one");
	start("a", NULL);
	write_file("b", "noise");
	write_file("a", "other");
	until_told(1);
	write_file("b", "noise again");
	write_file("a", "another");
	until_told(2);
}

static void a_path_that_is_added_is_reported_once_and_watched(void **state)
{
	(void)state;
	write_file("a", "one");
	write_file("b", "one");
	start("a", NULL);
	const char *paths[] = {at("a"), at("b")};
	file_watch_set_paths(watch, paths, 2);
	until_told(1);
	write_file("b", "two");
	until_told(2);
}

static void it_may_end_in_the_middle_of_a_look(void **state)
{
	(void)state;
	settings.look_ms = 0;
	write_file("a", "one");
	start("a", NULL);
	uv_run(&loop, UV_RUN_NOWAIT);
}

#define T(name) cmocka_unit_test_setup_teardown(name, begin, end)

int main(void)
{
	const struct CMUnitTest tests[] = {
		T(a_file_that_is_written_in_place_is_reported),
		T(a_file_that_is_replaced_is_reported),
		T(a_file_that_comes_or_goes_is_reported),
		T(a_file_whose_mode_changes_is_reported),
		T(changes_close_to_each_other_are_reported_once),
		T(a_link_that_is_switched_is_reported),
		T(a_link_on_the_way_that_is_switched_is_reported),
		T(a_folder_that_is_replaced_is_watched_on),
		T(links_that_lead_in_a_circle_do_no_harm),
		T(other_files_of_the_folder_are_of_no_interest),
		T(a_path_that_is_added_is_reported_once_and_watched),
		T(it_may_end_in_the_middle_of_a_look),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}

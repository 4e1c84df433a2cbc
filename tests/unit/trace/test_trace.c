#include "trace/trace.h"

#include "base/clock.h"
#include "base/mem.h"
#include "trace/trace_ring.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#define SIZE (16 * TRACE_RING_SLOT)

static char folder[] = "/tmp/mp-trace-XXXXXX";
static char *path;
static uv_loop_t loop;
static struct trace *trace;
static struct err err;

static void start_trace(int64_t keep_ms)
{
	const struct trace_settings settings = {.path = path, .size = SIZE, .keep_ms = keep_ms};
	assert_int_equal(trace_new(&loop, &settings, &trace, &err), 0);
}

static void stop_trace(void)
{
	assert_true(trace_free(mem_steal(trace)));
	uv_run(&loop, UV_RUN_DEFAULT);
}

static int set_up(void **state)
{
	(void)state;
	strcpy(folder, "/tmp/mp-trace-XXXXXX");
	assert_non_null(mkdtemp(folder));
	path = mem_printf("%s/trace", folder);
	assert_int_equal(uv_loop_init(&loop), 0);
	start_trace(CLOCK_DAY_MS);
	return 0;
}

static int tear_down(void **state)
{
	(void)state;
	if (trace)
		stop_trace();
	assert_int_equal(uv_loop_close(&loop), 0);
	unlink(path);
	rmdir(folder);
	free(path);
	return 0;
}

static void put(const char *user, uint8_t key, const char *text)
{
	const struct trace_entry entry = {
		.kind = TRACE_ANSWER, .user = user, .key = {{key}}, .text = text, .status = 200};
	trace_put(trace, &entry, TRACE_MAJOR);
}

static bool is_answered;

static void on_answer(struct trace_question *question)
{
	(void)question;
	is_answered = true;
}

static void wait_answer(void)
{
	while (!is_answered)
		uv_run(&loop, UV_RUN_ONCE);
	is_answered = false;
}

static int64_t after;

/* The texts of what is found, in order; of a gap its count. */
static const char *found(const char *user, const struct registry_key *keys, size_t key_count)
{
	static char texts[65536];
	struct trace_question question = {.user = user,
		.keys = keys,
		.key_count = key_count,
		.after = after,
		.done = on_answer};
	struct trace_entry entry;
	trace_ask(trace, &question);
	wait_answer();
	assert_int_equal(question.status, 0);
	*texts = '\0';
	for (size_t at = 0; at < question.found.used;) {
		size_t n = trace_entry_read(
			question.found.data + at, question.found.used - at, &entry);
		assert_true(n > 0);
		at += n;
		size_t used = strlen(texts);
		if (entry.kind == TRACE_GAP)
			snprintf(texts + used, sizeof(texts) - used, "(%u)", entry.count);
		else
			snprintf(texts + used, sizeof(texts) - used, "%s", entry.text);
	}
	after = question.end;
	trace_question_fini(&question);
	return texts;
}

static const char *all_of(const char *user)
{
	after = 0;
	return found(user, NULL, 0);
}

static void a_user_finds_what_happened_with_him_alone(void **state)
{
	(void)state;
	put("alice", 1, "a");
	put("bob", 2, "b");
	put("alice", 1, "c");
	assert_string_equal(all_of("alice"), "ac");
	assert_string_equal(all_of("bob"), "b");
	assert_string_equal(all_of("ali"), "");
}

static void what_is_of_his_registrations_without_a_name_is_found_too(void **state)
{
	(void)state;
	static const struct registry_key keys[] = {{{7}}};
	put("", 7, "x");
	put("alice", 1, "a");
	put(NULL, 1, "b");
	put(NULL, 2, "c");
	assert_string_equal(all_of("alice"), "ab");
	after = 0;
	assert_string_equal(found("alice", keys, 1), "xab");
}

static void who_follows_gets_what_came_since(void **state)
{
	(void)state;
	put("alice", 1, "a");
	assert_string_equal(all_of("alice"), "a");
	assert_string_equal(found("alice", NULL, 0), "");
	put("alice", 1, "b");
	assert_string_equal(found("alice", NULL, 0), "b");
}

static void it_is_there_after_a_restart(void **state)
{
	(void)state;
	put("alice", 1, "a");
	stop_trace();
	start_trace(CLOCK_DAY_MS);
	put("alice", 1, "b");
	assert_string_equal(all_of("alice"), "ab");
}

static void what_is_older_than_is_kept_is_not_found(void **state)
{
	(void)state;
	put("alice", 1, "a");
	stop_trace();
	start_trace(0);
	int64_t began_ms = clock_unix_ms();
	while (clock_unix_ms() == began_ms)
		;
	assert_string_equal(all_of("alice"), "");
}

static void a_user_who_is_forgotten_leaves_nothing(void **state)
{
	(void)state;
	static const struct registry_key keys[] = {{{7}}};
	struct trace_question question = {
		.user = "alice", .keys = keys, .key_count = 1, .done = on_answer};
	put("alice", 1, "a");
	put("bob", 2, "b");
	put(NULL, 7, "c");
	trace_forget(trace, &question);
	wait_answer();
	assert_int_equal(question.status, 0);
	assert_int_equal(question.erased, 2);
	trace_question_fini(&question);
	assert_string_equal(all_of("alice"), "");
	assert_string_equal(all_of("bob"), "b");
	assert_false(trace_knows(trace, "alice"));
	after = 0;
	assert_string_equal(found("alice", keys, 1), "");
}

/* Takes the file away until two entries are dropped. */
static void lose_two(void)
{
	struct trace_ring *other;
	stop_trace();
	assert_int_equal(trace_ring_open(path, SIZE, &other, &err), 0);
	start_trace(CLOCK_DAY_MS);
	put("alice", 1, "b");
	put("alice", 1, "c");
	struct trace_counts counts = {0};
	while (!counts.dropped) {
		uv_run(&loop, UV_RUN_ONCE);
		trace_count(trace, &counts);
	}
	assert_int_equal(counts.dropped, 2);
	assert_int_equal(counts.entries, 0);
	trace_ring_close(other);
}

static void how_many_were_dropped_is_there_after_a_restart(void **state)
{
	(void)state;
	put("alice", 1, "a");
	lose_two();
	stop_trace();
	start_trace(CLOCK_DAY_MS);
	put("alice", 1, "d");
	assert_string_equal(all_of("alice"), "a(2)d");
}

static void a_file_that_cannot_be_had_costs_entries_and_the_next_one_says_so(void **state)
{
	(void)state;
	struct trace_ring *other;
	put("alice", 1, "a");
	stop_trace();
	assert_int_equal(trace_ring_open(path, SIZE, &other, &err), 0);
	start_trace(CLOCK_DAY_MS);
	put("alice", 1, "b");
	put("alice", 1, "c");
	struct trace_counts counts = {0};
	while (!counts.dropped) {
		uv_run(&loop, UV_RUN_ONCE);
		trace_count(trace, &counts);
	}
	assert_int_equal(counts.dropped, 2);
	assert_int_equal(counts.entries, 0);
	assert_non_null(strstr(trace_trouble(trace), "another process has trace"));
	struct trace_question question = {.user = "alice", .done = on_answer};
	trace_ask(trace, &question);
	wait_answer();
	assert_int_equal(question.status, -EBUSY);
	trace_question_fini(&question);

	trace_ring_close(other);
	put("alice", 1, "d");
	assert_string_equal(all_of("alice"), "a(2)d");
	assert_null(trace_trouble(trace));
}

static void more_than_waits_in_memory_is_dropped_and_counted(void **state)
{
	(void)state;
	char text[TRACE_ENTRY_TEXT_MAX + 1];
	char user[600];
	memset(text, 'x', sizeof(text) - 1);
	text[sizeof(text) - 1] = '\0';
	/* The loop does not run meanwhile, so nothing is handed over to the thread. */
	struct trace_counts counts = {0};
	for (int i = 0; !counts.dropped; i++) {
		snprintf(user, sizeof(user), "%0500d", i);
		put(user, 1, text);
		trace_count(trace, &counts);
	}
	assert_int_in_range(counts.entries, TRACE_BLOCKS_MAX * 15, TRACE_BLOCKS_MAX * 32);
}

static void a_trace_that_is_off_takes_all_and_knows_nobody(void **state)
{
	(void)state;
	const struct trace_entry entry = {.kind = TRACE_NUDGED, .user = "alice"};
	struct trace_counts counts;
	trace_put(NULL, &entry, TRACE_MAJOR);
	assert_false(trace_knows(NULL, "alice"));
	trace_count(NULL, &counts);
	assert_int_equal(counts.entries, 0);
	assert_true(trace_free(NULL));
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
	const struct CMUnitTest tests[] = {
		TEST(a_user_finds_what_happened_with_him_alone),
		TEST(what_is_of_his_registrations_without_a_name_is_found_too),
		TEST(who_follows_gets_what_came_since),
		TEST(it_is_there_after_a_restart),
		TEST(what_is_older_than_is_kept_is_not_found),
		TEST(a_user_who_is_forgotten_leaves_nothing),
		TEST(a_file_that_cannot_be_had_costs_entries_and_the_next_one_says_so),
		TEST(how_many_were_dropped_is_there_after_a_restart),
		TEST(more_than_waits_in_memory_is_dropped_and_counted),
		TEST(a_trace_that_is_off_takes_all_and_knows_nobody),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}

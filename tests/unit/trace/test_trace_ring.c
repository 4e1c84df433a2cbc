#include "trace/trace_ring.h"

#include "base/mem.h"

#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#define SLOTS 4

static char folder[] = "/tmp/mp-ring-XXXXXX";
static char *path;
static char *aside;
static struct trace_ring *ring;
static struct err err;

static void reopen(size_t slots)
{
	trace_ring_close(mem_steal(ring));
	assert_int_equal(trace_ring_open(path, slots * TRACE_RING_SLOT, &ring, &err), 0);
}

static int set_up(void **state)
{
	(void)state;
	strcpy(folder, "/tmp/mp-ring-XXXXXX");
	assert_non_null(mkdtemp(folder));
	path = mem_printf("%s/trace", folder);
	aside = mem_printf("%s.damaged", path);
	reopen(SLOTS);
	return 0;
}

static int tear_down(void **state)
{
	(void)state;
	trace_ring_close(mem_steal(ring));
	unlink(path);
	unlink(aside);
	rmdir(folder);
	free(path);
	free(aside);
	return 0;
}

/* A run of `letter`. */
static void append(char letter, size_t size, int64_t at_ms)
{
	uint8_t bytes[TRACE_RING_ROOM];
	memset(bytes, letter, size);
	assert_int_equal(trace_ring_append(ring, bytes, size, at_ms, at_ms, &err), 0);
}

static void append_slot(char letter, int64_t at_ms)
{
	append(letter, TRACE_RING_ROOM, at_ms);
}

struct seen {
	char letters[64]; /* the first of each piece of a new letter */
	size_t bytes;
	char erased; /* 0: none */
};

static size_t on_visit(void *ctx, uint8_t *bytes, size_t size, size_t from)
{
	struct seen *seen = ctx;
	size_t stays = 0;
	for (size_t i = from; i < size; i++)
		if (i == from || bytes[i] != bytes[i - 1])
			strncat(seen->letters, (char *)&bytes[i], 1);
	seen->bytes += size - from;
	if (!seen->erased)
		return size;
	for (size_t i = 0; i < size; i++)
		if (bytes[i] != (uint8_t)seen->erased)
			bytes[stays++] = bytes[i];
	return stays;
}

static int64_t position;
static uint64_t damaged;

static const char *letters(int64_t since_ms, int64_t after)
{
	static struct seen seen;
	seen = (struct seen){.bytes = 0};
	assert_int_equal(
		trace_ring_visit(ring, since_ms, after, on_visit, &seen, &position, &damaged, &err),
		0);
	return seen.letters;
}

static void what_is_added_is_found_in_order_and_after_a_restart(void **state)
{
	(void)state;
	append('a', 100, 1);
	append('b', 200, 2);
	assert_string_equal(letters(0, 0), "ab");
	reopen(SLOTS);
	append('c', 5, 3);
	assert_string_equal(letters(0, 0), "abc");
	assert_int_equal(trace_ring_bytes(ring), 305);
	assert_int_equal(damaged, 0);
}

static void the_oldest_slot_goes_first_and_the_file_does_not_grow(void **state)
{
	(void)state;
	for (char letter = 'a'; letter <= 'j'; letter++)
		append_slot(letter, letter);
	assert_string_equal(letters(0, 0), "ghij");
	reopen(SLOTS);
	append('k', 1, 'k');
	assert_string_equal(letters(0, 0), "hijk");
	struct stat status;
	assert_int_equal(stat(path, &status), 0);
	assert_int_equal(status.st_size, SLOTS * TRACE_RING_SLOT);
}

static void slots_that_end_before_are_passed_over(void **state)
{
	(void)state;
	append_slot('a', 10);
	append_slot('b', 20);
	append_slot('c', 30);
	assert_string_equal(letters(20, 0), "bc");
}

static void only_what_came_after_a_position_is_visited(void **state)
{
	(void)state;
	append('a', 10, 1);
	letters(0, 0);
	int64_t first = position;
	assert_string_equal(letters(0, first), "");
	append('b', 10, 2);
	append_slot('c', 3);
	assert_string_equal(letters(0, first), "bc");
	assert_string_equal(letters(0, position), "");
}

static void what_is_too_old_is_erased_from_the_disk(void **state)
{
	(void)state;
	append_slot('a', 10);
	append_slot('b', 20);
	assert_int_equal(trace_ring_expire(ring, 15, &err), 0);
	assert_string_equal(letters(0, 0), "b");
	assert_int_equal(trace_ring_expire(ring, 25, &err), 0);
	assert_string_equal(letters(0, 0), "");
	append('c', 1, 30);
	assert_string_equal(letters(0, 0), "c");
	reopen(SLOTS);
	assert_string_equal(letters(0, 0), "c");
}

static size_t count_in_file(char letter)
{
	mem_auto char *bytes = mem_alloc_zero(SLOTS, TRACE_RING_SLOT);
	FILE *file = fopen(path, "rb");
	assert_non_null(file);
	size_t size = fread(bytes, 1, SLOTS * TRACE_RING_SLOT, file);
	fclose(file);
	size_t count = 0;
	for (size_t at = 0; at < size; at += TRACE_RING_SLOT)
		for (size_t i = 64; i < TRACE_RING_SLOT && at + i < size; i++)
			count += bytes[at + i] == letter;
	return count;
}

static void nothing_erased_stays_on_disk(void **state)
{
	(void)state;
	struct seen seen = {.erased = 'x'};
	append('x', 500, 1);
	append('a', 100, 1);
	append_slot('b', 2);
	append('x', 300, 3);
	assert_int_equal(count_in_file('x'), 800);
	assert_int_equal(
		trace_ring_visit(ring, 0, 0, on_visit, &seen, &position, &damaged, &err), 0);
	assert_string_equal(letters(0, 0), "ab");
	assert_int_equal(count_in_file('x'), 0);
	reopen(SLOTS);
	append('c', 1, 4);
	assert_string_equal(letters(0, 0), "abc");
}

static void an_overwritten_slot_leaves_nothing_on_disk(void **state)
{
	(void)state;
	append_slot('x', 1);
	for (char letter = 'a'; letter < 'a' + SLOTS - 1; letter++)
		append_slot(letter, 2);
	append('z', 10, 3);
	assert_int_equal(count_in_file('x'), 0);
}

static void spoil(off_t at, const char *bytes)
{
	int fd = open(path, O_WRONLY);
	assert_true(fd >= 0);
	assert_int_equal(pwrite(fd, bytes, strlen(bytes), at), (ssize_t)strlen(bytes));
	close(fd);
}

static void a_damaged_slot_costs_itself(void **state)
{
	(void)state;
	append_slot('a', 1);
	append_slot('b', 2);
	append_slot('c', 3);
	spoil(TRACE_RING_SLOT + 1000, "?");
	assert_string_equal(letters(0, 0), "ac");
	assert_int_equal(damaged, 1);
	reopen(SLOTS);
	assert_string_equal(letters(0, 0), "ac");
	assert_int_equal(damaged, 1);
	append_slot('d', 4);
	append_slot('e', 5);
	append_slot('f', 6);
	assert_string_equal(letters(0, 0), "cdef");
	assert_int_equal(damaged, 0);
	assert_int_not_equal(access(aside, F_OK), 0);
}

static void a_file_without_a_sound_slot_is_set_aside(void **state)
{
	(void)state;
	append('a', 100, 1);
	trace_ring_close(mem_steal(ring));
	spoil(0, "SQLite format 3");
	reopen(SLOTS);
	assert_int_equal(access(aside, F_OK), 0);
	assert_string_equal(letters(0, 0), "");
	append('b', 100, 1);
	reopen(SLOTS);
	assert_string_equal(letters(0, 0), "b");
}

static void a_larger_size_keeps_all_and_a_smaller_one_the_beginning(void **state)
{
	(void)state;
	for (char letter = 'a'; letter <= 'd'; letter++)
		append_slot(letter, 1);
	reopen(SLOTS + 2);
	append_slot('e', 1);
	assert_string_equal(letters(0, 0), "abcde");
	reopen(2);
	assert_string_equal(letters(0, 0), "ab");
	append_slot('f', 1);
	assert_string_equal(letters(0, 0), "bf");
}

static void two_do_not_have_it_at_once(void **state)
{
	(void)state;
	struct trace_ring *other;
	assert_int_equal(trace_ring_open(path, SLOTS * TRACE_RING_SLOT, &other, &err), -EBUSY);
	assert_non_null(strstr(err.text, path));
}

static void a_file_that_is_removed_or_replaced_is_noticed(void **state)
{
	(void)state;
	assert_int_equal(trace_ring_check(ring, &err), 0);
	assert_int_equal(rename(path, aside), 0);
	assert_int_equal(trace_ring_check(ring, &err), -ESTALE);
	close(open(path, O_CREAT | O_WRONLY, 0600));
	assert_int_equal(trace_ring_check(ring, &err), -ESTALE);
}

static void what_is_no_file_is_refused(void **state)
{
	(void)state;
	trace_ring_close(mem_steal(ring));
	assert_int_equal(unlink(path), 0);
	assert_int_equal(symlink("elsewhere", path), 0);
	assert_true(trace_ring_open(path, TRACE_RING_SLOT, &ring, &err) < 0);
	assert_int_equal(unlink(path), 0);
	assert_int_equal(mkdir(path, 0700), 0);
	assert_true(trace_ring_open(path, TRACE_RING_SLOT, &ring, &err) < 0);
	assert_int_equal(rmdir(path), 0);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
	const struct CMUnitTest tests[] = {
		TEST(what_is_added_is_found_in_order_and_after_a_restart),
		TEST(the_oldest_slot_goes_first_and_the_file_does_not_grow),
		TEST(slots_that_end_before_are_passed_over),
		TEST(only_what_came_after_a_position_is_visited),
		TEST(what_is_too_old_is_erased_from_the_disk),
		TEST(nothing_erased_stays_on_disk),
		TEST(an_overwritten_slot_leaves_nothing_on_disk),
		TEST(a_damaged_slot_costs_itself),
		TEST(a_file_without_a_sound_slot_is_set_aside),
		TEST(a_larger_size_keeps_all_and_a_smaller_one_the_beginning),
		TEST(two_do_not_have_it_at_once),
		TEST(a_file_that_is_removed_or_replaced_is_noticed),
		TEST(what_is_no_file_is_refused),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}

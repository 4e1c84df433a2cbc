#include "trace/trace_entry.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

static struct trace_entry answer(void)
{
	return (struct trace_entry){.kind = TRACE_ANSWER,
		.at_ms = 1234567890123,
		.user = "alice",
		.key = {{1, 2, 3}},
		.what = TRACE_FORGET,
		.other_ms = 1234567890000,
		.text = "Unregistered",
		.ending = APNS_ANSWERED,
		.status = 410,
		.apns_id = {9, 8, 7},
		.count = 3,
		.left_out = 4,
		.hashes = {11, 22, 33},
		.hash_count = 3};
}

static struct trace_entry event(const char *folder)
{
	return (struct trace_entry){.kind = TRACE_EVENT,
		.at_ms = 5,
		.event = EVENT_MESSAGE_NEW,
		.what = TRACE_MERGED,
		.user = "alice",
		.owner = "bob",
		.folder = folder};
}

static void what_is_written_is_read(void **state)
{
	(void)state;
	uint8_t bytes[TRACE_ENTRY_SIZE_MAX];
	const struct trace_entry wrote = answer();
	struct trace_entry read;
	size_t size = trace_entry_write(&wrote, bytes);
	assert_int_equal(trace_entry_read(bytes, size, &read), size);
	assert_int_equal(read.kind, TRACE_ANSWER);
	assert_int_equal(read.at_ms, wrote.at_ms);
	assert_string_equal(read.user, "alice");
	assert_memory_equal(&read.key, &wrote.key, sizeof(read.key));
	assert_true(trace_entry_has_key(&read));
	assert_int_equal(read.what, TRACE_FORGET);
	assert_int_equal(read.other_ms, wrote.other_ms);
	assert_string_equal(read.text, "Unregistered");
	assert_string_equal(read.owner, "");
	assert_string_equal(read.folder, "");
	assert_int_equal(read.status, 410);
	assert_memory_equal(read.apns_id, wrote.apns_id, sizeof(read.apns_id));
	assert_int_equal(read.count, 3);
	assert_int_equal(read.left_out, 4);
	assert_int_equal(read.hash_count, 3);
	assert_int_equal(read.hashes[2], 33);
}

static void one_without_a_registration_has_no_key(void **state)
{
	(void)state;
	uint8_t bytes[TRACE_ENTRY_SIZE_MAX];
	const struct trace_entry wrote = event("Notes");
	struct trace_entry read;
	assert_int_not_equal(trace_entry_read(bytes, trace_entry_write(&wrote, bytes), &read), 0);
	assert_false(trace_entry_has_key(&read));
	assert_string_equal(read.owner, "bob");
	assert_string_equal(read.folder, "Notes");
	assert_int_equal(read.event, EVENT_MESSAGE_NEW);
}

static void a_long_text_is_cut_between_characters(void **state)
{
	(void)state;
	uint8_t bytes[TRACE_ENTRY_SIZE_MAX];
	char folder[2 * TRACE_ENTRY_FOLDER_MAX + 2] = "x";
	for (int i = 0; i < TRACE_ENTRY_FOLDER_MAX; i++)
		strcat(folder, "ä");
	struct trace_entry wrote = event(folder);
	wrote.hash_count = 1000; /* more than there is room for */
	struct trace_entry read;
	size_t size = trace_entry_write(&wrote, bytes);
	assert_int_equal(trace_entry_read(bytes, size, &read), size);
	assert_int_equal(strlen(read.folder), TRACE_ENTRY_FOLDER_MAX - 1);
	assert_memory_equal(read.folder, folder, TRACE_ENTRY_FOLDER_MAX - 1);
	assert_int_equal(read.hash_count, TRACE_ENTRY_HASHES_MAX);
}

static void the_longest_of_all_fits(void **state)
{
	(void)state;
	uint8_t bytes[TRACE_ENTRY_SIZE_MAX];
	char text[4096];
	memset(text, 'x', sizeof(text) - 1);
	text[sizeof(text) - 1] = '\0';
	struct trace_entry wrote = answer();
	wrote.user = wrote.owner = wrote.folder = wrote.text = text;
	wrote.hash_count = TRACE_ENTRY_HASHES_MAX;
	struct trace_entry read;
	size_t size = trace_entry_write(&wrote, bytes);
	assert_true(size <= TRACE_ENTRY_SIZE_MAX);
	assert_int_equal(trace_entry_read(bytes, size, &read), size);
	assert_int_equal(strlen(read.text), TRACE_ENTRY_TEXT_MAX);
}

static void what_is_cut_off_is_no_entry(void **state)
{
	(void)state;
	uint8_t bytes[TRACE_ENTRY_SIZE_MAX];
	const struct trace_entry wrote = answer();
	struct trace_entry read;
	size_t size = trace_entry_write(&wrote, bytes);
	for (size_t n = 0; n < size; n++)
		assert_int_equal(trace_entry_read(bytes, n, &read), 0);
}

static void a_number_that_cannot_be_is_no_entry(void **state)
{
	(void)state;
	uint8_t bytes[TRACE_ENTRY_SIZE_MAX];
	const struct trace_entry wrote = event("");
	struct trace_entry read;
	size_t size = trace_entry_write(&wrote, bytes);
	for (size_t at = 4; at <= 9; at++) { /* kind, event, what, ending, hashes, has */
		uint8_t was = bytes[at];
		bytes[at] = 255;
		assert_int_equal(trace_entry_read(bytes, size, &read), 0);
		bytes[at] = was;
	}
	assert_int_equal(trace_entry_read(bytes, size, &read), size);
}

static void a_hash_is_known_by_its_beginning(void **state)
{
	(void)state;
	assert_int_equal(
		trace_entry_hash("0123456789abcdef0000000000000000"), UINT64_C(0x0123456789abcdef));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(what_is_written_is_read),
		cmocka_unit_test(one_without_a_registration_has_no_key),
		cmocka_unit_test(a_long_text_is_cut_between_characters),
		cmocka_unit_test(the_longest_of_all_fits),
		cmocka_unit_test(what_is_cut_off_is_no_entry),
		cmocka_unit_test(a_number_that_cannot_be_is_no_entry),
		cmocka_unit_test(a_hash_is_known_by_its_beginning),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}

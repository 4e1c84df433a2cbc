#include "arrival/origin.h"

#include "base/buf.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <string.h>

static const char json[] = "{\"a\":\"dovecot\\t\\n\"}";

static void write_and_read(const struct origin *origin)
{
	buf_auto struct buf raw;
	buf_init(&raw);
	assert_true(origin_write(origin, json, strlen(json), &raw));
	char memory[ORIGIN_LINE_MAX];
	struct origin read;
	const char *read_json;
	size_t size;
	origin_read((const char *)raw.data, raw.used, memory, &read, &read_json, &size);
	assert_int_equal(read.source, origin->source);
	assert_int_equal(size, strlen(json));
	assert_memory_equal(read_json, json, size);
	if (origin->source == EVENT_OF_CYRUS)
		return;
	if (origin->dovecot.speaker)
		assert_string_equal(read.dovecot.speaker, origin->dovecot.speaker);
	else
		assert_null(read.dovecot.speaker);
	assert_string_equal(read.dovecot.topic, origin->dovecot.topic ? origin->dovecot.topic : "");
}

static void what_is_written_is_read_again(void **state)
{
	(void)state;
	static const struct origin origins[] = {
		{.source = EVENT_OF_CYRUS},
		{.source = EVENT_OF_DOVECOT, .dovecot = {"alice", "com.apple.mail"}},
		{.source = EVENT_OF_DOVECOT, .dovecot = {NULL, "com.apple.mail"}},
		{.source = EVENT_OF_DOVECOT, .dovecot = {"alice", ""}},
		{.source = EVENT_OF_DOVECOT, .dovecot = {NULL, NULL}},
	};
	for (size_t i = 0; i < sizeof(origins) / sizeof(origins[0]); i++)
		write_and_read(&origins[i]);
}

static void what_has_no_line_of_mailpush_is_cyrus(void **state)
{
	(void)state;
	static const char *const texts[] = {"", "{}", "dovecot", "dovecot\t", "dovecot\talice\t",
		"dovecot\talice\n{}", "{\"x\":\"dovecot\ta\tb\n\"}"};
	for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++) {
		char memory[ORIGIN_LINE_MAX];
		struct origin read;
		const char *read_json;
		size_t size;
		origin_read(texts[i], strlen(texts[i]), memory, &read, &read_json, &size);
		assert_int_equal(read.source, EVENT_OF_CYRUS);
		assert_ptr_equal(read_json, texts[i]);
		assert_int_equal(size, strlen(texts[i]));
	}
}

static void a_line_that_would_not_be_read_is_not_written(void **state)
{
	(void)state;
	char name[ORIGIN_LINE_MAX + 1];
	buf_auto struct buf raw;
	buf_init(&raw);
	/* With "dovecot", two tabs and the end of the line. */
	memset(name, 'n', sizeof(name));
	name[ORIGIN_LINE_MAX - 10] = '\0';
	struct origin origin = {.source = EVENT_OF_DOVECOT, .dovecot = {.speaker = name}};
	write_and_read(&origin);
	name[ORIGIN_LINE_MAX - 10] = 'n';
	name[ORIGIN_LINE_MAX - 9] = '\0';
	assert_false(origin_write(&origin, json, strlen(json), &raw));
	assert_int_equal(raw.used, 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(what_is_written_is_read_again),
		cmocka_unit_test(what_has_no_line_of_mailpush_is_cyrus),
		cmocka_unit_test(a_line_that_would_not_be_read_is_not_written),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}

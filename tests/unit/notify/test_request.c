#include "notify/request.h"

#include "intake/dlist.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#define RECEIVED INT64_C(1795334965234)
#define COUNT(words) ((int)(sizeof(words) / sizeof((words)[0])))

static void assert_field(const struct notification_field *field, const char *wanted)
{
	assert_non_null(field->bytes);
	assert_int_equal(field->size, strlen(wanted));
	assert_memory_equal(field->bytes, wanted, field->size);
}

static void assert_refused(int count, char *const *words, const char *why)
{
	struct request_fields fields = {.class = "untouched"};
	struct err err;
	assert_int_equal(request_read_arguments(count, words, &fields, &err), -EINVAL);
	assert_non_null(strstr(err.text, why));
	assert_string_equal(fields.class, "untouched");
}

static void the_arguments_of_notifyd_are_read(void **state)
{
	(void)state;
	char *words[] = {"-c", "EVENT", "-p", "", "-u", "", "-m", "", "-f"};
	struct request_fields fields;
	struct err err;
	assert_int_equal(request_read_arguments(COUNT(words), words, &fields, &err), 0);
	assert_string_equal(fields.class, "EVENT");
	assert_string_equal(fields.priority, "");
	assert_string_equal(fields.user, "");
	assert_string_equal(fields.mailbox, "");
	assert_null(fields.filepath);
}

static void a_value_may_look_like_an_option(void **state)
{
	(void)state;
	char *words[] = {"-f", "-c", "-m", "-m", "-u", "--", "-p", "-", "-c", "-f"};
	struct request_fields fields;
	struct err err;
	assert_int_equal(request_read_arguments(COUNT(words), words, &fields, &err), 0);
	assert_string_equal(fields.filepath, "-c");
	assert_string_equal(fields.mailbox, "-m");
	assert_string_equal(fields.user, "--");
	assert_string_equal(fields.priority, "-");
	assert_string_equal(fields.class, "-f");
}

static void what_is_missing_or_unknown_is_named(void **state)
{
	(void)state;
	char *no_class[] = {"-u", "alice", "-f"};
	char *no_value[] = {"-c", "EVENT", "-u"};
	char *unknown[] = {"-c", "EVENT", "-o", "x"};
	char *glued[] = {"-cEVENT"};
	char *none[] = {"", "x"};
	assert_refused(0, no_class, "-c is missing");
	assert_refused(COUNT(no_class), no_class, "-c is missing");
	assert_refused(COUNT(no_value), no_value, "-u has no value");
	assert_refused(COUNT(unknown), unknown, "'-o'");
	assert_refused(COUNT(glued), glued, "'-cEVENT'");
	assert_refused(COUNT(none), none, "''");
}

static void the_daemon_reads_what_was_written(void **state)
{
	(void)state;
	static const struct request_fields cases[] = {
		{"EVENT", "", "", "", NULL},
		{"SIEVE", "1", "user@example.com", "INBOX", "/a/file"},
		{"a b", "\"", "\\", ")\r\n", ""},
		{"NIL", "{5+}\r\n", "%(", "\xff\xfe\x01", "NIL"},
	};
	static const char message[] = "{\"a\":\"\r\n)\0b\"}";
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		buf_auto struct buf buf;
		buf_init(&buf);
		struct err err;
		assert_int_equal(
			request_write(&cases[i], message, sizeof(message), RECEIVED, &buf, &err),
			0);
		struct notification n;
		struct dlist_scan scan = {0};
		size_t size;
		assert_int_equal(
			dlist_parse(&scan, (char *)buf.data, buf.used, &n, &size, &err), 1);
		assert_int_equal(size, buf.used);
		assert_field(&n.method, "external");
		assert_field(&n.class, cases[i].class);
		assert_field(&n.priority, cases[i].priority);
		assert_field(&n.user, cases[i].user);
		assert_field(&n.mailbox, cases[i].mailbox);
		if (cases[i].filepath)
			assert_field(&n.filepath, cases[i].filepath);
		else
			assert_null(n.filepath.bytes);
		assert_int_equal(n.option_count, 0);
		assert_int_equal(n.received_ms, RECEIVED);
		assert_int_equal(n.message.size, sizeof(message));
		assert_memory_equal(n.message.bytes, message, sizeof(message));
	}
}

static int write_of_size(size_t message_size, size_t *ret_request_size)
{
	static const struct request_fields fields = {"EVENT", "", "", "", NULL};
	static char message[DLIST_REQUEST_MAX + 1];
	buf_auto struct buf buf;
	buf_init(&buf);
	struct err err;
	int r = request_write(&fields, message, message_size, RECEIVED, &buf, &err);
	*ret_request_size = buf.used;
	return r;
}

static void what_the_daemon_takes_can_be_written_and_not_a_byte_more(void **state)
{
	(void)state;
	size_t size;
	assert_int_equal(write_of_size(DLIST_REQUEST_MAX, &size), -EMSGSIZE);
	size_t most = 2 * (size_t)DLIST_REQUEST_MAX - size + 1; /* one digit less */
	while (write_of_size(most, &size) == -EMSGSIZE)
		most--;
	assert_int_equal(size, DLIST_REQUEST_MAX);
	assert_int_equal(write_of_size(most + 1, &size), -EMSGSIZE);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(the_arguments_of_notifyd_are_read),
		cmocka_unit_test(a_value_may_look_like_an_option),
		cmocka_unit_test(what_is_missing_or_unknown_is_named),
		cmocka_unit_test(the_daemon_reads_what_was_written),
		cmocka_unit_test(what_the_daemon_takes_can_be_written_and_not_a_byte_more),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}

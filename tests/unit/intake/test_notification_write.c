#include "intake/notification_write.h"

#include "base/mem.h"
#include "intake/datagram.h"
#include "intake/dlist.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

/* A literal's bytes with their final NUL, which ends the last field. */
#define DATAGRAM(text) text, sizeof(text)

static void assert_is_written(const char *datagram, size_t size, const char *wanted_request)
{
	struct notification n;
	struct err err = {0};
	if (datagram_parse(datagram, size, &n, &err))
		fail_msg("%s", err.text);
	buf_auto struct buf request = {0};
	notification_write_to_dlist(&n, &request);
	assert_string_equal(buf_text(&request), wanted_request);
}

/* Returns notification_write_to_datagram's result; 0 means: and it was `wanted`. */
static int write_datagram(const char *request, size_t size, const char *wanted, size_t wanted_size)
{
	struct dlist_scan scan = {0};
	struct notification n;
	size_t request_size;
	struct err err = {0};
	if (dlist_parse(&scan, request, size, &n, &request_size, &err) != 1)
		fail_msg("%s", err.text);
	buf_auto struct buf datagram = {0};
	buf_append_text(&datagram, "before");
	int result = notification_write_to_datagram(&n, &datagram, &err);
	dlist_scan_fini(&scan);
	if (result) {
		assert_int_equal(datagram.used, strlen("before"));
		assert_int_not_equal(*err.text, '\0');
		return result;
	}
	assert_int_equal(datagram.used, strlen("before") + wanted_size);
	assert_memory_equal(datagram.data + strlen("before"), wanted, wanted_size);
	return 0;
}

static void an_event_becomes_the_request_that_cyrus_sends(void **state)
{
	(void)state;
	assert_is_written(DATAGRAM("external\0EVENT\0\0\0\0000\0{\"event\":\"MessageNew\"}"),
		"NOTIFY %(METHOD external CLASS EVENT PRIORITY NIL USER NIL MAILBOX NIL OPTIONS () "
		"MESSAGE {22+}\r\n{\"event\":\"MessageNew\"} FILEPATH NIL)\r\n");
}

static void what_sieve_says_becomes_a_request(void **state)
{
	(void)state;
	assert_is_written(
		DATAGRAM("mailto\0SIEVE\0normal\0alice\0\0002\0x@example.com\0a \"b\"\0hi\n\0/s/1"),
		"NOTIFY %(METHOD mailto CLASS SIEVE PRIORITY normal USER alice MAILBOX NIL OPTIONS "
		"(x@example.com {5+}\r\na \"b\") MESSAGE {3+}\r\nhi\n FILEPATH /s/1)\r\n");
}

static void strings_that_read_otherwise_are_quoted_or_literal(void **state)
{
	(void)state;
	assert_is_written(DATAGRAM("a b\0\0nil\0\xc3\xa9\0x\\y\0001\0\0\0"),
		"NOTIFY %(METHOD \"a b\" CLASS \"\" PRIORITY \"nil\" USER {2+}\r\n\xc3\xa9 MAILBOX "
		"{3+}\r\nx\\y OPTIONS (\"\") MESSAGE {0+}\r\n FILEPATH \"\")\r\n");
}

static void a_request_becomes_the_datagram_that_cyrus_sends(void **state)
{
	(void)state;
	static const char request[] =
		"NOTIFY %(METHOD external CLASS MAIL PRIORITY NIL USER alice MAILBOX \"INBOX\" "
		"OPTIONS () MESSAGE {10+}\r\nFrom: x\r\n\n FILEPATH NIL)\r\n";
	static const char wanted[] = "external\0MAIL\0\0alice\0INBOX\0000\0From: x\r\n\n";
	assert_int_equal(write_datagram(request, sizeof(request) - 1, wanted, sizeof(wanted)), 0);
}

static void options_and_file_path_are_kept(void **state)
{
	(void)state;
	static const char request[] = "NOTIFY %(METHOD m CLASS SIEVE OPTIONS (a NIL \"b\\\"c\") "
				      "MESSAGE hi FILEPATH \"\")\r\n";
	static const char wanted[] = "m\0SIEVE\0\0\0\0003\0a\0\0b\"c\0hi\0";
	assert_int_equal(write_datagram(request, sizeof(request) - 1, wanted, sizeof(wanted)), 0);
}

static void a_nul_cannot_be_carried(void **state)
{
	(void)state;
	static const char message[] = "NOTIFY %(CLASS X MESSAGE {3+}\r\na\0b)\r\n";
	static const char option[] = "NOTIFY %(CLASS X MESSAGE a OPTIONS ({1+}\r\n\0))\r\n";
	assert_int_equal(write_datagram(message, sizeof(message) - 1, NULL, 0), -EBADMSG);
	assert_int_equal(write_datagram(option, sizeof(option) - 1, NULL, 0), -EBADMSG);
}

static void a_datagram_has_its_limit(void **state)
{
	(void)state;
	static const char ends[] = "\0X\0\0\0\0000\0";
	for (size_t more = 0; more < 2; more++) {
		/* Beside the message: the fields before it and its NUL. */
		size_t size = NOTIFICATION_WRITE_DATAGRAM_MAX - sizeof(ends) + more;
		mem_auto char *message = mem_alloc_zero(size + 1, 1);
		memset(message, 'm', size);
		mem_auto char *request =
			mem_printf("NOTIFY %%(CLASS X MESSAGE {%zu+}\r\n%s)\r\n", size, message);
		buf_auto struct buf wanted = {0};
		buf_append(&wanted, ends, sizeof(ends) - 1);
		buf_append(&wanted, message, size + 1);
		assert_int_equal(write_datagram(request, strlen(request), (const char *)wanted.data,
					 wanted.used),
			more ? -EMSGSIZE : 0);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(an_event_becomes_the_request_that_cyrus_sends),
		cmocka_unit_test(what_sieve_says_becomes_a_request),
		cmocka_unit_test(strings_that_read_otherwise_are_quoted_or_literal),
		cmocka_unit_test(a_request_becomes_the_datagram_that_cyrus_sends),
		cmocka_unit_test(options_and_file_path_are_kept),
		cmocka_unit_test(a_nul_cannot_be_carried),
		cmocka_unit_test(a_datagram_has_its_limit),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}

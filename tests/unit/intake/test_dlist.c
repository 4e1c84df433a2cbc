#include "intake/dlist.h"

#include "base/mem.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#define REQUEST(fields) "NOTIFY %(" fields ")\r\n"
#define MINIMAL "CLASS EVENT MESSAGE {2+}\r\n{}"

/* What Cyrus 3.6 sends. */
static const char captured[] =
	"NOTIFY %(METHOD external CLASS EVENT PRIORITY NIL USER NIL MAILBOX NIL OPTIONS () "
	"MESSAGE {25+}\r\n{\"event\":\"MessageExpire\"} FILEPATH NIL)\r\n";

struct parsed {
	int result;
	char *bytes; /* what the fields borrow from */
	size_t size;
	struct notification notification;
	size_t request_size;
	struct dlist_scan scan;
	struct err err;
};

static void parsed_fini(struct parsed *p)
{
	dlist_scan_fini(&p->scan);
	free(p->bytes);
}

static struct parsed parse_bytes(const char *bytes, size_t size)
{
	struct parsed p = {.bytes = mem_dup_n(bytes, size), .size = size};
	p.result = dlist_parse(&p.scan, p.bytes, size, &p.notification, &p.request_size, &p.err);
	return p;
}

/* As a stream would: asked again after each byte. */
static struct parsed parse_byte_by_byte(const char *bytes, size_t size)
{
	struct parsed p = {.bytes = mem_alloc_zero(size + 1, 1)};
	while (p.result == 0 && p.size < size) {
		p.bytes[p.size] = bytes[p.size];
		p.size++;
		p.result = dlist_parse(
			&p.scan, p.bytes, p.size, &p.notification, &p.request_size, &p.err);
	}
	return p;
}

static void assert_field(const struct notification_field *field, const char *wanted)
{
	if (!wanted) {
		assert_null(field->bytes);
		assert_int_equal(field->size, 0);
		return;
	}
	assert_non_null(field->bytes);
	assert_int_equal(field->size, strlen(wanted));
	assert_memory_equal(field->bytes, wanted, field->size);
}

static void assert_refused(const char *text, int result)
{
	struct parsed p = parse_bytes(text, strlen(text));
	if (p.result != result)
		fail_msg("%d instead of %d for: %s", p.result, result, text);
	parsed_fini(&p);
	p = parse_byte_by_byte(text, strlen(text));
	assert_int_equal(p.result, result);
	parsed_fini(&p);
}

static void the_request_of_cyrus_is_taken_apart(void **state)
{
	(void)state;
	struct parsed p = parse_bytes(captured, sizeof(captured) - 1);
	assert_int_equal(p.result, 1);
	assert_int_equal(p.request_size, sizeof(captured) - 1);
	const struct notification *n = &p.notification;
	assert_field(&n->method, "external");
	assert_field(&n->class, "EVENT");
	assert_field(&n->priority, NULL);
	assert_field(&n->user, NULL);
	assert_field(&n->mailbox, NULL);
	assert_int_equal(n->option_count, 0);
	assert_field(&n->message, "{\"event\":\"MessageExpire\"}");
	assert_field(&n->filepath, NULL);
	assert_true(notification_is_event(n));
	parsed_fini(&p);
}

static void any_field_may_have_any_form(void **state)
{
	(void)state;
	static const char *const names[] = {
		"METHOD", "CLASS", "PRIORITY", "USER", "MAILBOX", "MESSAGE", "FILEPATH"};
	static const size_t offsets[] = {offsetof(struct notification, method),
		offsetof(struct notification, class), offsetof(struct notification, priority),
		offsetof(struct notification, user), offsetof(struct notification, mailbox),
		offsetof(struct notification, message), offsetof(struct notification, filepath)};
	static const struct {
		const char *form;
		const char *value;
	} forms[] = {
		{"atom", "atom"},
		{"user@example.com", "user@example.com"},
		{"\\Seen", "\\Seen"},
		{"\"quoted string\"", "quoted string"},
		{"\"\"", ""},
		{"\"with \\\"quotes\\\" and \\\\\"", "with \"quotes\" and \\"},
		{"\"NIL\"", "NIL"},
		{"{5}\r\na\r\n)b", "a\r\n)b"},
		{"{5+}\r\n\"NIL\"", "\"NIL\""},
		{"{3+}\nNIL", "NIL"},
		{"{0+}\r\n", ""},
		{"{2}\r\n\xff\xfe", "\xff\xfe"},
		{"NIL", NULL},
		{"nil", NULL},
	};
	for (size_t field = 0; field < sizeof(names) / sizeof(names[0]); field++) {
		for (size_t form = 0; form < sizeof(forms) / sizeof(forms[0]); form++) {
			bool is_needed = field == 1 || field == 5;
			mem_auto char *text = mem_printf("NOTIFY %%(%s%s%s %s)\r\n",
				field == 1 ? "" : "CLASS EVENT ",
				field == 5 ? "" : "MESSAGE {2+}\r\n{} ", names[field],
				forms[form].form);
			struct parsed p = parse_bytes(text, strlen(text));
			if (is_needed && !forms[form].value) {
				assert_int_equal(p.result, -EBADMSG);
			} else {
				if (p.result != 1)
					fail_msg("%s for: %s", p.err.text, text);
				assert_int_equal(p.request_size, strlen(text));
				assert_field((void *)((char *)&p.notification + offsets[field]),
					forms[form].value);
			}
			parsed_fini(&p);
		}
	}
}

static void keys_come_in_any_order_and_case(void **state)
{
	(void)state;
	static const char text[] =
		"notify %(FilePath \"/a b\" message {2+}\r\n[] Options NIL USER u "
		"class event2 mailbox {1}\r\nm METHOD x priority 7)\n";
	struct parsed p = parse_bytes(text, sizeof(text) - 1);
	assert_int_equal(p.result, 1);
	assert_int_equal(p.request_size, sizeof(text) - 1);
	const struct notification *n = &p.notification;
	assert_field(&n->filepath, "/a b");
	assert_field(&n->message, "[]");
	assert_field(&n->user, "u");
	assert_field(&n->class, "event2");
	assert_field(&n->mailbox, "m");
	assert_field(&n->method, "x");
	assert_field(&n->priority, "7");
	assert_false(notification_is_event(n));
	parsed_fini(&p);
}

static void options_are_a_list_of_strings(void **state)
{
	(void)state;
	static const char text[] =
		REQUEST("OPTIONS ( a \"b \\\" c\" {3+}\r\n) ( NIL ) CLASS SIEVE MESSAGE hi");
	struct parsed p = parse_bytes(text, sizeof(text) - 1);
	assert_int_equal(p.result, 1);
	assert_int_equal(p.notification.option_count, 4);
	assert_field(&p.notification.options[0], "a");
	assert_field(&p.notification.options[1], "b \" c");
	assert_field(&p.notification.options[2], ") (");
	assert_field(&p.notification.options[3], NULL);
	parsed_fini(&p);
}

static void a_request_stays_as_it_came(void **state)
{
	(void)state;
	static const char text[] = REQUEST(
		"CLASS \"a\\\"b\" USER \"\\c\\\\\" MESSAGE hi OPTIONS (\"\\(\")") "more\r\n";
	struct parsed p = parse_bytes(text, sizeof(text) - 1);
	assert_int_equal(p.result, 1);
	assert_memory_equal(p.bytes, text, sizeof(text) - 1);
	const struct notification *n = &p.notification;
	assert_true(n->is_dlist);
	assert_ptr_equal(n->raw.bytes, p.bytes);
	assert_int_equal(n->raw.size, sizeof(text) - 1 - strlen("more\r\n"));
	assert_field(&n->class, "a\"b");
	assert_field(&n->user, "c\\");
	assert_field(&n->options[0], "(");
	parsed_fini(&p);
}

static void unknown_keys_are_skipped_whatever_their_value(void **state)
{
	(void)state;
	static const char text[] = REQUEST("NEW (a (b \")\") %(C D E (F))) NEWER {4+}\r\n)\r\n( "
					   "NEW NIL " MINIMAL " X \"\\\"\" Y () Z %()");
	struct parsed p = parse_bytes(text, sizeof(text) - 1);
	assert_int_equal(p.result, 1);
	assert_int_equal(p.request_size, sizeof(text) - 1);
	assert_field(&p.notification.message, "{}");
	parsed_fini(&p);
}

static void the_time_of_an_event_comes_along(void **state)
{
	(void)state;
	static const char with[] = REQUEST("RECEIVED 1795334965234 " MINIMAL);
	struct parsed p = parse_bytes(with, sizeof(with) - 1);
	assert_int_equal(p.result, 1);
	assert_int_equal(p.notification.received_ms, INT64_C(1795334965234));
	free(p.bytes);

	static const char most[] = REQUEST(MINIMAL " received 999999999999999");
	p = parse_bytes(most, sizeof(most) - 1);
	assert_int_equal(p.result, 1);
	assert_int_equal(p.notification.received_ms, INT64_C(999999999999999));
	free(p.bytes);

	p = parse_bytes(captured, sizeof(captured) - 1);
	assert_int_equal(p.result, 1);
	assert_int_equal(p.notification.received_ms, 0);
	free(p.bytes);
}

static void a_time_that_is_none_is_refused(void **state)
{
	(void)state;
	static const char *const values[] = {"NIL", "-1", "1.5", "0x10", "now", "\"1\"", "{1}\r\n1",
		"()", "1000000000000000", "99999999999999999999999"};
	for (size_t i = 0; i < sizeof(values) / sizeof(values[0]); i++) {
		mem_auto char *text =
			mem_printf("NOTIFY %%(RECEIVED %s " MINIMAL ")\r\n", values[i]);
		assert_refused(text, -EBADMSG);
	}
}

static void split_anywhere_the_result_is_the_same(void **state)
{
	(void)state;
	static const char text[] = REQUEST(
		"METHOD \"ex\\\"t\" CLASS {5+}\r\nEVENT USER {3}\r\na\nb OPTIONS (x "
		"{2+}\r\n\r\n \"\\\\\") UNKNOWN (a %(b c)) PRIORITY NIL MESSAGE {4+}\r\n\n\n\n\n");
	size_t size = sizeof(text) - 1;
	for (size_t split = 0; split <= size; split++) {
		mem_auto char *bytes = mem_alloc_zero(size, 1);
		struct dlist_scan scan = {0};
		struct notification n;
		struct err err;
		size_t request_size = 0;
		memcpy(bytes, text, split);
		int r = dlist_parse(&scan, bytes, split, &n, &request_size, &err);
		assert_int_equal(r, split == size ? 1 : 0);
		if (r == 0) {
			memcpy(bytes + split, text + split, size - split);
			r = dlist_parse(&scan, bytes, size, &n, &request_size, &err);
		}
		assert_int_equal(r, 1);
		assert_int_equal(request_size, size);
		assert_field(&n.method, "ex\"t");
		assert_field(&n.class, "EVENT");
		assert_field(&n.user, "a\nb");
		assert_int_equal(n.option_count, 3);
		assert_field(&n.options[1], "\r\n");
		assert_field(&n.options[2], "\\");
		assert_field(&n.message, "\n\n\n\n");
		dlist_scan_fini(&scan);
	}
}

static void byte_by_byte_the_result_is_the_same(void **state)
{
	(void)state;
	struct parsed p = parse_byte_by_byte(captured, sizeof(captured) - 1);
	assert_int_equal(p.result, 1);
	assert_int_equal(p.size, sizeof(captured) - 1);
	assert_field(&p.notification.message, "{\"event\":\"MessageExpire\"}");
	parsed_fini(&p);
}

static void cut_short_it_is_never_complete(void **state)
{
	(void)state;
	for (size_t size = 0; size < sizeof(captured) - 1; size++) {
		struct parsed p = parse_bytes(captured, size);
		assert_int_equal(p.result, 0);
		parsed_fini(&p);
	}
}

static void what_follows_the_request_is_left_alone(void **state)
{
	(void)state;
	static const char text[] = REQUEST(MINIMAL) "NOTIFY %(rubbish";
	struct parsed p = parse_bytes(text, sizeof(text) - 1);
	assert_int_equal(p.result, 1);
	assert_int_equal(p.request_size, strlen(REQUEST(MINIMAL)));
	parsed_fini(&p);
}

static void malformed_requests_are_refused(void **state)
{
	(void)state;
	static const char *const texts[] = {
		"\r\n",
		"GET / HTTP/1.1\r\n",
		"NOTIFY\r\n",
		"NOTIFY (CLASS EVENT MESSAGE x)\r\n",
		"NOTIFY %[]\r\n",
		"NOTIFY %()\r\n",
		REQUEST("CLASS EVENT"),
		REQUEST("MESSAGE x"),
		REQUEST("CLASS EVENT MESSAGE NIL"),
		REQUEST(MINIMAL " CLASS"),
		REQUEST(MINIMAL " USER"),
		REQUEST(MINIMAL " USER "),
		REQUEST(MINIMAL " USER a USER b"),
		REQUEST(MINIMAL " USER (a)"),
		REQUEST(MINIMAL " USER %(a b)"),
		REQUEST(MINIMAL " USER a\"b\""),
		REQUEST(MINIMAL " USER \"a\"b"),
		REQUEST(MINIMAL " USER \"a\r\nb\""),
		REQUEST(MINIMAL " USER \"a\\\nb\""),
		REQUEST(MINIMAL " USER {}\r\n"),
		REQUEST(MINIMAL " USER {+}\r\n"),
		REQUEST(MINIMAL " USER {-1}\r\n"),
		REQUEST(MINIMAL " USER {1x}\r\na"),
		REQUEST(MINIMAL " USER {1+}a"),
		REQUEST(MINIMAL " USER {1+}\ra"),
		REQUEST(MINIMAL " \"USER\" a"),
		REQUEST(MINIMAL " USER \x01"),
		REQUEST(MINIMAL " OPTIONS a"),
		REQUEST(MINIMAL " OPTIONS ((a))"),
		REQUEST(MINIMAL " OPTIONS (a\"b\")"),
		REQUEST(MINIMAL " X %{1 2}"),
		REQUEST(MINIMAL " X %x"),
		REQUEST(MINIMAL " X (((((((((a)))))))))"),
		"NOTIFY %(" MINIMAL ") \r\n",
		"NOTIFY %(" MINIMAL "))\r\n",
		"NOTIFY %(" MINIMAL "\r\n",
		"NOTIFY %(" MINIMAL ")\r\r\n",
	};
	for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++)
		assert_refused(texts[i], -EBADMSG);
}

static void a_nul_outside_a_literal_is_refused(void **state)
{
	(void)state;
	static const char quoted[] = REQUEST(MINIMAL " USER \"a\0b\"");
	static const char atom[] = REQUEST(MINIMAL " USER a\0b");
	static const char literal[] = REQUEST(MINIMAL " USER {3+}\r\na\0b");
	struct parsed p = parse_bytes(quoted, sizeof(quoted) - 1);
	assert_int_equal(p.result, -EBADMSG);
	parsed_fini(&p);
	p = parse_bytes(atom, sizeof(atom) - 1);
	assert_int_equal(p.result, -EBADMSG);
	parsed_fini(&p);
	p = parse_bytes(literal, sizeof(literal) - 1);
	assert_int_equal(p.result, 1);
	assert_int_equal(p.notification.user.size, 3);
	assert_memory_equal(p.notification.user.bytes, "a\0b", 3);
	parsed_fini(&p);
}

static void too_many_options_are_refused(void **state)
{
	(void)state;
	for (unsigned count = NOTIFICATION_OPTIONS_MAX; count <= NOTIFICATION_OPTIONS_MAX + 1;
		count++) {
		char options[4 * NOTIFICATION_OPTIONS_MAX] = "";
		for (unsigned i = 0; i < count; i++)
			strcat(options, " a");
		mem_auto char *text =
			mem_printf("NOTIFY %%(" MINIMAL " OPTIONS (%s))\r\n", options);
		struct parsed p = parse_bytes(text, strlen(text));
		assert_int_equal(p.result, count > NOTIFICATION_OPTIONS_MAX ? -EBADMSG : 1);
		parsed_fini(&p);
	}
}

static void too_many_values_are_refused(void **state)
{
	(void)state;
	/* The two of MINIMAL and the list count as well. */
	for (unsigned count = DLIST_VALUES_MAX - 3; count <= DLIST_VALUES_MAX - 2; count++) {
		char values[4 * DLIST_VALUES_MAX] = "";
		for (unsigned i = 0; i < count; i++)
			strcat(values, " a");
		mem_auto char *text = mem_printf("NOTIFY %%(" MINIMAL " X (%s))\r\n", values);
		struct parsed p = parse_bytes(text, strlen(text));
		assert_int_equal(p.result, count > DLIST_VALUES_MAX - 3 ? -EBADMSG : 1);
		parsed_fini(&p);
	}
}

/* A request of exactly `size` bytes, which its message fills. */
static char *request_of(size_t size)
{
	static const char end[] = ")\r\n";
	size_t filling = size - strlen("NOTIFY %(CLASS EVENT MESSAGE {1048000+}\r\n)\r\n");
	char *text = mem_alloc(size + 1);
	int n = snprintf(text, size, "NOTIFY %%(CLASS EVENT MESSAGE {%07zu+}\r\n", filling);
	memset(text + n, 'x', filling);
	memcpy(text + (size_t)n + filling, end, sizeof(end));
	assert_int_equal(strlen(text), size);
	return text;
}

static void a_request_of_a_mebibyte_is_accepted(void **state)
{
	(void)state;
	mem_auto char *text = request_of(DLIST_REQUEST_MAX);
	struct parsed p = parse_bytes(text, DLIST_REQUEST_MAX);
	assert_int_equal(p.result, 1);
	assert_int_equal(p.request_size, DLIST_REQUEST_MAX);
	parsed_fini(&p);
	p = parse_byte_by_byte(text, DLIST_REQUEST_MAX);
	assert_int_equal(p.result, 1);
	parsed_fini(&p);
}

static void a_byte_more_is_refused(void **state)
{
	(void)state;
	mem_auto char *text = request_of(DLIST_REQUEST_MAX + 1);
	struct parsed p = parse_bytes(text, DLIST_REQUEST_MAX + 1);
	assert_int_equal(p.result, -EMSGSIZE);
	parsed_fini(&p);
	p = parse_byte_by_byte(text, DLIST_REQUEST_MAX + 1);
	assert_int_equal(p.result, -EMSGSIZE);
	assert_int_equal(p.size, DLIST_REQUEST_MAX);
	parsed_fini(&p);
}

static void a_literal_that_announces_too_much_is_refused_at_once(void **state)
{
	(void)state;
	assert_refused("NOTIFY %(MESSAGE {1048577+}\r\n", -EMSGSIZE);
	assert_refused("NOTIFY %(MESSAGE {99999999999999999999999999999+}\r\n", -EMSGSIZE);
	assert_refused("NOTIFY %(MESSAGE {18446744073709551615}\r\n", -EMSGSIZE);
	assert_refused("NOTIFY %(MESSAGE {1048576}\r\n", -EMSGSIZE);
	assert_refused("NOTIFY %(MESSAGE {1000000}\r\n", 0);
}

/* With so many bytes before the last literal, others not counted. */
static char *request_with_outside(size_t outside)
{
	static const char start[] = "NOTIFY %(CLASS {200000+}\r\n";
	static const char next[] = " X ({1+}\r\na ";
	static const char end[] = " b) MESSAGE {2+}\r\n";
	size_t filling = outside - strlen(start) - (strlen(next) - 1) - strlen(end);
	return mem_printf("%s%0200000d%s%0*d%s{})\r\n", start, 0, next, (int)filling, 0, end);
}

static void what_stands_before_a_literal_is_bounded(void **state)
{
	(void)state;
	for (size_t more = 0; more <= 1; more++) {
		mem_auto char *text = request_with_outside(DLIST_OUTSIDE_MAX + more);
		struct parsed p = parse_bytes(text, strlen(text));
		assert_int_equal(p.result, more ? -EMSGSIZE : 1);
		parsed_fini(&p);
		p = parse_byte_by_byte(text, strlen(text));
		assert_int_equal(p.result, more ? -EMSGSIZE : 1);
		/* Refused at the literal, before what follows. */
		assert_int_equal(p.size, strlen(text) - (more ? strlen("{})\r\n") : 0));
		parsed_fini(&p);
	}
}

static void without_a_literal_behind_it_a_value_may_be_large(void **state)
{
	(void)state;
	mem_auto char *text = mem_printf(
		"NOTIFY %%(CLASS {1+}\r\na MESSAGE \"%0*d\")\r\n", 2 * DLIST_OUTSIDE_MAX, 0);
	struct parsed p = parse_byte_by_byte(text, strlen(text));
	assert_int_equal(p.result, 1);
	assert_int_equal(p.notification.message.size, 2 * DLIST_OUTSIDE_MAX);
	parsed_fini(&p);
}

static void an_endless_line_is_refused_at_a_mebibyte_without_scanning_it_again(void **state)
{
	(void)state;
	mem_auto char *text = mem_alloc(DLIST_REQUEST_MAX + 1);
	memset(text, 'x', DLIST_REQUEST_MAX);
	text[DLIST_REQUEST_MAX] = '\0';
	memcpy(text, "NOTIFY %(USER \"", 15);
	struct parsed p = parse_byte_by_byte(text, DLIST_REQUEST_MAX);
	assert_int_equal(p.result, -EMSGSIZE);
	parsed_fini(&p);
}

static void a_failure_leaves_the_result_untouched(void **state)
{
	(void)state;
	struct notification n;
	memset(&n, 0x5a, sizeof(n));
	struct notification before = n;
	struct dlist_scan scan = {0};
	struct err err;
	size_t size = 77;
	char text[] = REQUEST("METHOD a CLASS b MESSAGE c USER (d)");
	assert_int_equal(dlist_parse(&scan, text, sizeof(text) - 1, &n, &size, &err), -EBADMSG);
	assert_memory_equal(&n, &before, sizeof(n));
	assert_int_equal(size, 77);
	assert_non_null(strstr(err.text, "malformed request"));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(the_request_of_cyrus_is_taken_apart),
		cmocka_unit_test(any_field_may_have_any_form),
		cmocka_unit_test(keys_come_in_any_order_and_case),
		cmocka_unit_test(options_are_a_list_of_strings),
		cmocka_unit_test(a_request_stays_as_it_came),
		cmocka_unit_test(unknown_keys_are_skipped_whatever_their_value),
		cmocka_unit_test(the_time_of_an_event_comes_along),
		cmocka_unit_test(a_time_that_is_none_is_refused),
		cmocka_unit_test(split_anywhere_the_result_is_the_same),
		cmocka_unit_test(byte_by_byte_the_result_is_the_same),
		cmocka_unit_test(cut_short_it_is_never_complete),
		cmocka_unit_test(what_follows_the_request_is_left_alone),
		cmocka_unit_test(malformed_requests_are_refused),
		cmocka_unit_test(a_nul_outside_a_literal_is_refused),
		cmocka_unit_test(too_many_options_are_refused),
		cmocka_unit_test(too_many_values_are_refused),
		cmocka_unit_test(a_request_of_a_mebibyte_is_accepted),
		cmocka_unit_test(a_byte_more_is_refused),
		cmocka_unit_test(a_literal_that_announces_too_much_is_refused_at_once),
		cmocka_unit_test(what_stands_before_a_literal_is_bounded),
		cmocka_unit_test(without_a_literal_behind_it_a_value_may_be_large),
		cmocka_unit_test(
			an_endless_line_is_refused_at_a_mebibyte_without_scanning_it_again),
		cmocka_unit_test(a_failure_leaves_the_result_untouched),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}

/* Whose descriptors are these, and what are they called? */
#include "intake/inherit.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#define SELF 4711

static unsigned count_of(const char *pid, const char *fds)
{
	struct err err;
	unsigned count = 99;
	assert_int_equal(inherit_count(pid, fds, SELF, &count, &err), 0);
	return count;
}

static void refuses(const char *pid, const char *fds, const char *names)
{
	struct err err;
	unsigned count = 99;
	assert_int_equal(inherit_count(pid, fds, SELF, &count, &err), -EINVAL);
	assert_int_equal(count, 99);
	assert_non_null(strstr(err.text, names));
}

static void descriptors_meant_for_us_are_counted(void **state)
{
	(void)state;
	assert_int_equal(count_of("4711", "1"), 1);
	assert_int_equal(count_of("4711", "0"), 0);
	assert_int_equal(count_of("4711", "1024"), 1024);
}

static void nothing_is_passed_in_without_the_variables_or_to_another_process(void **state)
{
	(void)state;
	assert_int_equal(count_of(NULL, NULL), 0);
	assert_int_equal(count_of("4711", NULL), 0);
	assert_int_equal(count_of(NULL, "1"), 0);
	assert_int_equal(count_of("1", "1"), 0);
	assert_int_equal(count_of("1", "nonsense"), 0);
}

static void what_is_no_number_is_refused(void **state)
{
	(void)state;
	static const char *const none[] = {
		"", " 4711", "4711 ", "+4711", "-1", "0x10", "2147483648", "99999999999999999999"};
	for (size_t i = 0; i < sizeof(none) / sizeof(none[0]); i++) {
		refuses(none[i], "1", "LISTEN_PID");
		refuses("4711", none[i], "LISTEN_FDS");
	}
	refuses("0", "1", "LISTEN_PID");
	refuses("4711", "1025", "LISTEN_FDS");
}

static void names_are(const char *names, unsigned index, const char *wanted)
{
	char name[16];
	inherit_name(names, index, name, sizeof(name));
	assert_string_equal(name, wanted);
}

static void descriptors_have_the_names_that_they_were_given(void **state)
{
	(void)state;
	names_are("one:two:three", 0, "one");
	names_are("one:two:three", 2, "three");
	names_are("a-name-that-is-long:two", 0, "a-name-that-is-");
	names_are("a-name-that-is-long:two", 1, "two");
}

static void descriptors_without_a_name_are_unknown(void **state)
{
	(void)state;
	names_are(NULL, 0, "unknown");
	names_are("", 0, "unknown");
	names_are("one", 1, "unknown");
	names_are("one::three", 1, "unknown");
	names_are(":", 5, "unknown");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(descriptors_meant_for_us_are_counted),
		cmocka_unit_test(nothing_is_passed_in_without_the_variables_or_to_another_process),
		cmocka_unit_test(what_is_no_number_is_refused),
		cmocka_unit_test(descriptors_have_the_names_that_they_were_given),
		cmocka_unit_test(descriptors_without_a_name_are_unknown),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}

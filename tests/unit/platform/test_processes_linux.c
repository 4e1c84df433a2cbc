#include "platform/processes.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#define REST " 1 1 0 -1 4194560 5 6 7 8 9 10 11 12 20 0 1 0 4200 13 14"

static void a_process_is_as_old_as_the_kernel_says(void **state)
{
	(void)state;
	struct process process;
	assert_true(processes_parse("77 (lmtpd) S 10" REST, 100000, 100, &process));
	assert_string_equal(process.name, "lmtpd");
	assert_int_equal(process.pid, 77);
	assert_int_equal(process.parent, 10);
	assert_int_equal(process.age_ms, 100000 - 42000);
}

static void a_name_may_hold_anything(void **state)
{
	(void)state;
	struct process process;
	assert_true(processes_parse("7 (a) R 1 (b c) S 10" REST, 0, 100, &process));
	assert_string_equal(process.name, "a) R 1 (b c");
	assert_int_equal(process.parent, 10);
	assert_true(processes_parse("7 (much longer than a name is) S 10" REST, 0, 100, &process));
	assert_int_equal(strlen(process.name), PROCESSES_NAME_SIZE - 1);
}

static void what_is_no_process_is_refused(void **state)
{
	(void)state;
	static const char *const texts[] = {"", "7", "7 (a", "7 a) S 10" REST, "x (a) S 10" REST,
		"7 )a( S 10" REST, "7 (a) S 10 1 1", "7 (a) S x" REST};
	struct process process;
	for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++)
		assert_false(processes_parse(texts[i], 0, 100, &process));
}

static void we_are_among_those_that_are_listed(void **state)
{
	(void)state;
	struct processes processes;
	char words[64];
	bool is_found = false;
	processes_list(&processes);
	for (size_t i = 0; i < processes.count; i++)
		is_found |= processes.list[i].pid == getpid() &&
			processes.list[i].parent == getppid() && processes.list[i].age_ms >= 0;
	free(processes.list);
	assert_true(is_found);
	assert_true(processes_belongs_to(getpid(), geteuid()));
	assert_false(processes_belongs_to(getpid(), geteuid() + 1));
	assert_true(processes_arguments(getpid(), words, sizeof(words)) > 0);
	assert_int_equal(processes_arguments(0, words, sizeof(words)), -1);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_process_is_as_old_as_the_kernel_says),
		cmocka_unit_test(a_name_may_hold_anything),
		cmocka_unit_test(what_is_no_process_is_refused),
		cmocka_unit_test(we_are_among_those_that_are_listed),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}

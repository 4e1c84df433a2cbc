/* What the parts of doctor share: users and their rights, other programs, paths. */
#include "checkup/person.h"
#include "checkup/program.h"
#include "checkup/samepath.h"
#include "platform/confine.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#define ENOUGH_MS 60000

static void rights_go_by_the_first_of_owner_group_and_others(void **state)
{
	(void)state;
	const struct person person = {.name = "cyrus", .uid = 100, .gids = {8, 9}, .gid_count = 2};
	static const struct {
		uid_t uid;
		gid_t gid;
		mode_t mode;
		bool may;
	} rows[] = {{100, 0, 0200, true}, {100, 9, 0060, false}, {0, 9, 0660, true},
		{0, 8, 0606, false}, {0, 7, 0660, false}, {0, 7, 0602, true}};
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		const struct stat status = {
			.st_uid = rows[i].uid, .st_gid = rows[i].gid, .st_mode = rows[i].mode};
		assert_int_equal(person_may(&person, &status, 2), rows[i].may);
	}
	const struct person root = {.name = "root"};
	const struct stat closed = {.st_uid = 5};
	struct person found;
	assert_true(person_may(&root, &closed, 7));
	assert_true(person_find("root", &found));
	assert_int_equal(found.uid, 0);
	assert_false(person_find("no such user", &found));
}

/* The exit status of a shell that does this, and what it printed. */
static int run(const char *script, int time_ms, bool has_errors, char *ret, size_t size)
{
	char shell[] = "sh";
	char option[] = "-c";
	char text[256];
	snprintf(text, sizeof(text), "%s", script);
	char *const arguments[] = {shell, option, text, NULL};
	int fd = confine_open("/bin/sh");
	assert_true(fd >= 0);
	const struct program program = {
		.fd = fd, .arguments = arguments, .time_ms = time_ms, .has_errors = has_errors};
	int status = program_run(&program, ret, size);
	close(fd);
	return status;
}

static void a_program_says_what_it_prints_and_how_it_ended(void **state)
{
	(void)state;
	char said[64];
	assert_int_equal(run("echo one; echo two >&2; exit 3", ENOUGH_MS, false, said, 64), 3);
	assert_string_equal(said, "one\n");
	assert_int_equal(run("echo one; echo two >&2", ENOUGH_MS, true, said, 64), 0);
	assert_string_equal(said, "one\ntwo\n");
	assert_int_equal(run("cat; echo ${HOME-none}", ENOUGH_MS, false, said, 64), 0);
	assert_string_equal(said, "none\n");
}

static void a_program_is_bounded_in_time_and_in_what_it_prints(void **state)
{
	(void)state;
	char said[8];
	assert_int_equal(run("sleep 1000", 1, false, said, sizeof(said)), PROGRAM_KILLED);
	assert_int_equal(
		run("exec >/dev/null; sleep 1000", 1, false, said, sizeof(said)), PROGRAM_KILLED);
	assert_int_not_equal(run("yes", ENOUGH_MS, false, said, sizeof(said)), 0);
	assert_string_equal(said, "y\ny\ny\ny");
}

static void a_program_that_others_may_write_is_not_trusted(void **state)
{
	(void)state;
	struct stat status = {.st_uid = 0, .st_mode = S_IFREG | 0755};
	assert_true(program_is_trusted(&status));
	status.st_mode = S_IFREG | 0757;
	assert_false(program_is_trusted(&status));
	status.st_mode = S_IFREG | 0775;
	status.st_gid = getegid() + 1;
	assert_false(program_is_trusted(&status));
	status = (struct stat){.st_uid = geteuid() + 1, .st_mode = S_IFREG | 0755};
	assert_false(program_is_trusted(&status));
}

static void a_path_through_a_link_is_the_same(void **state)
{
	(void)state;
	char folder[] = "/tmp/samepath.XXXXXX";
	char link[64];
	char left[128];
	char right[128];
	assert_non_null(mkdtemp(folder));
	snprintf(link, sizeof(link), "%s/link", folder);
	assert_int_equal(symlink(folder, link), 0);
	snprintf(left, sizeof(left), "%s/socket", folder);
	snprintf(right, sizeof(right), "%s/socket", link);
	assert_true(samepath(left, right));
	snprintf(right, sizeof(right), "%s/other", link);
	assert_false(samepath(left, right));
	assert_false(samepath("", ""));
	assert_false(samepath(left, ""));
	assert_int_equal(unlink(link), 0);
	assert_int_equal(rmdir(folder), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(rights_go_by_the_first_of_owner_group_and_others),
		cmocka_unit_test(a_program_says_what_it_prints_and_how_it_ended),
		cmocka_unit_test(a_program_is_bounded_in_time_and_in_what_it_prints),
		cmocka_unit_test(a_program_that_others_may_write_is_not_trusted),
		cmocka_unit_test(a_path_through_a_link_is_the_same),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}

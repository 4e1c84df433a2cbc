/* What a library may read without waiting for ever. */
#include "driver/regular_file.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

static char dir[] = "/tmp/mailpush-regular-XXXXXX";

static void a_pipe_a_folder_and_a_device_are_refused(void **state)
{
	(void)state;
	char pipe[64];
	struct err err;
	snprintf(pipe, sizeof(pipe), "%s/pipe", dir);
	assert_int_equal(mkfifo(pipe, 0600), 0);
	const char *const paths[] = {pipe, dir, "/dev/tty", "/dev/zero"};
	for (size_t i = 0; i < sizeof(paths) / sizeof(paths[0]); i++) {
		assert_int_equal(regular_file_check(paths[i], &err), -ENOTCONN);
		assert_non_null(strstr(err.text, paths[i]));
		assert_non_null(strstr(err.text, "not a regular file"));
	}
	unlink(pipe);
}

static void a_file_and_what_is_not_there_are_the_librarys_business(void **state)
{
	(void)state;
	char path[64];
	struct err err;
	snprintf(path, sizeof(path), "%s/file", dir);
	assert_int_equal(regular_file_check(path, &err), 0);
	assert_int_equal(regular_file_check(NULL, &err), 0);
	assert_int_equal(regular_file_check("/dev/null", &err), 0);
	FILE *file = fopen(path, "w");
	assert_non_null(file);
	fclose(file);
	assert_int_equal(regular_file_check(path, &err), 0);
	unlink(path);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_pipe_a_folder_and_a_device_are_refused),
		cmocka_unit_test(a_file_and_what_is_not_there_are_the_librarys_business),
	};
	if (!mkdtemp(dir))
		return 1;
	int failed = cmocka_run_group_tests(tests, NULL, NULL);
	rmdir(dir);
	return failed;
}

/* What SQLite writes is taken for whole, and what is not for damaged. */
#include "sqlite/walfile.h"

#include "base/mem.h"

#include <setjmp.h>
#include <sqlite3.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

static char folder[64];
static char path[96];

static int set_up(void **state)
{
	(void)state;
	strcpy(folder, "/tmp/test-walfile-XXXXXX");
	if (!mkdtemp(folder))
		return -1;
	snprintf(path, sizeof(path), "%s/db", folder);
	return 0;
}

static int tear_down(void **state)
{
	(void)state;
	mem_auto char *command = mem_printf("rm -rf '%s'", folder);
	return system(command);
}

/* As the log of a database in use begins. */
static void read_header(unsigned char header[WALFILE_HEADER_SIZE])
{
	sqlite3 *db;
	assert_int_equal(sqlite3_open(path, &db), SQLITE_OK);
	assert_int_equal(
		sqlite3_exec(db, "PRAGMA journal_mode = WAL; CREATE TABLE t (x)", NULL, NULL, NULL),
		SQLITE_OK);
	assert_false(walfile_is_damaged(path));
	mem_auto char *log = mem_printf("%s-wal", path);
	FILE *file = fopen(log, "r");
	assert_non_null(file);
	assert_int_equal(fread(header, WALFILE_HEADER_SIZE, 1, file), 1);
	fclose(file);
	sqlite3_close(db);
}

static void every_bit_of_a_header_counts(void **state)
{
	(void)state;
	unsigned char header[WALFILE_HEADER_SIZE];
	read_header(header);
	assert_false(walfile_header_is_damaged(header));
	for (unsigned bit = 0; bit < 8 * WALFILE_HEADER_SIZE; bit++) {
		header[bit / 8] ^= (unsigned char)(1u << bit % 8);
		assert_true(walfile_header_is_damaged(header));
		header[bit / 8] ^= (unsigned char)(1u << bit % 8);
	}
}

static void a_log_that_is_missing_short_or_was_never_written_is_whole(void **state)
{
	(void)state;
	assert_false(walfile_is_damaged(path));
	mem_auto char *log = mem_printf("%s-wal", path);
	FILE *file = fopen(log, "w");
	for (int i = 0; i < WALFILE_HEADER_SIZE; i++) {
		assert_false(walfile_is_damaged(path));
		fputc(0, file);
		fflush(file);
	}
	assert_false(walfile_is_damaged(path));
	rewind(file);
	fputc(1, file);
	fclose(file);
	assert_true(walfile_is_damaged(path));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(every_bit_of_a_header_counts, set_up, tear_down),
		cmocka_unit_test_setup_teardown(
			a_log_that_is_missing_short_or_was_never_written_is_whole, set_up,
			tear_down),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}

#include "sqlite/mapguard.h"

#include <assert.h>
#include <errno.h>
#include <signal.h>
#include <stdint.h>
#include <sys/mman.h>
#include <unistd.h>

/* The map as far as it was used; the database's own, so no other thread looks there. */
static _Thread_local struct {
	char *begin;
	char *end;
	volatile sig_atomic_t has_failed;
} map;

static long page_size;
static const sqlite3_io_methods *real; /* of SQLite's files */
static sqlite3_io_methods watched;     /* the same, save xFetch */

static bool put_zeroes(char *page)
{
	return mmap(page, (size_t)page_size, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1,
		       0) != MAP_FAILED;
}

static void on_bus_error(int number, siginfo_t *info, void *context)
{
	(void)context;
	int before = errno;
	char *at = info->si_addr;
	if (at >= map.begin && at < map.end && put_zeroes(at - (uintptr_t)at % (size_t)page_size))
		map.has_failed = 1;
	else
		signal(number, SIG_DFL); /* it happens again at once */
	errno = before;
}

static int fetch(sqlite3_file *file, sqlite3_int64 at, int size, void **ret)
{
	int failed = real->xFetch(file, at, size, ret);
	if (failed || !*ret)
		return failed;
	char *begin = (char *)*ret - at;
	char *end = (char *)*ret + size;
	if (begin != map.begin || end > map.end)
		map.end = end;
	map.begin = begin;
	return 0;
}

static void catch_bus_errors(void)
{
	page_size = sysconf(_SC_PAGESIZE);
	struct sigaction action = {.sa_sigaction = on_bus_error, .sa_flags = SA_SIGINFO};
	sigemptyset(&action.sa_mask);
	sigaction(SIGBUS, &action, NULL);
}

void mapguard_watch(sqlite3 *db)
{
	sqlite3_file *file = NULL;
	catch_bus_errors();
	if (sqlite3_file_control(db, "main", SQLITE_FCNTL_FILE_POINTER, &file) != SQLITE_OK ||
		!file || !file->pMethods || file->pMethods->iVersion < 3)
		return;
	if (!real) {
		real = file->pMethods;
		watched = *real;
		watched.xFetch = fetch;
	}
	assert(file->pMethods == real);
	file->pMethods = &watched;
}

bool mapguard_failed(void)
{
	bool has_failed = map.has_failed;
	map.has_failed = 0;
	return has_failed;
}

void mapguard_give_up_map(sqlite3 *db)
{
	sqlite3_exec(db, "PRAGMA mmap_size = 0", NULL, NULL, NULL);
	sqlite3_db_release_memory(db);
	map.begin = map.end = NULL;
}

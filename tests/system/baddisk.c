/*
 * baddisk - a disk in trouble, for programs that are started with this library in LD_PRELOAD.
 *
 * BADDISK names a file of rules, which a test may change at any time; a line each:
 *
 *	unsynced PART		syncing files with PART in their path waits until the rule is gone
 *	unsyncable PART ERRNO	syncing them fails so
 *	deadly PART		syncing them kills the process
 *	unopened PART		opening them waits until the rule is gone; BADDISK.held says so
 *	unopenable PART ERRNO	opening them fails so
 *	stuck PART		writing and syncing them waits until the rule is gone
 *	slow PART MS		each takes so much longer
 *	fail PART ERRNO		each fails so
 *	well PART		nothing happens to them, whatever the lines below say
 *
 * Reading an open file is left alone, and so is whatever goes to a file without a path.
 */
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/types.h>
#include <time.h>
#include <unistd.h>

static void pause_ms(long ms)
{
	struct timespec time = {ms / 1000, ms % 1000 * 1000000};
	nanosleep(&time, NULL);
}

/* The first rule about this path, whose kind goes to `kind`; returns its number. */
static int find_rule(const char *path, char kind[16])
{
	*kind = '\0';
	const char *rules = getenv("BADDISK");
	FILE *file = rules ? fopen(rules, "re") : NULL;
	if (!file)
		return 0;
	char line[512];
	char part[256];
	int number = 0;
	while (fgets(line, sizeof(line), file)) {
		number = 0;
		if (sscanf(line, "%15s %255s %d", kind, part, &number) >= 2 && strstr(path, part))
			break;
		*kind = '\0';
	}
	fclose(file);
	return number;
}

static bool waits(const char *kind, bool is_sync)
{
	return !strcmp(kind, "stuck") || (is_sync && !strcmp(kind, "unsynced"));
}

/* 0, or the errno with which the call is to fail. */
static int suffer(int fd, bool is_sync)
{
	char link[64];
	char path[4096];
	char kind[16];
	snprintf(link, sizeof(link), "/proc/self/fd/%d", fd);
	ssize_t size = readlink(link, path, sizeof(path) - 1);
	if (size <= 0 || path[0] != '/')
		return 0;
	path[size] = '\0';
	int number;
	while (number = find_rule(path, kind), waits(kind, is_sync))
		pause_ms(5);
	if (is_sync && !strcmp(kind, "deadly"))
		raise(SIGKILL);
	if (!strcmp(kind, "fail") || (is_sync && !strcmp(kind, "unsyncable")))
		return number;
	if (!strcmp(kind, "slow"))
		pause_ms(number);
	return 0;
}

#define INTERPOSE(type, name, is_sync, parameters, arguments)      \
	type name parameters;                                      \
	type name parameters                                       \
	{                                                          \
		static type(*real) parameters;                     \
		if (!real)                                         \
			*(void **)&real = dlsym(RTLD_NEXT, #name); \
		int failed = suffer(fd, is_sync);                  \
		if (failed) {                                      \
			errno = failed;                            \
			return -1;                                 \
		}                                                  \
		return real arguments;                             \
	}

INTERPOSE(int, fsync, true, (int fd), (fd))
INTERPOSE(int, fdatasync, true, (int fd), (fd))
INTERPOSE(int, ftruncate64, false, (int fd, off64_t size), (fd, size))
INTERPOSE(ssize_t, write, false, (int fd, const void *bytes, size_t size), (fd, bytes, size))
INTERPOSE(ssize_t, pwrite64, false, (int fd, const void *bytes, size_t size, off64_t at),
	(fd, bytes, size, at))

static void say_held(void)
{
	char path[4096];
	snprintf(path, sizeof(path), "%s.held", getenv("BADDISK"));
	FILE *file = fopen(path, "we");
	if (file)
		fclose(file);
}

/* 0, or the errno with which the call is to fail. */
static int suffer_opening(const char *path)
{
	char kind[16];
	bool is_said = false;
	int number;
	while (number = find_rule(path, kind), !strcmp(kind, "unopened")) {
		if (!is_said)
			say_held();
		is_said = true;
		pause_ms(5);
	}
	return strcmp(kind, "unopenable") ? 0 : number;
}

static mode_t mode_of(int flags, va_list args)
{
	return flags & O_CREAT ? va_arg(args, mode_t) : 0;
}

int open64(const char *path, int flags, ...);
int open64(const char *path, int flags, ...)
{
	va_list args;
	va_start(args, flags);
	mode_t mode = mode_of(flags, args);
	va_end(args);
	static int (*real)(const char *path, int flags, ...);
	if (!real)
		*(void **)&real = dlsym(RTLD_NEXT, "open64");
	errno = suffer_opening(path);
	if (errno)
		return -1;
	return real(path, flags, mode);
}

int openat64(int folder, const char *path, int flags, ...);
int openat64(int folder, const char *path, int flags, ...)
{
	va_list args;
	va_start(args, flags);
	mode_t mode = mode_of(flags, args);
	va_end(args);
	static int (*real)(int folder, const char *path, int flags, ...);
	if (!real)
		*(void **)&real = dlsym(RTLD_NEXT, "openat64");
	errno = suffer_opening(path);
	if (errno)
		return -1;
	return real(folder, path, flags, mode);
}

/*
 * wallclock - a wall clock that is set, for programs that are started with this library in
 * LD_PRELOAD.
 *
 * WALLCLOCK is a file with the seconds by which it is ahead of the machine's, read at each look at
 * it; whoever changes it puts another file in its place.  The monotonic clock is left alone.
 *
 * System calls are made directly: other libraries that are loaded before the program may have put
 * functions of their own in the places of those of libc.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <time.h>
#include <unistd.h>

#define SAY(text) syscall(SYS_write, STDERR_FILENO, text, sizeof(text) - 1)

/* A test must not go on with the machine's clock without a word. */
static long ahead_s(void)
{
	const char *path = getenv("WALLCLOCK");
	char text[32] = "";
	long fd = path ? syscall(SYS_openat, AT_FDCWD, path, O_RDONLY | O_CLOEXEC) : -1;
	long size = fd < 0 ? -1 : syscall(SYS_read, fd, text, sizeof(text) - 1);
	if (fd >= 0)
		syscall(SYS_close, fd);
	char *end = text;
	long ahead = strtol(text, &end, 10);
	if (size <= 0 || *end != '\n') {
		SAY("wallclock: WALLCLOCK names no file with a number of seconds\n");
		abort();
	}
	return ahead;
}

int clock_gettime(clockid_t id, struct timespec *ret)
{
	int failed = (int)syscall(SYS_clock_gettime, id, ret);
	if (!failed && (id == CLOCK_REALTIME || id == CLOCK_REALTIME_COARSE)) {
		int kept = errno;
		ret->tv_sec += ahead_s();
		errno = kept;
	}
	return failed;
}

int gettimeofday(struct timeval *restrict ret, void *restrict zone)
{
	(void)zone;
	struct timespec now;
	clock_gettime(CLOCK_REALTIME, &now);
	ret->tv_sec = now.tv_sec;
	ret->tv_usec = now.tv_nsec / 1000;
	return 0;
}

time_t time(time_t *ret)
{
	struct timespec now;
	clock_gettime(CLOCK_REALTIME, &now);
	if (ret)
		*ret = now.tv_sec;
	return now.tv_sec;
}

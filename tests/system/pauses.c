/*
 * pauses - a slow and busy machine, for programs that are started with this library in LD_PRELOAD.
 *
 * PAUSES is "MS CALLS SEED": before and after one in CALLS of the calls below, by chance, the
 * thread pauses for up to MS milliseconds.  A process pauses PAUSES_MAX times at most, so that a
 * flood of events does not take longer than its test may.  Each process has a chance of its own,
 * from SEED, its name and how many processes were there before it.
 *
 * Pauses stand where one program becomes visible to another: a test that looks at something that
 * usually comes before what it waits for fails with them.
 */
#include <dlfcn.h>
#include <errno.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/types.h>
#include <time.h>
#include <unistd.h>

#define PAUSES_MAX 24

static _Atomic uint64_t chance;
static atomic_uint pauses;
static unsigned longest_ms, one_in;

/* splitmix64: the same sequence for all threads, whoever comes next. */
static uint64_t roll(void)
{
	uint64_t x = atomic_fetch_add(&chance, 0x9e3779b97f4a7c15u);
	x = (x ^ x >> 30) * 0xbf58476d1ce4e5b9u;
	x = (x ^ x >> 27) * 0x94d049bb133111ebu;
	return x ^ x >> 31;
}

__attribute__((constructor)) static void begin(void)
{
	unsigned long long seed = 0;
	const char *text = getenv("PAUSES");
	if (!text || sscanf(text, "%u %u %llu", &longest_ms, &one_in, &seed) != 3 || !longest_ms)
		one_in = 0;
	chance = seed ^ (uint64_t)getpid() << 32;
}

static void maybe_pause(void)
{
	if (!one_in || roll() % one_in || atomic_fetch_add(&pauses, 1) >= PAUSES_MAX)
		return;
	int kept = errno;
	long ms = (long)(roll() % longest_ms) + 1;
	struct timespec time = {ms / 1000, ms % 1000 * 1000000};
	nanosleep(&time, NULL);
	errno = kept;
}

#define INTERPOSE(type, name, parameters, arguments)               \
	type name parameters;                                      \
	type name parameters                                       \
	{                                                          \
		static type(*real) parameters;                     \
		if (!real)                                         \
			*(void **)&real = dlsym(RTLD_NEXT, #name); \
		maybe_pause();                                     \
		type result = real arguments;                      \
		maybe_pause();                                     \
		return result;                                     \
	}

INTERPOSE(int, epoll_wait, (int fd, struct epoll_event *events, int count, int ms),
	(fd, events, count, ms))
INTERPOSE(int, epoll_pwait,
	(int fd, struct epoll_event *events, int count, int ms, const sigset_t *mask),
	(fd, events, count, ms, mask))
INTERPOSE(int, fsync, (int fd), (fd))
INTERPOSE(int, fdatasync, (int fd), (fd))
INTERPOSE(int, bind, (int fd, const struct sockaddr *address, socklen_t size), (fd, address, size))
INTERPOSE(
	int, connect, (int fd, const struct sockaddr *address, socklen_t size), (fd, address, size))
INTERPOSE(int, listen, (int fd, int backlog), (fd, backlog))
INTERPOSE(int, accept, (int fd, struct sockaddr *address, socklen_t *size), (fd, address, size))
INTERPOSE(int, accept4, (int fd, struct sockaddr *address, socklen_t *size, int flags),
	(fd, address, size, flags))
INTERPOSE(int, chmod, (const char *path, mode_t mode), (path, mode))
INTERPOSE(int, fchmod, (int fd, mode_t mode), (fd, mode))
INTERPOSE(int, mkdir, (const char *path, mode_t mode), (path, mode))
INTERPOSE(int, rename, (const char *from, const char *to), (from, to))

#include "intake/inherit.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#define NAME_SIZE 64

/* Digits and nothing else, at most INT_MAX. */
static bool read_number(const char *text, unsigned *ret)
{
	unsigned number = 0;
	if (!*text)
		return false;
	for (; *text; text++) {
		unsigned digit = (unsigned)(unsigned char)*text - '0';
		if (digit > 9 || number > (INT_MAX - digit) / 10)
			return false;
		number = number * 10 + digit;
	}
	*ret = number;
	return true;
}

int inherit_count(
	const char *listen_pid, const char *listen_fds, pid_t self, unsigned *ret, struct err *err)
{
	unsigned pid;
	unsigned count;
	if (!listen_pid || !listen_fds) {
		*ret = 0;
		return 0;
	}
	if (!read_number(listen_pid, &pid) || pid == 0)
		return err_set(err, -EINVAL,
			"cannot take the passed-in sockets: LISTEN_PID is '%.40s', which is not a "
			"process; unset it if no sockets are passed in",
			listen_pid);
	if (pid != (unsigned)self) {
		*ret = 0;
		return 0;
	}
	if (!read_number(listen_fds, &count) || count > INHERIT_FDS_MAX)
		return err_set(err, -EINVAL,
			"cannot take the passed-in sockets: LISTEN_FDS is '%.40s', which is not a "
			"number up to %d",
			listen_fds, INHERIT_FDS_MAX);
	*ret = count;
	return 0;
}

void inherit_name(const char *listen_fdnames, unsigned index, char *name, size_t size)
{
	const char *at = listen_fdnames;
	while (at && index--) {
		const char *colon = strchr(at, ':');
		at = colon ? colon + 1 : NULL;
	}
	size_t length = at ? strcspn(at, ":") : 0;
	if (!length) {
		at = "unknown";
		length = strlen(at);
	}
	snprintf(name, size, "%.*s", (int)(length < size ? length : size - 1), at);
}

static int option_of(int fd, int option, int *ret)
{
	socklen_t size = sizeof(*ret);
	return getsockopt(fd, SOL_SOCKET, option, ret, &size) < 0 ? -errno : 0;
}

/* Is it unfit as our stream socket at `path`?  Then `err` gives the reason. */
static bool find_fault(int fd, const char *path, char *why, size_t size)
{
	union {
		struct sockaddr any;
		struct sockaddr_un un;
		char bytes[sizeof(struct sockaddr_un) + 1]; /* a full sun_path ends without NUL */
	} address = {0};
	socklen_t length = sizeof(address.un);
	int type = 0;
	int listens = 0;
	int e = option_of(fd, SO_TYPE, &type);
	if (!e)
		e = option_of(fd, SO_ACCEPTCONN, &listens);
	if (!e && getsockname(fd, &address.any, &length) < 0)
		e = -errno;
	if (e)
		snprintf(why, size, "%s", e == -ENOTSOCK ? "it is not a socket" : strerror(-e));
	else if (address.any.sa_family != AF_UNIX || type != SOCK_STREAM || !address.un.sun_path[0])
		snprintf(why, size,
			"it is not a stream socket with a path; only stream_socket can be passed "
			"in "
			"(ListenStream=%s)",
			path);
	else if (!listens)
		snprintf(why, size, "it does not listen; set Accept=no");
	else if (strcmp(address.un.sun_path, path) != 0)
		snprintf(why, size,
			"it listens at '%.107s', and stream_socket is '%s'; make them the same",
			address.un.sun_path, path);
	else
		return false;
	return true;
}

static int check_one(int fd, const char *name, const char *path, struct err *err)
{
	char why[384];
	if (!find_fault(fd, path, why, sizeof(why)))
		return 0;
	return err_set(
		err, -EINVAL, "cannot take passed-in descriptor %d ('%s'): %s", fd, name, why);
}

static int make_ours(int fd, struct err *err)
{
	int flags = fcntl(fd, F_GETFL);
	if (flags < 0 || fcntl(fd, F_SETFL, flags | O_NONBLOCK) < 0 ||
		fcntl(fd, F_SETFD, FD_CLOEXEC) < 0)
		return err_set(err, -errno, "cannot take passed-in descriptor %d: %s", fd,
			strerror(errno));
	return 0;
}

int inherit_stream(const char *path, int *ret_fd, struct err *err)
{
	unsigned count;
	int e = inherit_count(getenv("LISTEN_PID"), getenv("LISTEN_FDS"), getpid(), &count, err);
	const char *names = getenv("LISTEN_FDNAMES");
	for (unsigned i = 0; !e && i < count; i++) {
		int fd = INHERIT_FIRST_FD + (int)i;
		char name[NAME_SIZE];
		inherit_name(names, i, name, sizeof(name));
		e = check_one(fd, name, path, err);
		if (!e)
			e = make_ours(fd, err);
	}
	if (!e && count > 1)
		e = err_set(err, -EINVAL,
			"%u sockets were passed in for stream_socket '%s'; pass in one", count,
			path);
	if (e)
		return e;
	unsetenv("LISTEN_PID");
	unsetenv("LISTEN_FDS");
	unsetenv("LISTEN_FDNAMES");
	*ret_fd = count ? INHERIT_FIRST_FD : 0;
	return 0;
}

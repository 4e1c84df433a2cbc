#include "intake/listener.h"

#include <errno.h>
#include <poll.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>

/* This socket takes at most half of the descriptors, as the rest of the daemon needs some too. */
size_t listener_connections_max(size_t most)
{
	struct rlimit limit;
	if (getrlimit(RLIMIT_NOFILE, &limit) < 0 || limit.rlim_cur / 2 > most)
		return most;
	return limit.rlim_cur < 2 ? 1 : (size_t)(limit.rlim_cur / 2);
}

int listener_make(
	const char *path, mode_t mode, gid_t gid, struct peer_file *ret_file, struct err *err)
{
	int fd;
	int e = peer_bind(path, SOCK_STREAM, mode, gid, &fd, err);
	if (e < 0)
		return e;
	struct peer_file file = peer_file_at(path);
	if (listen(fd, LISTENER_BACKLOG) < 0) {
		e = err_set(err, -errno, "cannot listen on socket '%s': %s", path, strerror(errno));
		peer_unlink(path, &file);
		close(fd);
		return e;
	}
	*ret_file = file;
	return fd;
}

int listener_accept(int listener)
{
	int fd = accept4(listener, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);
	return fd < 0 ? -errno : fd;
}

bool listener_has_connection(int listener)
{
	struct pollfd pollfd = {.fd = listener, .events = POLLIN};
	return poll(&pollfd, 1, 0) == 1;
}

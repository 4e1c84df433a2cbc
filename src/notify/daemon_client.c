#include "notify/daemon_client.h"

#include "base/clock.h"

#include <errno.h>
#include <poll.h>
#include <stdbool.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#define CONNECT_AGAIN_MS 5
#define ANSWER_MAX 256

struct handover {
	const char *path;
	int fd;
	int64_t wait_ms;
	int64_t deadline_ms;

	const char *unsent;
	size_t unsent_size;
	char answer[ANSWER_MAX + 1];
	size_t answer_size;
};

static int left_ms(const struct handover *h)
{
	int64_t left = h->deadline_ms - clock_monotonic_ms();
	return left > 0 ? (int)left : 0;
}

static int cannot_reach(const struct handover *h, int code, struct err *err)
{
	return err_set(err, -code, "cannot reach mailpushd at '%s': %s", h->path, strerror(code));
}

static int no_answer(const struct handover *h, struct err *err)
{
	return err_set(err, -ETIMEDOUT, "mailpushd at '%s' gave no answer within %d ms", h->path,
		(int)h->wait_ms);
}

/* poll cannot wait for the full backlog of a daemon that does not accept. */
static int connect_in_time(struct handover *h, struct err *err)
{
	struct sockaddr_un address = {.sun_family = AF_UNIX};
	if (strlen(h->path) >= sizeof(address.sun_path))
		return cannot_reach(h, ENAMETOOLONG, err);
	strcpy(address.sun_path, h->path);
	while (connect(h->fd, (const struct sockaddr *)&address, sizeof(address)) < 0) {
		int code = errno;
		if (code != EAGAIN && code != EINTR)
			return cannot_reach(h, code, err);
		int left = left_ms(h);
		if (!left)
			return no_answer(h, err);
		if (code == EAGAIN)
			poll(NULL, 0, left < CONNECT_AGAIN_MS ? left : CONNECT_AGAIN_MS);
	}
	return 0;
}

/* The daemon may have answered although the rest cannot be sent. */
static void send_some(struct handover *h)
{
	ssize_t n = send(h->fd, h->unsent, h->unsent_size, MSG_NOSIGNAL);
	if (n >= 0) {
		h->unsent += n;
		h->unsent_size -= (size_t)n;
	} else if (errno != EAGAIN && errno != EINTR) {
		h->unsent_size = 0;
	}
}

/* False: nothing more will come. */
static bool receive_some(struct handover *h)
{
	ssize_t n = recv(h->fd, h->answer + h->answer_size, ANSWER_MAX - h->answer_size, 0);
	if (n < 0)
		return errno == EAGAIN || errno == EINTR;
	for (ssize_t i = 0; i < n; i++) {
		char *c = &h->answer[h->answer_size++];
		bool is_shown = (*c >= ' ' && *c < 0x7f) || *c == '\r' || *c == '\n';
		*c = is_shown ? *c : '?';
	}
	h->answer[h->answer_size] = '\0';
	return n > 0;
}

static bool is_answered(struct handover *h)
{
	char *end = strpbrk(h->answer, "\r\n");
	if (!end && h->answer_size < ANSWER_MAX)
		return false;
	if (end)
		*end = '\0';
	return true;
}

static int exchange(struct handover *h, struct err *err)
{
	while (!is_answered(h)) {
		struct pollfd pollfd = {.fd = h->fd, .events = POLLIN};
		if (h->unsent_size)
			pollfd.events |= POLLOUT;
		int left = left_ms(h);
		if (!left)
			return no_answer(h, err);
		if (poll(&pollfd, 1, left) <= 0)
			continue;
		if (pollfd.revents & POLLOUT)
			send_some(h);
		if (pollfd.revents & (POLLIN | POLLHUP | POLLERR) && !receive_some(h))
			break;
	}
	if (!h->answer_size)
		return err_set(err, -ECONNRESET,
			"mailpushd at '%s' closed the connection without an answer", h->path);
	if (strcmp(h->answer, "OK ()") != 0)
		return err_set(err, -EPROTO, "mailpushd at '%s' answered: %s", h->path, h->answer);
	return 0;
}

int daemon_client_try(
	const char *path, const void *request, size_t size, int64_t wait_ms, struct err *err)
{
	struct handover h = {.path = path,
		.wait_ms = wait_ms,
		.deadline_ms = clock_monotonic_ms() + wait_ms,
		.unsent = request,
		.unsent_size = size};
	h.fd = socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	if (h.fd < 0)
		return cannot_reach(&h, errno, err);
	int status = connect_in_time(&h, err);
	if (!status)
		status = exchange(&h, err);
	close(h.fd);
	return status;
}

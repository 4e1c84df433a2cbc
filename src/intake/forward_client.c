#include "intake/forward_client.h"

#include "base/mem.h"

#include <assert.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#define ANSWER_MAX 256
#define ANSWER_SHOWN 80

/* A connection to the target.  The loop may keep it longer than its owner. */
struct link {
	struct forward_client *handoff; /* NULL: given up */
	union {
		uv_handle_t handle;
		uv_pipe_t pipe; /* dlist */
		uv_poll_t poll; /* datagram */
	} is;
	int fd; /* datagram */
	uv_connect_t connect;
	uv_write_t write;
	bool is_written;
	char answer[ANSWER_MAX];
	size_t answer_size;
};

struct forward_client {
	uv_loop_t *loop;
	char *path;
	bool is_dlist;
	int64_t room_ms;
	int64_t answer_ms;
	forward_client_done_fn *done;
	void *ctx;
	struct link *link; /* dlist: of the pending one; datagram: kept */
	uv_timer_t timer;
	const char *bytes; /* pending; else NULL */
	size_t size;
};

static void on_timer(uv_timer_t *timer);

struct forward_client *forward_client_new(uv_loop_t *loop,
	const struct forward_client_settings *settings, forward_client_done_fn *done, void *ctx)
{
	struct forward_client *h = mem_alloc_zero(1, sizeof(*h));
	h->loop = loop;
	h->path = mem_dup(settings->path);
	h->is_dlist = settings->is_dlist;
	h->room_ms = settings->room_ms ? settings->room_ms : FORWARD_CLIENT_ROOM_MS;
	h->answer_ms = settings->answer_ms ? settings->answer_ms : FORWARD_CLIENT_ANSWER_MS;
	h->done = done;
	h->ctx = ctx;
	uv_timer_init(loop, &h->timer);
	h->timer.data = h;
	return h;
}

static void on_link_closed(uv_handle_t *handle)
{
	free(handle->data);
}

static void give_link_up(struct forward_client *h)
{
	struct link *link = mem_steal(h->link);
	if (!link)
		return;
	link->handoff = NULL;
	uv_close(&link->is.handle, on_link_closed);
	if (link->fd >= 0)
		close(link->fd);
}

static void on_timer_closed(uv_handle_t *handle)
{
	struct forward_client *h = handle->data;
	free(h->path);
	free(h);
}

void forward_client_free(struct forward_client *handoff)
{
	if (!handoff)
		return;
	give_link_up(handoff);
	uv_close((uv_handle_t *)&handoff->timer, on_timer_closed);
}

static void await(struct forward_client *h, int64_t limit_ms)
{
	uv_timer_start(&h->timer, on_timer, (uint64_t)limit_ms, 0);
}

static void finish(struct forward_client *h, enum forward_client_result result, const char *why)
{
	uv_timer_stop(&h->timer);
	h->bytes = NULL;
	if (h->is_dlist || result == FORWARD_CLIENT_AWAY)
		give_link_up(h);
	h->done(h->ctx, result, why);
}

/* Datagrams. */

static int connect_datagrams(const char *path)
{
	struct sockaddr_un address = {.sun_family = AF_UNIX};
	snprintf(address.sun_path, sizeof(address.sun_path), "%s", path);
	int fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	if (fd >= 0 && !connect(fd, (const struct sockaddr *)&address, sizeof(address)))
		return fd;
	int code = errno;
	if (fd >= 0)
		close(fd);
	return -code;
}

static int open_datagrams(struct forward_client *h)
{
	int fd = connect_datagrams(h->path);
	if (fd < 0)
		return fd;
	struct link *link = mem_alloc_zero(1, sizeof(*link));
	int failed = uv_poll_init(h->loop, &link->is.poll, fd);
	if (failed) {
		close(fd);
		free(link);
		return failed;
	}
	link->handoff = h;
	link->fd = fd;
	link->is.poll.data = link;
	h->link = link;
	return 0;
}

static void on_writable(uv_poll_t *poll, int status, int events);

static const char *hint(const struct forward_client *h, int code)
{
	if (code == EPROTOTYPE)
		return h->is_dlist ? " (it takes datagrams: leave out dlist:)"
				   : " (it takes no datagrams: write dlist: before its path)";
	return code == EACCES ? " (make it writable for the daemon's user)" : "";
}

static enum forward_client_result fail_to_send(struct forward_client *h, int code, struct err *err)
{
	if (code == EMSGSIZE) {
		err_set(err, -code, "%zu bytes are more than a datagram can have", h->size);
		return FORWARD_CLIENT_REFUSED;
	}
	give_link_up(h);
	err_set(err, -code, "%s%s", strerror(code), hint(h, code));
	return FORWARD_CLIENT_AWAY;
}

/* The target may have been replaced since the last send: try again over a new connection. */
static enum forward_client_result send_datagram(struct forward_client *h, struct err *err)
{
	for (;;) {
		bool is_new = !h->link;
		int failed = is_new ? open_datagrams(h) : 0;
		if (failed)
			return fail_to_send(h, -failed, err);
		if (send(h->link->fd, h->bytes, h->size, MSG_DONTWAIT | MSG_NOSIGNAL) >= 0)
			return FORWARD_CLIENT_TAKEN;
		if (errno == EAGAIN) {
			uv_poll_start(&h->link->is.poll, UV_WRITABLE, on_writable);
			return FORWARD_CLIENT_PENDING;
		}
		if (is_new || errno == EMSGSIZE)
			return fail_to_send(h, errno, err);
		give_link_up(h);
	}
}

static void on_writable(uv_poll_t *poll, int status, int events)
{
	(void)status;
	(void)events;
	struct link *link = poll->data;
	struct forward_client *h = link->handoff;
	uv_poll_stop(poll);
	struct err err;
	enum forward_client_result result = send_datagram(h, &err);
	if (result != FORWARD_CLIENT_PENDING)
		finish(h, result, result == FORWARD_CLIENT_TAKEN ? NULL : err.text);
}

/* dlist. */

static void finish_with(struct forward_client *h, enum forward_client_result result, int code)
{
	struct err err;
	err_set(&err, code, "%s%s", strerror(-code), hint(h, -code));
	finish(h, result, err.text);
}

/* OK with anything behind it.  Another answer is quoted, with harmful characters replaced. */
static void judge(struct link *link, size_t size)
{
	if (size >= 2 && !memcmp(link->answer, "OK", 2) &&
		(size == 2 || strchr(" \r\n", link->answer[2]))) {
		finish(link->handoff, FORWARD_CLIENT_TAKEN, NULL);
		return;
	}
	if (size && link->answer[size - 1] == '\r')
		size--;
	char shown[ANSWER_SHOWN + 1];
	size_t i = 0;
	for (; i < size && i < ANSWER_SHOWN; i++) {
		char c = link->answer[i];
		shown[i] = c >= ' ' && c < 0x7f ? c : '?';
	}
	shown[i] = '\0';
	struct err err;
	err_set(&err, -EPROTO, "it was answered '%s'", shown);
	finish(link->handoff, FORWARD_CLIENT_REFUSED, err.text);
}

static void on_answer_room(uv_handle_t *handle, size_t suggested, uv_buf_t *ret)
{
	(void)suggested;
	struct link *link = handle->data;
	*ret = uv_buf_init(link->answer + link->answer_size,
		(unsigned)(sizeof(link->answer) - link->answer_size));
}

static void on_answer(uv_stream_t *stream, ssize_t n, const uv_buf_t *buf)
{
	(void)buf;
	struct link *link = stream->data;
	if (n == UV_EOF) {
		finish(link->handoff, FORWARD_CLIENT_UNANSWERED,
			"the connection was closed unanswered");
	} else if (n < 0) {
		finish_with(link->handoff, FORWARD_CLIENT_UNANSWERED, (int)n);
	} else {
		link->answer_size += (size_t)n;
		const char *newline = memchr(link->answer, '\n', link->answer_size);
		if (newline || link->answer_size == sizeof(link->answer))
			judge(link, newline ? (size_t)(newline - link->answer) : link->answer_size);
	}
}

static void on_written(uv_write_t *write, int status)
{
	struct link *link = write->data;
	link->is_written = !status;
	if (status && link->handoff)
		finish_with(link->handoff, FORWARD_CLIENT_UNANSWERED, status);
}

static void on_connected(uv_connect_t *connect, int status)
{
	struct link *link = connect->data;
	struct forward_client *h = link->handoff;
	if (!h)
		return;
	if (status) {
		finish_with(h, FORWARD_CLIENT_AWAY, status);
		return;
	}
	uv_stream_t *stream = (uv_stream_t *)&link->is.pipe;
	uv_buf_t bytes = uv_buf_init((char *)h->bytes, (unsigned)h->size);
	link->write.data = link;
	int failed = uv_read_start(stream, on_answer_room, on_answer);
	if (!failed)
		failed = uv_write(&link->write, stream, &bytes, 1, on_written);
	if (failed)
		finish_with(h, FORWARD_CLIENT_AWAY, failed);
}

static void begin_dlist(struct forward_client *h)
{
	struct link *link = mem_alloc_zero(1, sizeof(*link));
	link->handoff = h;
	link->fd = -1;
	uv_pipe_init(h->loop, &link->is.pipe, 0);
	link->is.handle.data = link;
	link->connect.data = link;
	h->link = link;
	uv_pipe_connect(&link->connect, &link->is.pipe, h->path, on_connected);
}

/* Both. */

static void on_timer(uv_timer_t *timer)
{
	struct forward_client *h = timer->data;
	/* A notification that the target did not read completely was not taken. */
	if (h->is_dlist && h->link->is_written)
		finish(h, FORWARD_CLIENT_UNANSWERED, "it does not answer");
	else
		finish(h, FORWARD_CLIENT_AWAY, "it does not read");
}

enum forward_client_result forward_client_send(
	struct forward_client *handoff, const char *bytes, size_t size, struct err *err)
{
	struct forward_client *h = handoff;
	assert(!h->bytes);
	h->bytes = bytes;
	h->size = size;
	enum forward_client_result result = FORWARD_CLIENT_PENDING;
	if (h->is_dlist)
		begin_dlist(h);
	else
		result = send_datagram(h, err);
	if (result == FORWARD_CLIENT_PENDING)
		await(h, h->is_dlist ? h->answer_ms : h->room_ms);
	else
		h->bytes = NULL;
	return result;
}

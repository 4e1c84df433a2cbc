#include "platform/mhdwatch.h"

#include <stdlib.h>

/* libmicrohttpd keeps an epoll descriptor, which is readable when any of its own is ready. */
struct mhdwatch {
	uv_poll_t poll;
	mhdwatch_due_fn *due;
	void *ctx;
};

unsigned mhdwatch_flags(void)
{
	return MHD_USE_EPOLL;
}

static void on_poll(uv_poll_t *poll, int status, int events)
{
	struct mhdwatch *watch = poll->data;
	(void)status;
	(void)events;
	watch->due(watch->ctx);
}

struct mhdwatch *mhdwatch_new(
	uv_loop_t *loop, struct MHD_Daemon *daemon, mhdwatch_due_fn *due, void *ctx)
{
	const union MHD_DaemonInfo *info = MHD_get_daemon_info(daemon, MHD_DAEMON_INFO_EPOLL_FD);
	struct mhdwatch *watch = calloc(1, sizeof(*watch));
	if (!watch)
		abort(); /* out of memory */
	watch->due = due;
	watch->ctx = ctx;
	uv_poll_init(loop, &watch->poll, info->epoll_fd);
	watch->poll.data = watch;
	uv_poll_start(&watch->poll, UV_READABLE, on_poll);
	return watch;
}

static void on_closed(uv_handle_t *handle)
{
	free(handle->data);
}

void mhdwatch_free(struct mhdwatch *watch)
{
	uv_close((uv_handle_t *)&watch->poll, on_closed);
}

void mhdwatch_renew(struct mhdwatch *watch)
{
	(void)watch;
}

void mhdwatch_forget(struct mhdwatch *watch, int fd)
{
	(void)watch;
	(void)fd;
}

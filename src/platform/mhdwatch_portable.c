#include "platform/mhdwatch.h"

#include <stdlib.h>
#include <sys/select.h>

/*
 * Each descriptor of libmicrohttpd is watched for what its sets for select(2) say.  It takes no
 * connection whose descriptor has no place in them (FD_SETSIZE).
 */
struct mhdwatch {
	uv_loop_t *loop;
	struct MHD_Daemon *daemon;
	mhdwatch_due_fn *due;
	void *ctx;
	uv_poll_t *polls[FD_SETSIZE];
	int end; /* no poll from here on */
};

unsigned mhdwatch_flags(void)
{
	return MHD_NO_FLAG;
}

static void on_poll(uv_poll_t *poll, int status, int events)
{
	struct mhdwatch *watch = poll->data;
	(void)status;
	(void)events;
	watch->due(watch->ctx);
}

static void on_closed(uv_handle_t *handle)
{
	free(handle);
}

void mhdwatch_forget(struct mhdwatch *watch, int fd)
{
	if (fd >= watch->end || !watch->polls[fd])
		return;
	uv_close((uv_handle_t *)watch->polls[fd], on_closed);
	watch->polls[fd] = NULL;
}

/* NULL: the kernel has no room for it; its connection is cut when its time is up. */
static uv_poll_t *poll_of(struct mhdwatch *watch, int fd)
{
	if (watch->polls[fd])
		return watch->polls[fd];
	uv_poll_t *poll = calloc(1, sizeof(*poll));
	if (!poll)
		abort(); /* out of memory */
	if (uv_poll_init(watch->loop, poll, fd)) {
		free(poll);
		return NULL;
	}
	poll->data = watch;
	watch->polls[fd] = poll;
	if (fd >= watch->end)
		watch->end = fd + 1;
	return poll;
}

void mhdwatch_renew(struct mhdwatch *watch)
{
	fd_set reading;
	fd_set writing;
	fd_set failing; /* a poll tells of that in any case */
	int last = -1;
	FD_ZERO(&reading);
	FD_ZERO(&writing);
	FD_ZERO(&failing);
	MHD_get_fdset2(watch->daemon, &reading, &writing, &failing, &last, FD_SETSIZE);
	for (int fd = 0; fd <= last || fd < watch->end; fd++) {
		int events = (FD_ISSET(fd, &reading) ? UV_READABLE : 0) |
			(FD_ISSET(fd, &writing) ? UV_WRITABLE : 0);
		uv_poll_t *poll = events ? poll_of(watch, fd) : NULL;
		if (poll)
			uv_poll_start(poll, events, on_poll);
		else
			mhdwatch_forget(watch, fd);
	}
}

struct mhdwatch *mhdwatch_new(
	uv_loop_t *loop, struct MHD_Daemon *daemon, mhdwatch_due_fn *due, void *ctx)
{
	struct mhdwatch *watch = calloc(1, sizeof(*watch));
	if (!watch)
		abort(); /* out of memory */
	watch->loop = loop;
	watch->daemon = daemon;
	watch->due = due;
	watch->ctx = ctx;
	mhdwatch_renew(watch);
	return watch;
}

void mhdwatch_free(struct mhdwatch *watch)
{
	for (int fd = 0; fd < watch->end; fd++)
		mhdwatch_forget(watch, fd);
	free(watch);
}

/*
 * mhdwatch - tells when libmicrohttpd has something to do, in our loop and without a thread.
 *
 * For a daemon of libmicrohttpd that was started with mhdwatch_flags() and is run by MHD_run alone.
 * Loop thread only.
 */
#ifndef MAILPUSH_PLATFORM_MHDWATCH_H
#define MAILPUSH_PLATFORM_MHDWATCH_H

#include <microhttpd.h>
#include <uv.h>

struct mhdwatch;

/* A descriptor is ready: MHD_run is due. */
typedef void mhdwatch_due_fn(void *ctx);

unsigned mhdwatch_flags(void);

/* Never NULL.  `daemon` is borrowed until mhdwatch_free. */
struct mhdwatch *mhdwatch_new(
	uv_loop_t *loop, struct MHD_Daemon *daemon, mhdwatch_due_fn *due, void *ctx);
/* Before MHD_stop_daemon.  The loop frees the rest in its next turn. */
void mhdwatch_free(struct mhdwatch *watch);

/* After each MHD_run: what it waits for may be something else by now. */
void mhdwatch_renew(struct mhdwatch *watch);
/* libmicrohttpd is about to close this descriptor. */
void mhdwatch_forget(struct mhdwatch *watch, int fd);

#endif

/*
 * dialer - a connected socket to one of a host's addresses.
 *
 * It resolves the name on libuv's pool and tries one address after another: the next one as soon as
 * one fails, or after `next_after_ms` beside those still trying; the first to connect wins.  The
 * order begins at `rotation`, so that attempts spread over all addresses of Apple, alternates
 * between IPv6 and IPv4, and has addresses in use last.
 *
 * It has no time limit: the caller cancels, and gives each address its time (dialer_tried_ms). Loop
 * thread.
 */
#ifndef MAILPUSH_APNS_DIALER_H
#define MAILPUSH_APNS_DIALER_H

#include "base/err.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/socket.h>
#include <uv.h>

#define DIALER_ADDRESSES_MAX 16

struct dialer;

/*
 * fd: connected, non-blocking, with TCP_NODELAY; the callee owns it.  -1: no address answered,
 * `failure` says why.  Called once, never from within dialer_start; the dialer has ended then.
 */
typedef void dialer_done_fn(
	void *ctx, int fd, const struct sockaddr_storage *address, const char *failure);
typedef bool dialer_in_use_fn(void *ctx, const struct sockaddr_storage *address);

struct dialer_settings {
	const char *host; /* borrowed until the end */
	const char *key;  /* the setting that names it, for messages; static */
	uint16_t port;
	unsigned rotation;
	int64_t next_after_ms;
	dialer_in_use_fn *in_use; /* may be NULL */
	dialer_done_fn *done;
	void *ctx;
};

int dialer_start(uv_loop_t *loop, const struct dialer_settings *settings, struct dialer **ret,
	struct err *err);
/* `done` is not called after this.  The loop frees it when its handles are closed. */
void dialer_cancel(struct dialer *dialer);
/* When the latest attempt at an address began, in the loop's time; 0: none did. */
int64_t dialer_tried_ms(const struct dialer *dialer);

/* Puts the addresses into the order in which they are tried; pure, for dialer and its tests. */
void dialer_order(struct sockaddr_storage *addresses, size_t count, unsigned rotation,
	dialer_in_use_fn *in_use, void *ctx);

bool dialer_same_address(const struct sockaddr_storage *a, const struct sockaddr_storage *b);
#define DIALER_ADDRESS_SIZE 64
const char *dialer_address_text(
	const struct sockaddr_storage *address, char ret[DIALER_ADDRESS_SIZE]);

#endif

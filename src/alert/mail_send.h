/*
 * mail_send - hands one message to a mail server, by SMTP without TLS or a login, as is usual on
 * the same host.
 *
 * libcurl speaks, on a thread of libuv's pool, for at most MAIL_SEND_MS.  With it a small file is
 * replaced, so that the loop does not wait for a disk either.  One at a time; loop thread.
 */
#ifndef MAILPUSH_ALERT_MAIL_SEND_H
#define MAILPUSH_ALERT_MAIL_SEND_H

#include "base/buf.h"
#include "base/err.h"

#include <stdbool.h>
#include <stdint.h>
#include <uv.h>

#define MAIL_SEND_MS 15000

struct mail_send;

struct mail_send_settings {
	uv_loop_t *loop;
	const char *host;
	uint16_t port;
	const char *address; /* of sender and recipient; mail_text_is_address */
};

/* `failure`: NULL: the server took it. */
typedef void mail_send_done_fn(void *ctx, const char *failure);

/* libcurl is set up for the process.  The strings are copied. */
struct mail_send *mail_send_new(const struct mail_send_settings *settings);
/* A message on its way is given up within a second, without a callback. */
void mail_send_free(struct mail_send *send);
bool mail_send_is_busy(const struct mail_send *send);
/*
 * Only while it is not busy.  Takes the message out of `message`.  When the server took it, `path`
 * (NULL: none) is replaced by `record`, which is taken too; a failure of that is logged.
 */
void mail_send_start(struct mail_send *send, struct buf *message, const char *path,
	struct buf *record, mail_send_done_fn *done, void *ctx);

#endif

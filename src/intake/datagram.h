/*
 * datagram - the socket of `notifysocket: /path`: one notification a datagram, no answer.
 *
 * EVENTS.md section 2a: twelve unread datagrams freeze Cyrus, so it reads this socket first and at
 * once: many datagrams at a time (receive.h), at most DATAGRAM_TURN_MAX a turn, and nothing here
 * waits.  The sender's uid comes with each datagram (peercred.h); it counts and reports datagrams
 * of uids that are not allowed.
 *
 * Loop thread only.
 */
#ifndef MAILPUSH_INTAKE_DATAGRAM_H
#define MAILPUSH_INTAKE_DATAGRAM_H

#include "base/err.h"
#include "intake/notification.h"
#include "intake/peer.h"

#include <sys/stat.h>
#include <uv.h>

#define DATAGRAM_TURN_MAX 2048
#define DATAGRAM_SIZE_MAX (64 * 1024 + 512) /* Cyrus never sends more (EVENTS.md 2a) */

struct datagram;

typedef void datagram_fn(void *ctx, const struct notification *notification);
/*
 * A datagram that is malformed or from a peer that is not allowed; `text` says why.  `kind` is a
 * literal for limiting the log (log_seldom).
 */
typedef void datagram_rejected_fn(
	void *ctx, enum notification_fault fault, const char *kind, const char *text);

struct datagram_callbacks {
	datagram_fn *came;
	datagram_rejected_fn *rejected;
};

/*
 * Splits one datagram (EVENTS.md 2a) by counting its fields; pure.  Fields are never NIL, except
 * `filepath` when the datagram ends with the message.  -EBADMSG: it is malformed.
 */
int datagram_parse(const char *bytes, size_t size, struct notification *ret, struct err *err);

/*
 * Creates the socket at `path` with `mode` and `gid` ((gid_t)-1: the daemon's) and begins to read.
 * Replaces a stale socket file.  -EADDRINUSE: another process serves the socket, or the file is of
 * another kind.  `peers` is borrowed for as long as the socket lives.
 */
int datagram_new(uv_loop_t *loop, const char *path, mode_t mode, gid_t gid,
	const struct peer_rules *peers, const struct datagram_callbacks *callbacks, void *ctx,
	struct datagram **ret, struct err *err);
/* The socket's file, as created. */
const struct peer_file *datagram_file(const struct datagram *datagram);
/*
 * After the file is gone: creates socket and file again, as datagram_new, and takes in what is
 * still queued in the old one (calls `came`).  After a failure the old one stays.
 */
int datagram_rebind(struct datagram *datagram, struct err *err);
/*
 * Unlinks (unless the file is another one by now), takes in what is already queued (calls `came`)
 * and closes.  The loop frees it in its next turn.
 */
void datagram_free(struct datagram *datagram);

#endif

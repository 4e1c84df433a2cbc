/*
 * core - what the parts of the daemon share: the stages, joined.
 *
 * One struct; parts.c makes the members and takes them down, and says in which order.  Loop thread
 * only.
 */
#ifndef MAILPUSH_FLOW_CORE_H
#define MAILPUSH_FLOW_CORE_H

#include "apns/sender.h"
#include "base/clock.h"
#include "config/config.h"
#include "config/input_files.h"
#include "flow/forward.h"
#include "flow/observer.h"
#include "intake/datagram.h"
#include "intake/spool.h"
#include "intake/stream.h"
#include "queue/queue.h"
#include "registry/registry.h"

#include <uv.h>

struct core {
	uv_loop_t *loop;
	const struct config *config;
	const char *config_path; /* for reading it again */
	struct systemd *systemd;
	struct input_files
		*input_files; /* imapd.conf and the credentials, read again when they change */

	struct queue *queue;
	struct registry *registry;
	struct sender *sender;
	struct delivery *delivery;
	struct probes *probes;
	struct credential_check *credential_check;
	struct forward *forward;
	struct arrivals *arrivals;
	struct expiry *expiry;
	struct metrics *metrics;
	struct history *history;
	struct failures *failures;
	struct event_stream *event_stream;
	struct observer observer; /* of the events and the answers: the event stream */
	struct control *control;
	int64_t started_unix_ms;
	struct datagram *datagram;
	struct stream *stream;
	struct spool *spool;
};

#endif

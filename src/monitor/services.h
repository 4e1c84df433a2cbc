/*
 * services - the parts that monitor and admin read from and give orders to.
 *
 * Pointers to parts that outlive the control socket; daemon/parts.c fills it.  Loop thread only.
 */
#ifndef MAILPUSH_MONITOR_SERVICES_H
#define MAILPUSH_MONITOR_SERVICES_H

#include "apns/sender.h"
#include "base/clock.h"
#include "config/config.h"
#include "config/input_files.h"
#include "queue/queue.h"
#include "registry/registry.h"

#include <uv.h>

struct services {
	uv_loop_t *loop;
	const struct config *config;
	const struct input_files *input_files;
	struct registry *registry;
	struct queue *queue;
	struct sender *sender;
	struct delivery *delivery;
	struct probes *probes;
	struct arrivals *arrivals;
	struct forward *forward;
	struct expiry *expiry;
	struct metrics *metrics;
	struct history *history;
	struct failures *failures;
	struct trace *trace; /* NULL: off */
	struct event_stream *event_stream;
	struct alarm_mail *alarm_mail;
	struct db_totals *db_totals; /* the control socket's own */
	int64_t started_unix_ms;
};

#endif

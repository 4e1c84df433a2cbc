/*
 * parts - starts, stops and frees the parts of the daemon by one list.
 *
 * The list in parts.c gives the order and the reasons for it.  When each of the three is done, and
 * what happens in between, is life's.  Loop thread only.
 */
#ifndef MAILPUSH_DAEMON_PARTS_H
#define MAILPUSH_DAEMON_PARTS_H

#include "config/config.h"
#include "daemon/signals.h"
#include "flow/pipeline.h"
#include "monitor/services.h"
#include "stats/metrics.h"
#include "stats/observer.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <uv.h>

#define PARTS_STOP_MS 2000 /* for Apple's answers and for writes to disk */

enum { PARTS_PIPELINE_SEED, PARTS_SPOOL_SEED = PIPELINE_SEEDS, PARTS_CHECK_SEED, PARTS_SEEDS };

/* The daemon is to stop. */
typedef void parts_stop_wanted_fn(void *ctx, const char *why);

struct parts {
	/* Given, and borrowed. */
	const char *config_path;
	struct config *config;
	uv_loop_t *loop;
	struct systemd *systemd;
	parts_stop_wanted_fn *stop_wanted;
	void *ctx;

	uint8_t seeds[PARTS_SEEDS][16];
	struct metrics metrics;
	struct observer observer;
	struct input_files *input_files;
	struct reload *reload;
	struct pipeline pipeline;
	struct services services;
	struct group_refresh *group_refresh;
	struct trace *trace; /* NULL: off */
	struct keyring *keyring;
	struct credential_check *credential_check;
	struct signals signals;
	struct spool *spool;
	struct clock_watch *clock_watch;
	struct control *control;
	struct datagram *datagram;
	struct socket_watch *socket_watch;
	struct xaps_calls *xaps_calls;
	struct xaps_http *xaps_http;
	struct xaps_socket *xaps_socket;

	size_t started; /* parts that were started, with the one whose start failed */
	bool is_up;	/* set by life: the loop runs */
	bool has_queue_failed;
	bool is_sender_stopped;
};

/* The parts in order.  After a failure parts_stop and parts_end take down those that were started.
 */
int parts_start(struct parts *parts, struct err *err);
/*
 * In reverse order: nothing new comes in or leaves, but everybody who waits still gets an answer.
 * The loop goes on; `is_sender_stopped` is set when Apple has answered or after PARTS_STOP_MS.
 */
void parts_stop(struct parts *parts);
/* After the databases have ended: frees the parts, in reverse order. */
void parts_end(struct parts *parts);

#endif

/*
 * pipeline - joins the way of an event: notifications go to arrivals, pushes that are due to
 * delivery.
 *
 * It makes and ends registry, queue, delivery, forward, arrivals and expiry, and holds the
 * callbacks between them.  The daemon and the simulation both run it.  It opens no socket: whoever
 * opens one gives it the callbacks below, with the pipeline as ctx.
 *
 * Loop thread only.
 */
#ifndef MAILPUSH_FLOW_PIPELINE_H
#define MAILPUSH_FLOW_PIPELINE_H

#include "arrival/arrivals.h"
#include "arrival/dovecot_door.h"
#include "arrival/forward.h"
#include "config/config.h"
#include "config/input_files.h"
#include "flow/delivery.h"
#include "flow/expiry.h"
#include "intake/datagram.h"
#include "intake/spool.h"
#include "intake/stream.h"
#include "stats/observer.h"
#include "trace/trace.h"
#include "xaps/xaps_call.h"

#define PIPELINE_SEEDS 2

/* All of it outlives the pipeline. */
struct pipeline_needs {
	uv_loop_t *loop;
	const struct config *config;
	const struct input_files *input_files;
	struct metrics *metrics;
	struct failures *failures;
	const struct observer *observer;
	struct trace *trace; /* NULL: off */
	/* The queue was found damaged: nothing is stored any more, and the daemon must stop. */
	void (*failed)(void *ctx);
	/* As of dovecot_door_needs. */
	const char *(*topic)(void *ctx, const char *user);
	void *ctx;
};

/* Zeroed before the start; to be read, not to be changed. */
struct pipeline {
	struct pipeline_needs needs;
	struct registry *registry;
	struct registry_watch *registry_watch;
	struct queue *queue;
	struct delivery *delivery;
	struct forward *forward;
	struct arrivals *arrivals;
	struct dovecot_door *dovecot_door;
	struct expiry *expiry;
	/* Set by who opens them, before pipeline_opened: overload pauses them. */
	struct stream *stream;
	struct xaps_calls *xaps_calls;
	struct stream *dovecot_stream;
	bool is_paused;
};

extern const struct datagram_callbacks pipeline_datagram_callbacks;
extern const struct stream_callbacks pipeline_stream_callbacks;
extern const struct stream_callbacks pipeline_dovecot_callbacks;
extern const struct spool_callbacks pipeline_spool_callbacks;

/*
 * Makes the parts, in the order in which they need each other.  Events may come from then on, and
 * wait.  pipeline_end and pipeline_free are due after a failure too.
 */
int pipeline_start(struct pipeline *pipeline, const struct pipeline_needs *needs,
	const uint8_t seeds[PIPELINE_SEEDS][16], struct err *err);
/*
 * The configuration changed.  `trust`: of other settings of Apple's (tls_trust), handed over; NULL:
 * those are as they were.
 */
void pipeline_configure(struct pipeline *pipeline, X509_STORE *trust);
/* Takes in what the queue's file holds (queue_load), then the events that waited. */
int pipeline_load(struct pipeline *pipeline, struct err *err);
/* All sockets are open.  Pauses them if what the queue's file held is too much already. */
void pipeline_opened(struct pipeline *pipeline);
/* Before the sockets are closed: nobody waits for a name any more. */
void pipeline_stop(struct pipeline *pipeline);
/*
 * Ends the databases: first the registry, as what it gives back is parked in the queue.  Whoever
 * waits for an answer gets one.  The sender must have stopped.  NULL, or the name of a database
 * whose disk does not answer: nothing more of the pipeline may be freed then.
 */
const char *pipeline_end(struct pipeline *pipeline);
void pipeline_free(struct pipeline *pipeline);

#endif

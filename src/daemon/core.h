/*
 * core - what the parts of the daemon share: the stages, joined.
 *
 * One struct; main.c makes the members and takes them down, and says in which order.  Loop thread
 * only.
 */
#ifndef MAILPUSH_DAEMON_CORE_H
#define MAILPUSH_DAEMON_CORE_H

#include "apns/sender.h"
#include "base/clock.h"
#include "daemon/config.h"
#include "daemon/former.h"
#include "daemon/forward.h"
#include "daemon/sources.h"
#include "daemon/supervisor.h"
#include "intake/datagram.h"
#include "intake/spool.h"
#include "intake/stream.h"
#include "queue/schedule.h"
#include "registry/registry.h"

#include <uv.h>

struct core {
	uv_loop_t *loop;
	const struct config *config;
	const char *config_path; /* for reading it again */
	struct supervisor *supervisor;
	struct sources *sources; /* imapd.conf and the credentials, read again when they change */

	struct former *former; /* the topics that Cyrus gave before */
	struct schedule *schedule;
	struct store *store;
	struct registry *registry;
	struct sender *sender;
	struct delivery *delivery;
	struct probe *probes; /* that wait for room */
	struct checkup *checkup;
	struct forward *forward;
	struct arrivals *arrivals;
	struct tidy *tidy;
	struct metrics *metrics;
	struct history *history;
	struct failures *failures;
	struct audience *audience;
	struct control *control;
	int64_t started_unix_ms;
	struct datagram *datagram;
	struct stream *stream;
	struct spool *spool;
};

static inline struct schedule_time core_time(void)
{
	return (struct schedule_time){clock_monotonic_ms(), clock_unix_ms()};
}

/* Submits a decision of the schedule; NULL is none. */
static inline void core_store(struct core *core, struct queue_job *job)
{
	if (job)
		store_submit(core->store, job);
}

#endif

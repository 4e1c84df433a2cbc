/*
 * inquiry - a question that a person asks of the registry or the queue: asked as a job on their
 * threads, never on the loop.
 *
 * Embedded in whatever waits for the answer; it must live until the answer came, also when the
 * daemon stops (status -ECANCELED then).  Loop thread only.
 */
#ifndef MAILPUSH_DAEMON_INQUIRY_H
#define MAILPUSH_DAEMON_INQUIRY_H

#include "daemon/core.h"
#include "queue/store.h"

struct inquiry {
	struct registry_job job;
	struct registry_query query;
	struct queue_reading reading;
	void (*answered)(struct inquiry *inquiry, int status);
};

/* LIST (of inquiry->query), REMOVE or COUNT; what job borrows is set by the caller. */
void inquiry_ask_registry(struct core *core, struct inquiry *inquiry, enum registry_job_kind kind,
	void (*answered)(struct inquiry *inquiry, int status));
/* `parts` of READ_*, about inquiry->reading. */
void inquiry_ask_queue(struct core *core, struct inquiry *inquiry, unsigned parts,
	void (*answered)(struct inquiry *inquiry, int status));
/* Frees what the answers brought. */
void inquiry_fini(struct inquiry *inquiry);

void inquiry_on_registry(struct registry_job *job);
void inquiry_on_stored(struct queue_job *job);

#endif

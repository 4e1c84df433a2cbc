/*
 * expiry - housekeeping: once an hour the registry forgets registrations that are over and nudges
 * phones whose registration is about to be.
 *
 * The nodes of a site share it: of those that come in an hour one does it, and each finds out what
 * became of the users that are suspended in its own queue.
 *
 * Loop thread only.
 */
#ifndef MAILPUSH_FLOW_EXPIRY_H
#define MAILPUSH_FLOW_EXPIRY_H

#include "flow/delivery.h"
#include "queue/queue.h"
#include "registry/registry.h"

struct expiry;

struct expiry_needs {
	uv_loop_t *loop;
	struct registry *registry;
	struct queue *queue;
	struct delivery *delivery;
	struct metrics *metrics;
	struct trace *trace; /* NULL: off */
};

struct expiry *expiry_new(const struct expiry_needs *needs);
void expiry_free(struct expiry *tidy);
/*
 * The clock was set, so the registry is asked at once: it sees that, before and after it is set
 * right again, for then nobody goes (REGISTRY_TIDY).
 */
void expiry_now(struct expiry *tidy);

struct expiry_result {
	int status;	     /* the job's */
	const char *refusal; /* the job's, valid for the call */
	uint64_t gone;
	uint64_t nudged;
	uint64_t kept_back;
};

/*
 * Does it now, or waits for the one that is under way; `done` is called once, later.  False:
 * somebody waits already.
 */
bool expiry_ask(struct expiry *tidy, void (*done)(void *ctx, const struct expiry_result *result),
	void *ctx);
/* Nobody waits any more. */
void expiry_forget(struct expiry *tidy);

#endif

/*
 * tidy - housekeeping: once an hour the registry forgets what is over and nudges who is about to
 * be.
 *
 * Loop thread only.
 */
#ifndef MAILPUSH_DAEMON_TIDY_H
#define MAILPUSH_DAEMON_TIDY_H

#include "daemon/core.h"

struct tidy;

struct tidy *tidy_new(struct core *core);
void tidy_free(struct tidy *tidy);
/*
 * At once, because the clock was set: the registry is to see that, before and after it is set right
 * again, for then nobody goes (REGISTRY_TIDY).
 */
void tidy_now(struct tidy *tidy);

struct tidy_result {
	int status; /* -ECANCELED: not done, the registry is being stopped */
	uint64_t gone;
	uint64_t nudged;
	uint64_t kept_back;
};

/*
 * Does it now, or waits for the one that is under way; `done` is called once, later.  False:
 * somebody waits already.
 */
bool tidy_ask(
	struct tidy *tidy, void (*done)(void *ctx, const struct tidy_result *result), void *ctx);
/* Nobody waits any more. */
void tidy_forget(struct tidy *tidy);
/* The registry's answer to REGISTRY_TIDY. */
void tidy_on_registry(struct tidy *tidy, struct registry_job *job);

#endif

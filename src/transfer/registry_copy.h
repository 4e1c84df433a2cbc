/*
 * registry_copy - registrations go from one registry to another, as they are, whatever databases
 * the two are in.
 *
 * Both are asked through their drivers (driver/ops.h), a page at a time, so memory is bounded and
 * work on either of them waits for a page at most.  A page that fails for a passing reason is
 * tried again; what was copied stays, and all of it may be done again.
 *
 * What was renewed later wins, and what the other registry has forgotten since does not come back.
 * The other one's word counts for the same renewal, unless it is the last copy: then nobody works
 * on the first registry any more, so that all it says is taken, and what it has forgotten goes.
 */
#ifndef MAILPUSH_TRANSFER_REGISTRY_COPY_H
#define MAILPUSH_TRANSFER_REGISTRY_COPY_H

#include "driver/ops.h"

struct registry_copy_counts {
	uint64_t read;
	uint64_t new_ones;
	uint64_t renewed;   /* there as of an earlier renewal */
	uint64_t changed;   /* there as of the same renewal; the last copy alone */
	uint64_t known;	    /* there, as it is here or newer */
	uint64_t forgotten; /* there, since it was renewed here */
	uint64_t removed;   /* as it was forgotten here; the last copy alone */
	uint64_t others;    /* there and not here, in the end; the last copy alone */
};

struct registry_copy_settings {
	struct registry_db *from;
	struct registry_db *to;
	bool is_last;
	bool is_dry_run;
	void (*progress)(void *ctx, const struct registry_copy_counts *so_far);
	void *ctx;
};

/* `ret` counts what was done before a failure too. */
int registry_copy_run(const struct registry_copy_settings *settings,
	struct registry_copy_counts *ret, struct err *err);

#endif

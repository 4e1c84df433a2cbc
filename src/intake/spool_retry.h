/*
 * spool_retry - names in the spool folder that could not be taken, and the time to retry each.
 *
 * A name that fails rests for SPOOL_RETRY_FIRST_MS, then twice as long after each further failure,
 * up to SPOOL_RETRY_LONGEST_MS.  So bad files cost next to nothing and do not take the place of
 * good ones.  It keeps SPOOL_RETRY_MAX names; further ones are tried in every pass.  It forgets a
 * name that a whole pass through the folder did not see.
 *
 * Bookkeeping only: no disk, no clock.  One thread at a time.
 */
#ifndef MAILPUSH_INTAKE_SPOOL_RETRY_H
#define MAILPUSH_INTAKE_SPOOL_RETRY_H

#include "base/map.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define SPOOL_RETRY_FIRST_MS 5000
#define SPOOL_RETRY_LONGEST_MS (10 * 60 * 1000)
#define SPOOL_RETRY_MAX 16384

struct spool_retry {
	struct map *names;
	size_t faults;
	uint64_t pass;
};

/* `seed`: see map.h. */
void spool_retry_init(struct spool_retry *aside, const uint8_t seed[16]);
void spool_retry_fini(struct spool_retry *aside);

/* The pass has reached this name: is it too early to retry it? */
bool spool_retry_waits(struct spool_retry *aside, const char *name, int64_t now_ms);
/* `is_fault`: somebody must mend something, or else it is only too early for the file. */
void spool_retry_failed(struct spool_retry *aside, const char *name, bool is_fault, int64_t now_ms);
/* The name was taken at last, and is not there any more. */
void spool_retry_forget(struct spool_retry *aside, const char *name);
void spool_retry_end_pass(struct spool_retry *aside);
size_t spool_retry_count(const struct spool_retry *aside);
size_t spool_retry_faults(const struct spool_retry *aside);

#endif

/*
 * spoolaside - the names in the spool folder that could not be taken, and when each is looked at
 * again.
 *
 * A name that fails is left alone for SPOOLASIDE_FIRST_MS, then twice as long each time it fails
 * again, up to SPOOLASIDE_LONGEST_MS.  So what cannot be taken costs next to nothing and takes no
 * place of what can.  Of SPOOLASIDE_MAX names; what is beyond is looked at in every pass.  A name
 * that a whole pass through the folder has not seen is forgotten.
 *
 * Bookkeeping only: no disk, no clock.  One thread at a time.
 */
#ifndef MAILPUSH_INTAKE_SPOOLASIDE_H
#define MAILPUSH_INTAKE_SPOOLASIDE_H

#include "base/map.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define SPOOLASIDE_FIRST_MS 5000
#define SPOOLASIDE_LONGEST_MS (10 * 60 * 1000)
#define SPOOLASIDE_MAX 16384

struct spoolaside {
	struct map *names;
	uint64_t pass;
};

/* `seed`: see map.h. */
void spoolaside_init(struct spoolaside *aside, const uint8_t seed[16]);
void spoolaside_fini(struct spoolaside *aside);

/* The pass has come to this name: is it to be left alone yet? */
bool spoolaside_waits(struct spoolaside *aside, const char *name, int64_t now_ms);
void spoolaside_failed(struct spoolaside *aside, const char *name, int64_t now_ms);
/* It could be taken after all. */
void spoolaside_forget(struct spoolaside *aside, const char *name);
void spoolaside_end_pass(struct spoolaside *aside);
size_t spoolaside_count(const struct spoolaside *aside);

#endif

/*
 * lookup - the addresses of a host's name, for threads that may block but not without end.
 *
 * The resolver has deadlines of its own, of half a minute and more.  So a thread of the look-up's
 * own asks it, and whoever needs the answer waits for as long as they like, and may come back.  A
 * look-up that nobody wants any more ends by itself when the resolver has answered.
 *
 * One owner, one thread.
 */
#ifndef MAILPUSH_DRIVER_LOOKUP_H
#define MAILPUSH_DRIVER_LOOKUP_H

#include "base/err.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Further ones are left out. */
#define LOOKUP_ADDRESSES_MAX 16

struct lookup;

/* Begins at once. */
struct lookup *lookup_new(const char *name);
void lookup_free(struct lookup *lookup);

/*
 * Until it is answered, or `deadline_ms` (monotonic) has passed: -ETIMEDOUT, and it goes on.
 * -ENOENT: there are no addresses, or the resolver does not know.
 */
int lookup_wait(struct lookup *lookup, int64_t deadline_ms, struct err *err);
bool lookup_is_answered(struct lookup *lookup);
/* After lookup_wait went well: as text, in the order in which they are to be tried. */
size_t lookup_count(const struct lookup *lookup);
const char *lookup_address(const struct lookup *lookup, size_t n);

#endif

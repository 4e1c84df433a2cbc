/*
 * trace_ring - the trace's file: slots of equal size, of which the oldest is overwritten.
 *
 * A file of its own kind and not SQLite: entries are only ever added at one end and read one after
 * another, so a slot of many entries is written with one call, the size is bounded by itself, and
 * damage costs the slot that it hits.
 *
 * A slot has a number, which only grows, the times of its entries, and a checksum.  The newest one
 * is filled up and written again until the next entries do not fit.  Nothing is synced: after a
 * power cut the last minutes may be missing, and that is no loss to anybody's mail.
 *
 * Nothing of a damaged slot is read; a file in which no slot is sound is set aside as
 * PATH.damaged, over an earlier one, and a new one begins.  A file that was removed or replaced is
 * opened again.  A smaller size drops what is beyond it.
 *
 * Errors are negative errno values with a text that names the file.  One thread at a time.
 */
#ifndef MAILPUSH_TRACE_TRACE_RING_H
#define MAILPUSH_TRACE_TRACE_RING_H

#include "base/err.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define TRACE_RING_SLOT 16384
#define TRACE_RING_ROOM (TRACE_RING_SLOT - 64) /* for entries */

struct trace_ring;

/* `size`: of the file, at most; a slot at least.  -EBUSY: another process has it. */
int trace_ring_open(const char *path, uint64_t size, struct trace_ring **ret, struct err *err);
void trace_ring_close(struct trace_ring *ring);
/* -ESTALE: the file was removed or replaced; close it. */
int trace_ring_check(const struct trace_ring *ring, struct err *err);

/* Adds entries of these times, at most TRACE_RING_ROOM bytes: all or none. */
int trace_ring_append(struct trace_ring *ring, const uint8_t *bytes, size_t size, int64_t first_ms,
	int64_t last_ms, struct err *err);
/* Erases the slots whose last entry is older. */
int trace_ring_expire(struct trace_ring *ring, int64_t before_ms, struct err *err);

/*
 * The bytes of a slot, of which those before `from` are known already.  Returns how many of them
 * are to stay, moved to the front: `size` if it only looks.
 */
typedef size_t trace_ring_visit_fn(void *ctx, uint8_t *bytes, size_t size, size_t from);
/*
 * Visits the slots that end at `since_ms` or later, the oldest first, from the position `after` on
 * (0: all).  A slot of which only a part stays is written again.  `ret_end`: the position behind
 * the last; `ret_damaged`: how many could not be read.
 */
int trace_ring_visit(struct trace_ring *ring, int64_t since_ms, int64_t after,
	trace_ring_visit_fn *visit, void *ctx, int64_t *ret_end, uint64_t *ret_damaged,
	struct err *err);

/* Bytes in use. */
uint64_t trace_ring_bytes(const struct trace_ring *ring);

#endif

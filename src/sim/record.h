/*
 * record - writes every push as one JSON object a line.
 *
 * It writes a push when its fate is known: with its verdict when it is answered, or with the status
 * null if it never will be.  apns-sim(1) lists the keys.  Lines gather in memory, and
 * record_flush() writes them once a turn of the loop.  A reader that does not read stops the
 * simulator; one that closes ends the record.
 *
 * Loop thread.
 */
#ifndef MAILPUSH_SIM_RECORD_H
#define MAILPUSH_SIM_RECORD_H

#include "base/err.h"
#include "sim/stats.h"
#include "sim/stream.h"

enum record_mode {
	RECORD_FULL,
	RECORD_COUNTS, /* one line at the end, with what the control's stats say */
	RECORD_NONE
};

struct record;

/* fd stays the caller's. */
struct record *record_new(enum record_mode mode, int fd);
void record_free(struct record *record);

static inline bool record_mode_keeps_pushes(enum record_mode mode)
{
	return mode == RECORD_FULL;
}

/*
 * verdict NULL: it was not answered, and reason says why (NULL: the connection ended).
 * connection: its number.
 */
void record_push(struct record *record, unsigned connection, const struct stream *stream,
	const struct verdict *verdict, const char *reason);

/* At the end: the line of RECORD_COUNTS. */
void record_counts(struct record *record, const struct stats *stats);

void record_flush(struct record *record);

/* Lines so far; those that are not written yet are at the next record_flush. */
uint64_t record_lines(const struct record *record);

#endif

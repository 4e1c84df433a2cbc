/*
 * trace_share - how much of the trace one user may fill.
 *
 * The trace is bounded in size, and its oldest entries go first.  So a user who lets very much
 * happen in his mailboxes, by mistake or to cover something up, would push out the entries of
 * others. Therefore each user may leave TRACE_SHARE_BURST entries at once, and one each
 * TRACE_SHARE_EVERY_MS on average: some 3 MiB in a week.  What matters less to him is left out
 * sooner, so that even under a flood the answers of Apple stay in.  The same event with the same
 * outcome again within a minute, with neither a registration nor an answer between, is left out as
 * well.  What was left out is counted, and the next entry says how much.
 *
 * It also remembers who has a phone: nothing is kept of the events of others.  Both are known of
 * the TRACE_SHARE_USERS most recent users, more or less, as places are drawn by a keyed hash; who
 * loses his place begins from zero.
 *
 * Pure; loop thread.
 */
#ifndef MAILPUSH_TRACE_TRACE_SHARE_H
#define MAILPUSH_TRACE_TRACE_SHARE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define TRACE_SHARE_USERS 65536 /* 3 MiB */
#define TRACE_SHARE_BURST 360
#define TRACE_SHARE_EVERY_MS 20000
#define TRACE_SHARE_REPEATS 4 /* different things of which a repetition is known */
#define TRACE_SHARE_REPEAT_MS 60000

enum trace_weight {
	TRACE_MINOR,	/* is left out when half of the share is used: an event that pushes nothing,
			   or in another user's mailbox */
	TRACE_ORDINARY, /* when three quarters are */
	TRACE_MAJOR,	/* when all of it is: registrations, answers */
	TRACE_WEIGHTS
};

struct trace_share;

/* `seed`: 16 random bytes. */
struct trace_share *trace_share_new(const uint8_t seed[16]);
void trace_share_free(struct trace_share *share);

/* Was anything taken for this user? */
bool trace_share_knows(const struct trace_share *share, const void *who, size_t size);
/*
 * May an entry be kept?  If so, `ret_left_out` is how many were not since the last.  `sameness`:
 * equal for things that say the same; 0: there is nothing like it.
 */
bool trace_share_take(struct trace_share *share, const void *who, size_t size,
	enum trace_weight weight, uint32_t sameness, int64_t now_ms, uint32_t *ret_left_out);
/* How many were left out since the last that was kept. */
uint32_t trace_share_left_out(const struct trace_share *share, const void *who, size_t size);
/* All that is known of him. */
void trace_share_forget(struct trace_share *share, const void *who, size_t size);

#endif

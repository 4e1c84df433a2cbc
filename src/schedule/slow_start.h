/*
 * slow_start - a start with pending news begins with one push, and goes on as pushes are settled.
 *
 * A pending push that ends the daemon does so at each start.  Each start must get further than the
 * one before.  So no more pushes are out than one, and one for each whose verdict this start has
 * put on disk: of those that left, half are settled at any moment, and none of them leaves again.
 * An answer makes no room for another push before it is on disk itself.
 *
 * A push without an answer, or a disk that takes nothing, keeps back the others for a moment only:
 * one more may leave for each SLOW_START_PATIENCE_MS in which nothing is settled.  The caution ends
 * when SLOW_START_PUSHES are settled, or after a while.
 *
 * Pure; embedded; one owner.
 */
#ifndef MAILPUSH_SCHEDULE_SLOW_START_H
#define MAILPUSH_SCHEDULE_SLOW_START_H

#include <stdbool.h>
#include <stdint.h>

#define SLOW_START_PUSHES 512
#define SLOW_START_PATIENCE_MS 2000

struct slow_start {
	int64_t until_ms;	  /* 0: it is over */
	int64_t waiting_since_ms; /* since then some are out and none was settled */
	uint32_t left;		  /* pushes */
	uint32_t landed;	  /* of them, with a verdict; no more are counted than matter */
	uint32_t settled;	  /* of them, on disk */
	uint64_t seqs[SLOW_START_PUSHES]; /* of the verdicts' jobs */
};

/* All zero is one that is over. */
void slow_start_begin(struct slow_start *caution, int64_t until_ms);
bool slow_start_is_on(const struct slow_start *caution);
/* May one leave?  It ends the caution when its time has come. */
bool slow_start_allows(struct slow_start *caution, int64_t now_ms);
/* When more may leave, whatever becomes of those that are out; INT64_MAX: they may now. */
int64_t slow_start_wake_ms(const struct slow_start *caution, int64_t now_ms);

void slow_start_leave(struct slow_start *caution, int64_t now_ms);
/* One that left is as if it had not. */
void slow_start_take_back(struct slow_start *caution);
/* The verdict on one is on disk when the job `seq` is; they grow. */
void slow_start_land(struct slow_start *caution, uint64_t seq);
/* Jobs up to `seq` are on disk. */
void slow_start_stored(struct slow_start *caution, uint64_t seq, int64_t now_ms);

#endif

/*
 * rate - at most so many pushes a second, in small bursts.
 *
 * A bucket that fills with time and holds RATE_BURST_MS worth (at least one), so that a loop that
 * turns every few milliseconds still reaches the rate.  Pure; embedded; one owner.
 */
#ifndef MAILPUSH_SCHEDULE_RATE_H
#define MAILPUSH_SCHEDULE_RATE_H

#include <stdbool.h>
#include <stdint.h>

#define RATE_BURST_MS 50

struct rate {
	unsigned per_second; /* 0: no limit */
	int64_t filled_ms;   /* when `thousandths` was right */
	int64_t thousandths; /* of one that may go */
};

/* With a full bucket. */
void rate_init(struct rate *rate, unsigned per_second, int64_t now_ms);
/* May one go?  Then it is counted. */
bool rate_take(struct rate *rate, int64_t now_ms);
/* One that was counted just now did not go. */
void rate_give_back(struct rate *rate);
/* When one may go: now_ms if at once. */
int64_t rate_wake_ms(const struct rate *rate, int64_t now_ms);

#endif

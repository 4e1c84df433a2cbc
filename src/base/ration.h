/*
 * ration - lets so many lines of the log through in a while, and counts the rest.
 *
 * When Apple fails, each of a million phones has a push that fails, again and again.  A line for
 * each tells no more than the alarm and the first hundreds do, and makes the journal drop what
 * matters.  Counts only; loop thread.
 */
#ifndef MAILPUSH_BASE_RATION_H
#define MAILPUSH_BASE_RATION_H

#include <stdbool.h>
#include <stdint.h>

#define RATION_FOR_MS 10000
#define RATION_LINES 200

struct ration {
	int64_t until_ms; /* monotonic; 0: no line was let through yet */
	unsigned lines;
	uint64_t kept_back;
};

/* May another line be written?  Else it is counted. */
bool ration_allows(struct ration *ration, int64_t now_ms);
/* When the time is over: how many were kept back in it, once; else 0. */
uint64_t ration_kept_back(struct ration *ration, int64_t now_ms);
/* When there will be something to tell of what was kept back so far; INT64_MAX: there is none. */
int64_t ration_wake_ms(const struct ration *ration);

#endif

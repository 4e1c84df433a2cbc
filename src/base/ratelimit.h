/*
 * ratelimit - which lines of the log are written, of those that others can cause as often as they
 * like.
 *
 * By kind, and within a kind by who caused it: the first lines of a minute are written at once, as
 * many as the caller says, further ones are counted, and behind the minute the count is told
 * (ratelimit_next), for as long as there is one.  Of RATELIMIT_MAX pairs; beyond, who caused it
 * does not count, so that a crowd is one.
 *
 * Pure: callers pass the time, which is monotonic.  One thread at a time.
 */
#ifndef MAILPUSH_BASE_RATELIMIT_H
#define MAILPUSH_BASE_RATELIMIT_H

#include <stdbool.h>
#include <stdint.h>

#define RATELIMIT_MAX 512
#define RATELIMIT_MS 60000
#define RATELIMIT_WHO_SIZE 64 /* what is longer is cut */

struct ratelimit_entry {
	const char *kind;
	char who[RATELIMIT_WHO_SIZE];
	int level;	/* of its first line that was kept back */
	unsigned lines; /* written in this minute */
	uint64_t kept_back;
	int64_t until_ms;
};

/* Zeroed: nothing was written yet. */
struct ratelimit {
	struct ratelimit_entry entries[RATELIMIT_MAX];
	unsigned count;
};

/*
 * May it be written, as one of `lines` (1 or more) in a minute?  Else it is counted.  `kind` is a
 * literal; `who` may be "".
 */
bool ratelimit_allows(struct ratelimit *limit, const char *kind, const char *who, unsigned lines,
	int level, int64_t now_ms);
/* When something is to be told, or forgotten; INT64_MAX: never. */
int64_t ratelimit_due_ms(const struct ratelimit *limit);
/*
 * What is to be told by now, one at a time; false: no more.  With `now_ms` INT64_MAX all that is
 * kept back is told.
 */
bool ratelimit_next(struct ratelimit *limit, int64_t now_ms, struct ratelimit_entry *ret);

#endif

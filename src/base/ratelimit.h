/*
 * ratelimit - limits the lines of the log that others can cause as often as they like.
 *
 * For each kind and cause, the first lines of a minute are written at once, as many as the caller
 * says.  Further ones are counted, and the count is reported after the minute (ratelimit_next),
 * minute after minute while lines keep coming.  RATELIMIT_MAX pairs of kind and cause are kept;
 * beyond that all causes of a kind share one.
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
	int level;	/* when its first line was kept back */
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
 * May it be written, as one of `lines` (1 or more) in a minute? Otherwise it is counted.  `kind` is
 * a literal; `who` may be "".
 */
bool ratelimit_allows(struct ratelimit *limit, const char *kind, const char *who, unsigned lines,
	int level, int64_t now_ms);
/* When a count is due to be reported, or a pair to be forgotten; INT64_MAX: never. */
int64_t ratelimit_due_ms(const struct ratelimit *limit);
/*
 * The next count that is due; false: none.  With `now_ms` INT64_MAX all counts are due.
 */
bool ratelimit_next(struct ratelimit *limit, int64_t now_ms, struct ratelimit_entry *ret);

#endif

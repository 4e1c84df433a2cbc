#include "apns/backoff.h"

#include <assert.h>

void backoff_init(struct backoff *backoff, int64_t min_ms, int64_t max_ms, uint64_t seed)
{
	assert(min_ms > 0 && max_ms >= min_ms);
	*backoff = (struct backoff){min_ms, max_ms, min_ms, seed | 1};
}

static uint64_t next_chance(struct backoff *backoff)
{
	backoff->chance ^= backoff->chance << 13;
	backoff->chance ^= backoff->chance >> 7;
	backoff->chance ^= backoff->chance << 17;
	return backoff->chance;
}

int64_t backoff_next_ms(struct backoff *backoff)
{
	int64_t floor_ms = backoff->min_ms / 2;
	uint64_t span = (uint64_t)(backoff->bound_ms - floor_ms) + 1;
	int64_t delay_ms = floor_ms + (int64_t)(next_chance(backoff) % span);
	backoff->bound_ms =
		backoff->bound_ms > backoff->max_ms / 2 ? backoff->max_ms : backoff->bound_ms * 2;
	return delay_ms;
}

void backoff_reset(struct backoff *backoff)
{
	backoff->bound_ms = backoff->min_ms;
}

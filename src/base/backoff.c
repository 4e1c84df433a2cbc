#include "base/backoff.h"

#include <assert.h>

int64_t backoff_ms(int64_t min_ms, int64_t max_ms, unsigned failures)
{
	assert(min_ms > 0 && max_ms >= min_ms);
	int64_t delay_ms = min_ms;
	for (unsigned i = 0; i < failures && delay_ms < max_ms; i++)
		delay_ms = delay_ms > max_ms / 2 ? max_ms : delay_ms * 2;
	return delay_ms;
}

int64_t backoff_random_ms(int64_t min_ms, int64_t max_ms, unsigned failures, struct random *random)
{
	int64_t least_ms = min_ms / 2;
	return least_ms + random_upto(random, backoff_ms(min_ms, max_ms, failures) - least_ms);
}

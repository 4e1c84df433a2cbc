#include "queue/slow_start.h"

void slow_start_begin(struct slow_start *caution, int64_t until_ms)
{
	*caution = (struct slow_start){.until_ms = until_ms};
}

bool slow_start_is_on(const struct slow_start *caution)
{
	return caution->until_ms > 0;
}

static bool is_full(const struct slow_start *caution)
{
	return caution->left - caution->settled > caution->settled;
}

bool slow_start_allows(struct slow_start *caution, int64_t now_ms)
{
	if (caution->until_ms <= now_ms)
		caution->until_ms = 0;
	return !slow_start_is_on(caution) || !is_full(caution);
}

int64_t slow_start_wake_ms(const struct slow_start *caution)
{
	return slow_start_is_on(caution) && is_full(caution) ? caution->until_ms : INT64_MAX;
}

void slow_start_leave(struct slow_start *caution)
{
	if (slow_start_is_on(caution))
		caution->left++;
}

void slow_start_take_back(struct slow_start *caution)
{
	if (slow_start_is_on(caution))
		caution->left--;
}

void slow_start_land(struct slow_start *caution, uint64_t seq)
{
	if (slow_start_is_on(caution))
		caution->seqs[caution->landed++] = seq;
}

void slow_start_stored(struct slow_start *caution, uint64_t seq)
{
	if (!slow_start_is_on(caution))
		return;
	while (caution->settled < caution->landed && caution->seqs[caution->settled] <= seq)
		caution->settled++;
	if (caution->settled >= SLOW_START_PUSHES)
		caution->until_ms = 0;
}

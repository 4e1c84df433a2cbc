#include "queue/caution.h"

void caution_begin(struct caution *caution, int64_t until_ms)
{
	*caution = (struct caution){.until_ms = until_ms};
}

bool caution_is_on(const struct caution *caution)
{
	return caution->until_ms > 0;
}

static bool is_full(const struct caution *caution)
{
	return caution->left - caution->settled > caution->settled;
}

bool caution_allows(struct caution *caution, int64_t now_ms)
{
	if (caution->until_ms <= now_ms)
		caution->until_ms = 0;
	return !caution_is_on(caution) || !is_full(caution);
}

int64_t caution_wake_ms(const struct caution *caution)
{
	return caution_is_on(caution) && is_full(caution) ? caution->until_ms : INT64_MAX;
}

void caution_leave(struct caution *caution)
{
	if (caution_is_on(caution))
		caution->left++;
}

void caution_take_back(struct caution *caution)
{
	if (caution_is_on(caution))
		caution->left--;
}

void caution_land(struct caution *caution, uint64_t seq)
{
	if (caution_is_on(caution))
		caution->seqs[caution->landed++] = seq;
}

void caution_stored(struct caution *caution, uint64_t seq)
{
	if (!caution_is_on(caution))
		return;
	while (caution->settled < caution->landed && caution->seqs[caution->settled] <= seq)
		caution->settled++;
	if (caution->settled >= CAUTION_PUSHES)
		caution->until_ms = 0;
}

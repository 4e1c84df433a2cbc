#include "schedule/slow_start.h"

void slow_start_begin(struct slow_start *caution, int64_t until_ms)
{
	*caution = (struct slow_start){.until_ms = until_ms};
}

bool slow_start_is_on(const struct slow_start *caution)
{
	return caution->until_ms > 0;
}

static uint32_t out(const struct slow_start *caution)
{
	return caution->left - caution->settled;
}

/* When there is room for one more, if nothing is settled meanwhile. */
static int64_t room_ms(const struct slow_start *caution)
{
	if (out(caution) <= caution->settled)
		return INT64_MIN;
	int64_t more = out(caution) - caution->settled;
	return caution->waiting_since_ms + more * SLOW_START_PATIENCE_MS;
}

bool slow_start_allows(struct slow_start *caution, int64_t now_ms)
{
	if (caution->until_ms <= now_ms)
		caution->until_ms = 0;
	return !slow_start_is_on(caution) || room_ms(caution) <= now_ms;
}

int64_t slow_start_wake_ms(const struct slow_start *caution, int64_t now_ms)
{
	int64_t wake_ms = room_ms(caution);
	if (!slow_start_is_on(caution) || wake_ms <= now_ms)
		return INT64_MAX;
	return wake_ms < caution->until_ms ? wake_ms : caution->until_ms;
}

void slow_start_leave(struct slow_start *caution, int64_t now_ms)
{
	if (!slow_start_is_on(caution))
		return;
	if (!out(caution))
		caution->waiting_since_ms = now_ms;
	caution->left++;
}

void slow_start_take_back(struct slow_start *caution)
{
	if (slow_start_is_on(caution))
		caution->left--;
}

void slow_start_land(struct slow_start *caution, uint64_t seq)
{
	if (slow_start_is_on(caution) && caution->landed < SLOW_START_PUSHES)
		caution->seqs[caution->landed++] = seq;
}

void slow_start_stored(struct slow_start *caution, uint64_t seq, int64_t now_ms)
{
	if (!slow_start_is_on(caution))
		return;
	while (caution->settled < caution->landed && caution->seqs[caution->settled] <= seq) {
		caution->settled++;
		caution->waiting_since_ms = now_ms;
	}
	if (caution->settled >= SLOW_START_PUSHES)
		caution->until_ms = 0;
}

#include "base/ration.h"

bool ration_allows(struct ration *ration, int64_t now_ms)
{
	/* What was kept back is told first. */
	if (now_ms >= ration->until_ms && ration->kept_back == 0) {
		ration->until_ms = now_ms + RATION_FOR_MS;
		ration->lines = 0;
	}
	if (ration->lines < RATION_LINES) {
		ration->lines++;
		return true;
	}
	ration->kept_back++;
	return false;
}

uint64_t ration_kept_back(struct ration *ration, int64_t now_ms)
{
	uint64_t count = ration->kept_back;
	if (now_ms < ration->until_ms)
		return 0;
	ration->kept_back = 0;
	return count;
}

int64_t ration_wake_ms(const struct ration *ration)
{
	return ration->kept_back ? ration->until_ms : INT64_MAX;
}

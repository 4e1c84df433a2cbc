#include "daemon/cadence.h"

#define CHANCE_PART 10 /* an interval is up to so small a part shorter */

void cadence_init(struct cadence *cadence, int64_t interval_ms)
{
	*cadence = (struct cadence){.interval_ms = interval_ms, .due_ms = INT64_MAX};
}

static void plan(struct cadence *cadence, int64_t due_ms)
{
	if (cadence->interval_ms == 0)
		return;
	if (cadence->was_asked && due_ms < cadence->asked_ms + CADENCE_LEAST_MS)
		due_ms = cadence->asked_ms + CADENCE_LEAST_MS;
	cadence->due_ms = due_ms;
}

void cadence_soon(struct cadence *cadence, size_t count, struct chance *chance, int64_t now_ms)
{
	int64_t others = count > 1 ? (int64_t)count - 1 : 0;
	if (!cadence->is_asking)
		plan(cadence, now_ms + chance_upto(chance, others * CADENCE_SPREAD_MS));
}

bool cadence_is_due(struct cadence *cadence, int64_t served_ms, int64_t now_ms)
{
	if (cadence->due_ms > now_ms)
		return false;
	if (served_ms < 0 || served_ms >= cadence->interval_ms)
		return true;
	plan(cadence, now_ms - served_ms + cadence->interval_ms);
	return cadence->due_ms <= now_ms;
}

void cadence_put_off(struct cadence *cadence, int64_t now_ms)
{
	plan(cadence, now_ms + CADENCE_AGAIN_MS);
}

void cadence_asked(struct cadence *cadence, int64_t now_ms)
{
	cadence->was_asked = cadence->is_asking = true;
	cadence->asked_ms = now_ms;
	cadence->due_ms = INT64_MAX;
}

void cadence_answered(struct cadence *cadence, enum cadence_outcome outcome, struct chance *chance,
	int64_t now_ms)
{
	int64_t after_ms = outcome == CADENCE_ACCEPTED ? cadence->interval_ms
		: outcome == CADENCE_REFUSED	       ? 0
						       : CADENCE_AGAIN_MS;
	cadence->is_asking = false;
	plan(cadence, now_ms + after_ms - chance_upto(chance, after_ms / CHANCE_PART));
}

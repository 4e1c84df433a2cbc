#include "flow/check_times.h"

#define CHANCE_PART 10 /* an interval is up to so small a part shorter */

void check_times_init(struct check_times *cadence, int64_t interval_ms)
{
	*cadence = (struct check_times){.interval_ms = interval_ms, .due_ms = INT64_MAX};
}

static void plan(struct check_times *cadence, int64_t due_ms)
{
	if (cadence->interval_ms == 0)
		return;
	if (cadence->was_asked && due_ms < cadence->asked_ms + CHECK_TIMES_LEAST_MS)
		due_ms = cadence->asked_ms + CHECK_TIMES_LEAST_MS;
	cadence->due_ms = due_ms;
}

void check_times_soon(
	struct check_times *cadence, size_t count, struct random *chance, int64_t now_ms)
{
	int64_t others = count > 1 ? (int64_t)count - 1 : 0;
	cadence->is_wanted_again = cadence->is_asking;
	if (!cadence->is_asking)
		plan(cadence, now_ms + random_upto(chance, others * CHECK_TIMES_SPREAD_MS));
}

bool check_times_is_due(struct check_times *cadence, int64_t served_ms, int64_t now_ms)
{
	if (cadence->due_ms > now_ms)
		return false;
	if (served_ms < 0 || served_ms >= cadence->interval_ms)
		return true;
	plan(cadence, now_ms - served_ms + cadence->interval_ms);
	return cadence->due_ms <= now_ms;
}

void check_times_put_off(struct check_times *cadence, int64_t now_ms)
{
	plan(cadence, now_ms + CHECK_TIMES_AGAIN_MS);
}

void check_times_asked(struct check_times *cadence, int64_t now_ms)
{
	cadence->was_asked = cadence->is_asking = true;
	cadence->asked_ms = now_ms;
	cadence->due_ms = INT64_MAX;
}

void check_times_answered(struct check_times *cadence, enum check_times_outcome outcome,
	struct random *chance, int64_t now_ms)
{
	int64_t after_ms = outcome == CHECK_TIMES_ACCEPTED ? cadence->interval_ms
		: outcome == CHECK_TIMES_REFUSED	   ? 0
							   : CHECK_TIMES_AGAIN_MS;
	cadence->is_asking = false;
	if (cadence->is_wanted_again)
		after_ms = 0;
	cadence->is_wanted_again = false;
	plan(cadence, now_ms + after_ms - random_upto(chance, after_ms / CHANCE_PART));
}

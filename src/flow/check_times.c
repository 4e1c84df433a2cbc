#include "flow/check_times.h"

#define CHANCE_PART 10 /* an interval is up to so small a part shorter */

void check_times_init(struct check_times *times, int64_t interval_ms)
{
	*times = (struct check_times){.interval_ms = interval_ms, .due_ms = INT64_MAX};
}

static void plan(struct check_times *times, int64_t due_ms)
{
	if (times->was_asked && due_ms < times->asked_ms + CHECK_TIMES_LEAST_MS)
		due_ms = times->asked_ms + CHECK_TIMES_LEAST_MS;
	times->due_ms = times->interval_ms ? due_ms : INT64_MAX;
}

void check_times_set_interval(struct check_times *times, int64_t interval_ms)
{
	times->interval_ms = interval_ms;
	plan(times, times->due_ms);
}

void check_times_soon(
	struct check_times *times, size_t count, struct random *chance, int64_t now_ms)
{
	int64_t others = count > 1 ? (int64_t)count - 1 : 0;
	times->is_wanted_again = times->is_asking;
	if (!times->is_asking)
		plan(times, now_ms + random_upto(chance, others * CHECK_TIMES_SPREAD_MS));
}

bool check_times_is_due(struct check_times *times, int64_t served_ms, int64_t now_ms)
{
	if (times->due_ms > now_ms)
		return false;
	if (served_ms < 0 || served_ms >= times->interval_ms)
		return true;
	plan(times, now_ms - served_ms + times->interval_ms);
	return times->due_ms <= now_ms;
}

void check_times_put_off(struct check_times *times, int64_t now_ms)
{
	plan(times, now_ms + CHECK_TIMES_AGAIN_MS);
}

void check_times_asked(struct check_times *times, int64_t now_ms)
{
	times->was_asked = times->is_asking = true;
	times->asked_ms = now_ms;
	times->due_ms = INT64_MAX;
}

void check_times_answered(struct check_times *times, enum check_times_outcome outcome,
	struct random *chance, int64_t now_ms)
{
	int64_t after_ms = outcome == CHECK_TIMES_ACCEPTED ? times->interval_ms
		: outcome == CHECK_TIMES_REFUSED	   ? 0
							   : CHECK_TIMES_AGAIN_MS;
	times->is_asking = false;
	if (times->is_wanted_again)
		after_ms = 0;
	times->is_wanted_again = false;
	plan(times, now_ms + after_ms - random_upto(chance, after_ms / CHANCE_PART));
}

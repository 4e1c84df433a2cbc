#include "arrival/overload.h"

#include "base/alarm.h"
#include "base/log.h"
#include "base/mem.h"
#include "stats/metrics.h"

#include <assert.h>
#include <inttypes.h>

struct overload {
	struct overload_needs needs;
	uint64_t weight; /* of what waits: what max_waiting bounds */
	bool is_paused;
};

struct overload *overload_new(const struct overload_needs *needs)
{
	struct overload *overload = mem_alloc_zero(1, sizeof(*overload));
	overload->needs = *needs;
	return overload;
}

void overload_free(struct overload *overload)
{
	free(overload);
}

static uint64_t weight_of(size_t bytes)
{
	return 1 + bytes / OVERLOAD_EVENT_BYTES;
}

static void begin(struct overload *overload)
{
	overload->is_paused = true;
	overload->needs.pause(overload->needs.ctx, true);
	alarm_raise("intake:overload",
		"%" PRIu64 " events wait for the registry or the disk (max_waiting; one of more "
		"than %d kB counts as several); the stream socket is not read meanwhile",
		overload->weight, OVERLOAD_EVENT_BYTES / 1024);
}

static void end(struct overload *overload)
{
	overload->is_paused = false;
	overload->needs.pause(overload->needs.ctx, false);
	alarm_clear("intake:overload");
}

void overload_set_max(struct overload *overload, uint64_t max_waiting)
{
	overload->needs.max_waiting = max_waiting;
	if (overload->is_paused && overload->weight <= max_waiting / 10 * 9)
		end(overload);
}

void overload_enter(struct overload *overload, size_t bytes)
{
	overload->weight += weight_of(bytes);
	if (!overload->is_paused && overload->weight >= overload->needs.max_waiting)
		begin(overload);
}

void overload_leave(struct overload *overload, size_t bytes)
{
	assert(overload->weight >= weight_of(bytes));
	overload->weight -= weight_of(bytes);
	if (overload->is_paused && overload->weight <= overload->needs.max_waiting / 10 * 9)
		end(overload);
}

bool overload_has_room_for_guests(const struct overload *overload)
{
	return overload->weight < overload->needs.max_waiting / 2;
}

bool overload_sheds(struct overload *overload, enum relay_action action)
{
	uint64_t most = overload->needs.max_waiting;
	if (action == RELAY_URGENT)
		most += most / 8;
	bool is_news = action == RELAY_URGENT || action == RELAY_DEFERRED;
	if (!is_news || overload->weight < most)
		return false;
	overload->needs.metrics->shed++;
	log_seldom(LOG_LEVEL_WARN, "relay", "events shed", "",
		"events are shed: too many wait (max_waiting)",
		log_number("waiting", (int64_t)overload->weight));
	return true;
}

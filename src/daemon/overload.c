#include "daemon/overload.h"

#include "base/alarm.h"
#include "base/log.h"
#include "base/mem.h"
#include "daemon/metrics.h"

#include <assert.h>
#include <inttypes.h>

#define SHED_LOG_MS CLOCK_MINUTE_MS

struct overload {
	struct core *core;
	uint64_t weight; /* of what waits: what max_waiting bounds */
	bool is_paused;

	uint64_t shed;
	uint64_t shed_logged;
	int64_t shed_logged_ms;
};

struct overload *overload_new(struct core *core)
{
	struct overload *overload = mem_alloc_zero(1, sizeof(*overload));
	overload->core = core;
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

static void log_shed(struct overload *overload, int64_t now_ms)
{
	log_event(LOG_LEVEL_WARN, "relay", "events are shed: too many wait (max_waiting)",
		log_number("waiting", (int64_t)overload->weight),
		log_number("shed", (int64_t)(overload->shed - overload->shed_logged)));
	overload->shed_logged = overload->shed;
	overload->shed_logged_ms = now_ms;
}

static void begin(struct overload *overload)
{
	overload->is_paused = true;
	if (overload->core->stream)
		stream_pause(overload->core->stream, true);
	alarm_raise("intake:overload",
		"%" PRIu64 " events wait for the registry or the disk (max_waiting; one of more "
		"than %d kB counts as several); the stream socket is not read meanwhile",
		overload->weight, OVERLOAD_EVENT_BYTES / 1024);
}

static void end(struct overload *overload)
{
	overload->is_paused = false;
	if (overload->shed > overload->shed_logged)
		log_shed(overload, clock_monotonic_ms());
	if (overload->core->stream)
		stream_pause(overload->core->stream, false);
	alarm_clear("intake:overload");
}

void overload_enter(struct overload *overload, size_t bytes)
{
	overload->weight += weight_of(bytes);
	if (!overload->is_paused && overload->weight >= overload->core->config->max_waiting)
		begin(overload);
}

void overload_leave(struct overload *overload, size_t bytes)
{
	assert(overload->weight >= weight_of(bytes));
	overload->weight -= weight_of(bytes);
	if (overload->is_paused && overload->weight <= overload->core->config->max_waiting / 10 * 9)
		end(overload);
}

bool overload_sheds(struct overload *overload, enum relay_action action)
{
	uint64_t most = overload->core->config->max_waiting;
	if (action == RELAY_NOW)
		most += most / 8;
	bool is_news = action == RELAY_NOW || action == RELAY_LATER;
	if (!is_news || overload->weight < most)
		return false;
	overload->shed++;
	overload->core->metrics->shed++;
	int64_t now_ms = clock_monotonic_ms();
	if (!overload->shed_logged_ms || now_ms - overload->shed_logged_ms >= SHED_LOG_MS)
		log_shed(overload, now_ms);
	return true;
}

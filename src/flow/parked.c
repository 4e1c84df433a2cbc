#include "flow/parked.h"

#include "base/log.h"
#include "base/mem.h"

struct parked_event {
	uint64_t id;
	int64_t received_ms;
	char *raw;
	size_t raw_size;
};

void parked_add(
	struct parked *parked, uint64_t id, int64_t received_ms, const char *raw, size_t raw_size)
{
	parked->events =
		mem_realloc_array(parked->events, parked->count + 1, sizeof(*parked->events));
	parked->events[parked->count++] =
		(struct parked_event){id, received_ms, mem_dup_n(raw, raw_size), raw_size};
}

void parked_replay(struct parked *parked, struct arrivals *arrivals)
{
	if (parked->count)
		log_event(LOG_LEVEL_INFO, "daemon", "events parked earlier are taken in again",
			log_number("count", (int64_t)parked->count));
	for (size_t i = 0; i < parked->count; i++) {
		const struct parked_event *event = &parked->events[i];
		arrivals_take_parked(
			arrivals, event->id, event->received_ms, event->raw, event->raw_size);
	}
	parked_fini(parked);
}

void parked_fini(struct parked *parked)
{
	for (size_t i = 0; i < parked->count; i++)
		free(parked->events[i].raw);
	free(mem_steal(parked->events));
	parked->count = 0;
}

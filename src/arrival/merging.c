#include "arrival/merging.h"

#include "base/map.h"
#include "base/mem.h"

struct merging {
	const struct registry *registry;
	struct map *waiting; /* by merge_key */
};

struct merging *merging_new(const struct registry *registry, const uint8_t seed[16])
{
	struct merging *merging = mem_alloc_zero(1, sizeof(*merging));
	merging->registry = registry;
	merging->waiting = map_new(seed);
	return merging;
}

void merging_free(struct merging *merging)
{
	if (!merging)
		return;
	map_free(merging->waiting);
	free(merging);
}

static struct arrival *find(const struct merging *merging, const struct arrival *arrival)
{
	return map_get(merging->waiting, arrival->memory, arrival->merge_key_size);
}

static void leave(struct merging *merging, const struct arrival *arrival)
{
	map_remove(merging->waiting, arrival->memory, arrival->merge_key_size);
}

/* Not yet with the registry's thread. */
static bool is_waiting(const struct merging *merging, const struct arrival *arrival)
{
	return arrival->number >
		registry_submitted(merging->registry) - registry_waiting(merging->registry);
}

struct arrival *merging_match(struct merging *merging, struct arrival *arrival)
{
	bool is_barrier = !arrival_is_news(arrival) || arrival->job.was_at;
	/* If none waits, all were handed over to the thread. */
	if (is_barrier || !registry_waiting(merging->registry))
		map_clear(merging->waiting);
	if (is_barrier)
		return NULL;
	struct arrival *same = find(merging, arrival);
	if (same && is_waiting(merging, same) && !arrival->parked_id)
		return same;
	if (same)
		leave(merging, same);
	map_add(merging->waiting, arrival->memory, arrival->merge_key_size, arrival);
	return NULL;
}

void merging_begin(const struct merging *merging, struct arrival *arrival)
{
	arrival->number = registry_submitted(merging->registry);
}

void merging_end(struct merging *merging, const struct arrival *arrival)
{
	if (find(merging, arrival) == arrival)
		leave(merging, arrival);
}

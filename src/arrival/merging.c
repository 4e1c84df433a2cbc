#include "arrival/merging.h"

#include "base/map.h"
#include "base/mem.h"

struct merging {
	const struct worker *worker;
	struct map *waiting; /* by merge_key */
};

struct merging *merging_new(const struct worker *worker, const uint8_t seed[16])
{
	struct merging *merging = mem_alloc_zero(1, sizeof(*merging));
	merging->worker = worker;
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
		worker_submitted(merging->worker) - worker_waiting(merging->worker);
}

struct arrival *merging_match(struct merging *merging, struct arrival *arrival)
{
	bool is_barrier = !arrival_is_news(arrival) || arrival->job.was_at;
	/* If none waits, all were handed over to the thread. */
	if (is_barrier || !worker_waiting(merging->worker))
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
	arrival->number = worker_submitted(merging->worker);
}

void merging_end(struct merging *merging, const struct arrival *arrival)
{
	if (find(merging, arrival) == arrival)
		leave(merging, arrival);
}

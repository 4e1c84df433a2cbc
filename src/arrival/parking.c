#include "arrival/parking.h"

#include "base/clock.h"
#include "base/mem.h"

#include <assert.h>

#define WATCH_MS 50 /* how often late ones are looked for */

struct parking {
	const struct registry *registry;
	struct queue *queue;
	struct arrival_list under_way;
	struct arrival *unwatched; /* the first that on_watch has not seen late yet */
	uint64_t parked;	   /* of those under way */
	uint64_t last_id;
	unsigned silence; /* looks of on_watch at a registry that works and answers nothing */
	uv_timer_t watch;
};

struct parking *parking_new(uv_loop_t *loop, const struct registry *registry, struct queue *queue)
{
	struct parking *parking = mem_alloc_zero(1, sizeof(*parking));
	parking->registry = registry;
	parking->queue = queue;
	TAILQ_INIT(&parking->under_way);
	uv_timer_init(loop, &parking->watch);
	parking->watch.data = parking;
	return parking;
}

static void on_watch_closed(uv_handle_t *handle)
{
	free(handle->data);
}

void parking_free(struct parking *parking)
{
	if (!parking)
		return;
	assert(TAILQ_EMPTY(&parking->under_way));
	uv_close((uv_handle_t *)&parking->watch, on_watch_closed);
}

void parking_know(struct parking *parking, uint64_t parked_id)
{
	if (parked_id > parking->last_id)
		parking->last_id = parked_id;
}

struct arrival *parking_first(const struct parking *parking)
{
	return TAILQ_FIRST(&parking->under_way);
}

/*
 * A registry that goes on has a backlog at most, which parking would only lengthen; one without
 * work waits for the queue.  Counted in looks, as a long turn of the loop is no silence of the
 * registry's.
 */
static bool is_silent(const struct parking *parking)
{
	return parking->silence >= PARKING_AFTER_MS / WATCH_MS;
}

static void on_watch(uv_timer_t *timer)
{
	struct parking *parking = timer->data;
	if (TAILQ_EMPTY(&parking->under_way)) {
		parking->silence = 0;
		uv_timer_stop(timer);
		return;
	}
	parking->silence = registry_owes_answers(parking->registry) ? parking->silence + 1 : 0;
	if (!is_silent(parking))
		return;
	int64_t late_ms = clock_monotonic_ms() - PARKING_AFTER_MS;
	while (parking->unwatched && parking->unwatched->since_ms <= late_ms) {
		struct arrival *arrival = parking->unwatched;
		parking->unwatched = TAILQ_NEXT(arrival, place);
		if (!arrival->is_matched && !arrival->is_parked)
			parking_park(parking, arrival);
	}
}

void parking_park(struct parking *parking, struct arrival *arrival)
{
	if (!arrival->is_parked) {
		arrival->is_parked = true;
		parking->parked++;
		if (!arrival->parked_id)
			arrival->parked_id = ++parking->last_id;
	}
	arrival->must_repark = false;
	const struct arrival *newest = arrival_newest(arrival);
	queue_park(parking->queue, arrival->parked_id, arrival->job.received_ms,
		arrival_raw(newest), newest->raw_size, &arrival->parked);
}

void parking_enter(struct parking *parking, struct arrival *arrival)
{
	TAILQ_INSERT_TAIL(&parking->under_way, arrival, place);
	if (!parking->unwatched)
		parking->unwatched = arrival;
	if (!uv_is_active((uv_handle_t *)&parking->watch))
		uv_timer_start(&parking->watch, on_watch, WATCH_MS, WATCH_MS);
	if (arrival->parked_id) {
		arrival->is_parked = true;
		arrival->is_safe = true;
		parking->parked++;
	} else if (is_silent(parking) || (parking->parked && arrival_is_awaited(arrival))) {
		parking_park(parking, arrival);
	}
}

void parking_leave(struct parking *parking, struct arrival *arrival)
{
	if (parking->unwatched == arrival)
		parking->unwatched = TAILQ_NEXT(arrival, place);
	TAILQ_REMOVE(&parking->under_way, arrival, place);
	if (arrival->is_parked)
		parking->parked--;
}

void parking_on_answer(struct parking *parking)
{
	parking->silence = 0;
}

uint64_t parking_count(const struct parking *parking)
{
	return parking->parked;
}

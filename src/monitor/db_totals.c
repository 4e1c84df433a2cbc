#include "monitor/db_totals.h"

#include "base/mem.h"
#include "monitor/db_query.h"

struct db_totals {
	const struct services *services;
	struct db_totals_values totals;
	struct db_query registry;
	struct db_query queue;
	bool is_registry_out;
	bool is_queue_out;
	int64_t asked_ms;
	bool was_asked;
	LIST_HEAD(, db_totals_waiter) waiters;
	uv_timer_t timer;
};

static void answer_all(struct db_totals *db_totals)
{
	uv_timer_stop(&db_totals->timer);
	struct db_totals_waiter *waiter;
	while ((waiter = LIST_FIRST(&db_totals->waiters))) {
		LIST_REMOVE(waiter, place);
		waiter->ready(waiter, &db_totals->totals);
	}
}

static void on_timer(uv_timer_t *timer)
{
	answer_all(timer->data);
}

static void answer_if_all_came(struct db_totals *db_totals)
{
	if (!db_totals->is_registry_out && !db_totals->is_queue_out)
		answer_all(db_totals);
}

static void on_registry(struct db_query *db_query, int status)
{
	struct db_totals *db_totals = MEM_CONTAINER(db_query, struct db_totals, registry);
	db_totals->is_registry_out = false;
	if (!status) {
		db_totals->totals.knows_registry = true;
		db_totals->totals.registry = db_query->job.totals;
	}
	answer_if_all_came(db_totals);
}

static void on_queue(struct db_query *db_query, int status)
{
	struct db_totals *db_totals = MEM_CONTAINER(db_query, struct db_totals, queue);
	db_totals->is_queue_out = false;
	if (!status) {
		db_totals->totals.knows_queue = true;
		db_totals->totals.queue_bytes = db_query->reading.bytes;
		db_totals->totals.queue_oldest_ms = db_query->reading.oldest_ms;
	}
	answer_if_all_came(db_totals);
}

static void ask(struct db_totals *db_totals)
{
	db_totals->asked_ms = clock_monotonic_ms();
	db_totals->was_asked = true;
	if (!db_totals->is_registry_out) {
		db_totals->is_registry_out = true;
		db_query_ask_registry(
			db_totals->services, &db_totals->registry, REGISTRY_COUNT, on_registry);
	}
	if (!db_totals->is_queue_out) {
		db_totals->is_queue_out = true;
		db_query_ask_queue(
			db_totals->services, &db_totals->queue, QUEUE_READ_TOTALS, on_queue);
	}
}

struct db_totals *db_totals_new(const struct services *services)
{
	struct db_totals *db_totals = mem_alloc_zero(1, sizeof(*db_totals));
	db_totals->services = services;
	LIST_INIT(&db_totals->waiters);
	uv_timer_init(services->loop, &db_totals->timer);
	db_totals->timer.data = db_totals;
	return db_totals;
}

static void on_closed(uv_handle_t *handle)
{
	free(handle->data);
}

void db_totals_free(struct db_totals *db_totals)
{
	if (!db_totals)
		return;
	db_query_fini(&db_totals->registry);
	db_query_fini(&db_totals->queue);
	uv_close((uv_handle_t *)&db_totals->timer, on_closed);
}

void db_totals_want(struct db_totals *db_totals, struct db_totals_waiter *waiter)
{
	bool is_fresh = db_totals->was_asked &&
		clock_monotonic_ms() - db_totals->asked_ms < DB_TOTALS_FRESH_MS;
	if (is_fresh && !db_totals->is_registry_out && !db_totals->is_queue_out) {
		waiter->ready(waiter, &db_totals->totals);
		return;
	}
	LIST_INSERT_HEAD(&db_totals->waiters, waiter, place);
	if (!is_fresh)
		ask(db_totals);
	if (!uv_is_active((uv_handle_t *)&db_totals->timer))
		uv_timer_start(&db_totals->timer, on_timer, DB_TOTALS_WAIT_MS, 0);
}

void db_totals_forget(struct db_totals_waiter *waiter)
{
	LIST_REMOVE(waiter, place);
}

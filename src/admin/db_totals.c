#include "admin/db_totals.h"

#include "admin/db_query.h"
#include "base/mem.h"

struct db_totals {
	struct core *core;
	struct db_totals_totals totals;
	struct db_query registry;
	struct db_query queue;
	bool is_registry_out;
	bool is_queue_out;
	int64_t asked_ms;
	bool was_asked;
	struct db_totals_waiter *waiters;
	uv_timer_t timer;
};

static void tell(struct db_totals *tally)
{
	uv_timer_stop(&tally->timer);
	while (tally->waiters) {
		struct db_totals_waiter *waiter = tally->waiters;
		tally->waiters = waiter->next;
		waiter->ready(waiter, &tally->totals);
	}
}

static void on_timer(uv_timer_t *timer)
{
	tell(timer->data);
}

static void tell_if_all_came(struct db_totals *tally)
{
	if (!tally->is_registry_out && !tally->is_queue_out)
		tell(tally);
}

static void on_registry(struct db_query *inquiry, int status)
{
	struct db_totals *tally = MEM_CONTAINER(inquiry, struct db_totals, registry);
	tally->is_registry_out = false;
	if (!status)
		tally->totals.registry = inquiry->job.totals;
	tell_if_all_came(tally);
}

static void on_queue(struct db_query *inquiry, int status)
{
	struct db_totals *tally = MEM_CONTAINER(inquiry, struct db_totals, queue);
	tally->is_queue_out = false;
	if (!status) {
		tally->totals.queue_bytes = inquiry->reading.bytes;
		tally->totals.queue_oldest_ms = inquiry->reading.oldest_ms;
	}
	tell_if_all_came(tally);
}

static void ask(struct db_totals *tally)
{
	tally->asked_ms = clock_monotonic_ms();
	tally->was_asked = true;
	if (!tally->is_registry_out) {
		tally->is_registry_out = true;
		db_query_ask_registry(tally->core, &tally->registry, REGISTRY_COUNT, on_registry);
	}
	if (!tally->is_queue_out) {
		tally->is_queue_out = true;
		db_query_ask_queue(tally->core, &tally->queue, QUEUE_READ_TOTALS, on_queue);
	}
}

struct db_totals *db_totals_new(struct core *core)
{
	struct db_totals *tally = mem_alloc_zero(1, sizeof(*tally));
	tally->core = core;
	uv_timer_init(core->loop, &tally->timer);
	tally->timer.data = tally;
	return tally;
}

static void on_closed(uv_handle_t *handle)
{
	free(handle->data);
}

void db_totals_free(struct db_totals *tally)
{
	if (!tally)
		return;
	db_query_fini(&tally->registry);
	db_query_fini(&tally->queue);
	uv_close((uv_handle_t *)&tally->timer, on_closed);
}

void db_totals_want(struct db_totals *tally, struct db_totals_waiter *waiter)
{
	bool is_fresh =
		tally->was_asked && clock_monotonic_ms() - tally->asked_ms < DB_TOTALS_FRESH_MS;
	if (is_fresh && !tally->is_registry_out && !tally->is_queue_out) {
		waiter->ready(waiter, &tally->totals);
		return;
	}
	waiter->next = tally->waiters;
	tally->waiters = waiter;
	if (!is_fresh)
		ask(tally);
	if (!uv_is_active((uv_handle_t *)&tally->timer))
		uv_timer_start(&tally->timer, on_timer, DB_TOTALS_WAIT_MS, 0);
}

void db_totals_forget(struct db_totals *tally, struct db_totals_waiter *waiter)
{
	struct db_totals_waiter **at = &tally->waiters;
	while (*at && *at != waiter)
		at = &(*at)->next;
	if (*at)
		*at = waiter->next;
}

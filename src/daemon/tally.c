#include "daemon/tally.h"

#include "base/mem.h"
#include "daemon/inquiry.h"

struct tally {
	struct core *core;
	struct tally_totals totals;
	struct inquiry registry;
	struct inquiry queue;
	bool is_registry_out;
	bool is_queue_out;
	int64_t asked_ms;
	bool was_asked;
	struct tally_waiter *waiters;
	uv_timer_t timer;
};

static void tell(struct tally *tally)
{
	uv_timer_stop(&tally->timer);
	while (tally->waiters) {
		struct tally_waiter *waiter = tally->waiters;
		tally->waiters = waiter->next;
		waiter->ready(waiter, &tally->totals);
	}
}

static void on_timer(uv_timer_t *timer)
{
	tell(timer->data);
}

static void tell_if_all_came(struct tally *tally)
{
	if (!tally->is_registry_out && !tally->is_queue_out)
		tell(tally);
}

static void on_registry(struct inquiry *inquiry, int status)
{
	struct tally *tally = MEM_CONTAINER(inquiry, struct tally, registry);
	tally->is_registry_out = false;
	if (!status)
		tally->totals.registry = inquiry->job.totals;
	tell_if_all_came(tally);
}

static void on_queue(struct inquiry *inquiry, int status)
{
	struct tally *tally = MEM_CONTAINER(inquiry, struct tally, queue);
	tally->is_queue_out = false;
	if (!status) {
		tally->totals.queue_bytes = inquiry->reading.bytes;
		tally->totals.queue_oldest_ms = inquiry->reading.oldest_ms;
	}
	tell_if_all_came(tally);
}

static void ask(struct tally *tally)
{
	tally->asked_ms = clock_monotonic_ms();
	tally->was_asked = true;
	if (!tally->is_registry_out) {
		tally->is_registry_out = true;
		inquiry_ask_registry(tally->core, &tally->registry, REGISTRY_COUNT, on_registry);
	}
	if (!tally->is_queue_out) {
		tally->is_queue_out = true;
		inquiry_ask_queue(tally->core, &tally->queue, QUEUE_READ_TOTALS, on_queue);
	}
}

struct tally *tally_new(struct core *core)
{
	struct tally *tally = mem_alloc_zero(1, sizeof(*tally));
	tally->core = core;
	uv_timer_init(core->loop, &tally->timer);
	tally->timer.data = tally;
	return tally;
}

static void on_closed(uv_handle_t *handle)
{
	free(handle->data);
}

void tally_free(struct tally *tally)
{
	if (!tally)
		return;
	inquiry_fini(&tally->registry);
	inquiry_fini(&tally->queue);
	uv_close((uv_handle_t *)&tally->timer, on_closed);
}

void tally_want(struct tally *tally, struct tally_waiter *waiter)
{
	bool is_fresh = tally->was_asked && clock_monotonic_ms() - tally->asked_ms < TALLY_FRESH_MS;
	if (is_fresh && !tally->is_registry_out && !tally->is_queue_out) {
		waiter->ready(waiter, &tally->totals);
		return;
	}
	waiter->next = tally->waiters;
	tally->waiters = waiter;
	if (!is_fresh)
		ask(tally);
	if (!uv_is_active((uv_handle_t *)&tally->timer))
		uv_timer_start(&tally->timer, on_timer, TALLY_WAIT_MS, 0);
}

void tally_forget(struct tally *tally, struct tally_waiter *waiter)
{
	struct tally_waiter **at = &tally->waiters;
	while (*at && *at != waiter)
		at = &(*at)->next;
	if (*at)
		*at = waiter->next;
}

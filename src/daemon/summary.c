#include "daemon/summary.h"

#include "base/mem.h"
#include "daemon/inquiry.h"

struct summary {
	struct core *core;
	struct summary_totals totals;
	struct inquiry registry;
	struct inquiry queue;
	bool is_registry_out;
	bool is_queue_out;
	int64_t asked_ms;
	bool was_asked;
	struct summary_waiter *waiters;
	uv_timer_t timer;
};

static void tell(struct summary *summary)
{
	uv_timer_stop(&summary->timer);
	while (summary->waiters) {
		struct summary_waiter *waiter = summary->waiters;
		summary->waiters = waiter->next;
		waiter->ready(waiter, &summary->totals);
	}
}

static void on_timer(uv_timer_t *timer)
{
	tell(timer->data);
}

static void tell_if_all_came(struct summary *summary)
{
	if (!summary->is_registry_out && !summary->is_queue_out)
		tell(summary);
}

static void on_registry(struct inquiry *inquiry, int status)
{
	struct summary *summary = MEM_CONTAINER(inquiry, struct summary, registry);
	summary->is_registry_out = false;
	if (!status)
		summary->totals.registry = inquiry->job.totals;
	tell_if_all_came(summary);
}

static void on_queue(struct inquiry *inquiry, int status)
{
	struct summary *summary = MEM_CONTAINER(inquiry, struct summary, queue);
	summary->is_queue_out = false;
	if (!status) {
		summary->totals.queue_bytes = inquiry->reading.bytes;
		summary->totals.queue_oldest_ms = inquiry->reading.oldest_ms;
	}
	tell_if_all_came(summary);
}

static void ask(struct summary *summary)
{
	summary->asked_ms = clock_monotonic_ms();
	summary->was_asked = true;
	if (!summary->is_registry_out) {
		summary->is_registry_out = true;
		inquiry_ask_registry(
			summary->core, &summary->registry, REGISTRY_COUNT, on_registry);
	}
	if (!summary->is_queue_out) {
		summary->is_queue_out = true;
		inquiry_ask_queue(summary->core, &summary->queue, QUEUE_READ_TOTALS, on_queue);
	}
}

struct summary *summary_new(struct core *core)
{
	struct summary *summary = mem_alloc_zero(1, sizeof(*summary));
	summary->core = core;
	uv_timer_init(core->loop, &summary->timer);
	summary->timer.data = summary;
	return summary;
}

static void on_closed(uv_handle_t *handle)
{
	free(handle->data);
}

void summary_free(struct summary *summary)
{
	if (!summary)
		return;
	inquiry_fini(&summary->registry);
	inquiry_fini(&summary->queue);
	uv_close((uv_handle_t *)&summary->timer, on_closed);
}

void summary_want(struct summary *summary, struct summary_waiter *waiter)
{
	bool is_fresh =
		summary->was_asked && clock_monotonic_ms() - summary->asked_ms < SUMMARY_FRESH_MS;
	if (is_fresh && !summary->is_registry_out && !summary->is_queue_out) {
		waiter->ready(waiter, &summary->totals);
		return;
	}
	waiter->next = summary->waiters;
	summary->waiters = waiter;
	if (!is_fresh)
		ask(summary);
	if (!uv_is_active((uv_handle_t *)&summary->timer))
		uv_timer_start(&summary->timer, on_timer, SUMMARY_WAIT_MS, 0);
}

void summary_forget(struct summary *summary, struct summary_waiter *waiter)
{
	struct summary_waiter **at = &summary->waiters;
	while (*at && *at != waiter)
		at = &(*at)->next;
	if (*at)
		*at = waiter->next;
}

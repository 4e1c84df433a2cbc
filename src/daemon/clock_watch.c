#include "daemon/clock_watch.h"

#include "base/clock.h"
#include "base/mem.h"

#define LOOK_MS (2 * CLOCK_SECOND_MS)

struct clock_watch {
	clock_watch_fn *was_set;
	void *ctx;
	int64_t apart_ms; /* the two clocks */
	uv_timer_t timer;
};

static int64_t apart_ms(void)
{
	return clock_unix_ms() - clock_monotonic_ms();
}

static void on_timer(uv_timer_t *timer)
{
	struct clock_watch *watch = timer->data;
	int64_t before_ms = watch->apart_ms;
	watch->apart_ms = apart_ms();
	int64_t by_ms = watch->apart_ms - before_ms;
	if (by_ms >= CLOCK_MINUTE_MS || by_ms <= -CLOCK_MINUTE_MS)
		watch->was_set(watch->ctx, by_ms);
}

struct clock_watch *clock_watch_new(uv_loop_t *loop, clock_watch_fn *was_set, void *ctx)
{
	struct clock_watch *watch = mem_alloc_zero(1, sizeof(*watch));
	watch->was_set = was_set;
	watch->ctx = ctx;
	watch->apart_ms = apart_ms();
	uv_timer_init(loop, &watch->timer);
	watch->timer.data = watch;
	uv_timer_start(&watch->timer, on_timer, LOOK_MS, LOOK_MS);
	return watch;
}

static void on_closed(uv_handle_t *handle)
{
	free(handle->data);
}

void clock_watch_free(struct clock_watch *watch)
{
	if (watch)
		uv_close((uv_handle_t *)&watch->timer, on_closed);
}

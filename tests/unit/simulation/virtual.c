#include "virtual.h"

#include "base/clock.h"
#include "base/heap.h"
#include "base/mem.h"

#include <assert.h>
#include <uv.h>

#define HANDLES_MAX 16
#define TURNS_MAX 4

struct happening {
	struct heap_node node;
	virtual_fn *fn;
	void *ctx;
	uint64_t number;
};

struct timer {
	struct heap_node node;
	uv_timer_t *handle;
	uv_timer_cb cb;
	uint64_t repeat_ms;
};

struct check {
	uv_check_t *handle;
	uv_check_cb cb;
};

struct closing {
	uv_handle_t *handle;
	uv_close_cb cb;
};

static int64_t now_ms;
static int64_t unix_ahead_ms;
static unsigned jumps;
static struct heap happenings;
static struct heap timers;
static struct timer timer_of[HANDLES_MAX];
static struct check checks[HANDLES_MAX];
static struct closing closing[HANDLES_MAX];
static unsigned closing_count;
static virtual_turn_fn *turns[TURNS_MAX];
static unsigned turn_count;

void virtual_start(int64_t at_ms, int64_t unix_ms)
{
	now_ms = at_ms;
	unix_ahead_ms = unix_ms - at_ms;
	jumps = 0;
	turn_count = 0;
	heap_init(&happenings);
	heap_init(&timers);
}

void virtual_end(void)
{
	for (struct heap_node *first; (first = heap_first(&happenings));) {
		heap_remove(&happenings, first);
		free(MEM_CONTAINER(first, struct happening, node));
	}
	assert(!heap_first(&timers));
	heap_fini(&happenings);
	heap_fini(&timers);
}

void virtual_add_turn(virtual_turn_fn *fn)
{
	assert(turn_count < TURNS_MAX);
	turns[turn_count++] = fn;
}

int64_t virtual_now_ms(void)
{
	return now_ms;
}

int64_t clock_monotonic_ms(void)
{
	return now_ms;
}

int64_t clock_unix_ms(void)
{
	return now_ms + unix_ahead_ms;
}

void virtual_jump(int64_t by_ms)
{
	unix_ahead_ms += by_ms;
	jumps++;
}

unsigned virtual_jumps(void)
{
	return jumps;
}

void virtual_in(int64_t delay_ms, virtual_fn *fn, void *ctx, uint64_t number)
{
	struct happening *happening = mem_alloc_zero(1, sizeof(*happening));
	happening->fn = fn;
	happening->ctx = ctx;
	happening->number = number;
	heap_add(&happenings, &happening->node, now_ms + (delay_ms > 0 ? delay_ms : 0));
}

static void happen(struct heap_node *node)
{
	heap_remove(&happenings, node);
	struct happening *happening = MEM_CONTAINER(node, struct happening, node);
	happening->fn(happening->ctx, happening->number);
	free(happening);
}

static void fire(struct heap_node *node)
{
	struct timer *timer = MEM_CONTAINER(node, struct timer, node);
	if (timer->repeat_ms)
		heap_move(&timers, node, now_ms + (int64_t)timer->repeat_ms);
	else
		heap_remove(&timers, node);
	timer->cb(timer->handle);
}

bool virtual_turn(int64_t until_ms)
{
	struct heap_node *happening = heap_first(&happenings);
	struct heap_node *timer = heap_first(&timers);
	bool is_timer = timer && (!happening || timer->due_ms <= happening->due_ms);
	struct heap_node *first = is_timer ? timer : happening;
	if (!first || first->due_ms > until_ms) {
		now_ms = until_ms;
		return false;
	}
	if (first->due_ms > now_ms)
		now_ms = first->due_ms;
	if (is_timer)
		fire(first);
	else
		happen(first);
	for (unsigned i = 0; i < HANDLES_MAX; i++) {
		if (checks[i].cb)
			checks[i].cb(checks[i].handle);
	}
	for (unsigned i = 0; i < turn_count; i++)
		turns[i]();
	virtual_close();
	return true;
}

void virtual_close(void)
{
	while (closing_count) {
		struct closing last = closing[--closing_count];
		if (last.cb)
			last.cb(last.handle);
	}
}

static struct timer *find_timer(const uv_timer_t *handle)
{
	for (unsigned i = 0; i < HANDLES_MAX; i++) {
		if (timer_of[i].handle == handle)
			return &timer_of[i];
	}
	return NULL;
}

/* What of libuv the loop thread's modules use. */

int uv_timer_init(uv_loop_t *loop, uv_timer_t *handle)
{
	(void)loop;
	struct timer *timer = find_timer(NULL);
	assert(timer);
	*timer = (struct timer){.handle = handle};
	return 0;
}

int uv_timer_start(uv_timer_t *handle, uv_timer_cb cb, uint64_t timeout, uint64_t repeat)
{
	struct timer *timer = find_timer(handle);
	assert(timer);
	uv_timer_stop(handle);
	timer->cb = cb;
	timer->repeat_ms = repeat;
	heap_add(&timers, &timer->node, now_ms + (int64_t)timeout);
	return 0;
}

int uv_timer_stop(uv_timer_t *handle)
{
	struct timer *timer = find_timer(handle);
	assert(timer);
	if (heap_has(&timer->node))
		heap_remove(&timers, &timer->node);
	return 0;
}

int uv_is_active(const uv_handle_t *handle)
{
	const struct timer *timer = find_timer((const uv_timer_t *)handle);
	return timer && heap_has(&timer->node);
}

int uv_check_init(uv_loop_t *loop, uv_check_t *handle)
{
	(void)loop;
	(void)handle;
	return 0;
}

int uv_check_start(uv_check_t *handle, uv_check_cb cb)
{
	unsigned i = 0;
	while (checks[i].cb)
		assert(++i < HANDLES_MAX);
	checks[i] = (struct check){handle, cb};
	return 0;
}

void uv_unref(uv_handle_t *handle)
{
	(void)handle;
}

void uv_close(uv_handle_t *handle, uv_close_cb cb)
{
	struct timer *timer = find_timer((const uv_timer_t *)handle);
	if (timer) {
		uv_timer_stop(timer->handle);
		timer->handle = NULL;
	}
	for (unsigned i = 0; i < HANDLES_MAX; i++) {
		if ((uv_handle_t *)checks[i].handle == handle)
			checks[i] = (struct check){0};
	}
	assert(closing_count < HANDLES_MAX);
	closing[closing_count++] = (struct closing){handle, cb};
}

#include "virtual.h"

#include "base/clock.h"
#include "base/mem.h"
#include "schedule/heap.h"

#include <assert.h>
#include <uv.h>

#define TURN_HANDLES_MAX 8 /* checks and prepares */
#define TURNS_MAX 4

struct happening {
	struct heap_node node;
	virtual_fn *fn;
	void *ctx;
	uint64_t number;
};

/* Belongs to its handle. */
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

struct prepare {
	uv_prepare_t *handle;
	uv_prepare_cb cb;
};

struct closing {
	struct closing *next;
	uv_handle_t *handle;
	uv_close_cb cb;
};

struct work {
	struct work *next;
	uv_work_t *request;
	uint64_t number;
};

static int64_t now_ms;
static int64_t unix_ahead_ms;
static unsigned jumps;
static struct heap happenings;
static struct heap timers;
static struct check checks[TURN_HANDLES_MAX];
static struct prepare prepares[TURN_HANDLES_MAX];
static unsigned idlers;
static struct closing *closing;
static struct work *works;
static uint64_t works_begun;
static int64_t (*work_takes_ms)(void);
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

void virtual_wake(void)
{
	virtual_in(0, NULL, NULL, 0);
}

static void happen(struct heap_node *node)
{
	heap_remove(&happenings, node);
	struct happening *happening = MEM_CONTAINER(node, struct happening, node);
	if (happening->fn)
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

void virtual_prepare(void)
{
	for (unsigned i = 0; i < TURN_HANDLES_MAX; i++) {
		if (prepares[i].cb)
			prepares[i].cb(prepares[i].handle);
	}
}

bool virtual_is_busy(void)
{
	return idlers > 0;
}

bool virtual_turn(int64_t until_ms)
{
	struct heap_node *happening = heap_first(&happenings);
	struct heap_node *timer = heap_first(&timers);
	bool is_timer = timer && (!happening || timer->due_ms <= happening->due_ms);
	struct heap_node *first = is_timer ? timer : happening;
	bool is_due = first && first->due_ms <= (idlers ? now_ms : until_ms);
	if (!is_due && !idlers) {
		now_ms = until_ms;
		return false;
	}
	if (is_due && first->due_ms > now_ms)
		now_ms = first->due_ms;
	if (is_due && is_timer)
		fire(first);
	else if (is_due)
		happen(first);
	for (unsigned i = 0; i < TURN_HANDLES_MAX; i++) {
		if (checks[i].cb)
			checks[i].cb(checks[i].handle);
	}
	virtual_close();
	virtual_prepare();
	for (unsigned i = 0; i < turn_count; i++)
		turns[i]();
	virtual_close();
	return true;
}

void virtual_close(void)
{
	while (closing) {
		struct closing *last = closing;
		closing = last->next;
		if (last->cb)
			last->cb(last->handle);
		free(last);
	}
}

/* The parts of libuv that the loop thread uses. */

uint64_t uv_now(const uv_loop_t *loop)
{
	(void)loop;
	return (uint64_t)now_ms;
}

static struct timer *timer_of(const uv_timer_t *handle)
{
	return handle->u.reserved[0];
}

int uv_timer_init(uv_loop_t *loop, uv_timer_t *handle)
{
	(void)loop;
	struct timer *timer = mem_alloc_zero(1, sizeof(*timer));
	timer->handle = handle;
	handle->type = UV_TIMER;
	handle->u.reserved[0] = timer;
	return 0;
}

int uv_timer_start(uv_timer_t *handle, uv_timer_cb cb, uint64_t timeout, uint64_t repeat)
{
	struct timer *timer = timer_of(handle);
	uv_timer_stop(handle);
	timer->cb = cb;
	timer->repeat_ms = repeat;
	heap_add(&timers, &timer->node, now_ms + (int64_t)timeout);
	return 0;
}

int uv_timer_stop(uv_timer_t *handle)
{
	struct timer *timer = timer_of(handle);
	if (heap_has(&timer->node))
		heap_remove(&timers, &timer->node);
	return 0;
}

int uv_is_active(const uv_handle_t *handle)
{
	assert(handle->type == UV_TIMER);
	return heap_has(&timer_of((const uv_timer_t *)handle)->node);
}

int uv_check_init(uv_loop_t *loop, uv_check_t *handle)
{
	(void)loop;
	handle->type = UV_CHECK;
	return 0;
}

int uv_check_start(uv_check_t *handle, uv_check_cb cb)
{
	unsigned i = 0;
	while (checks[i].cb)
		assert(++i < TURN_HANDLES_MAX);
	checks[i] = (struct check){handle, cb};
	return 0;
}

int uv_check_stop(uv_check_t *handle)
{
	for (unsigned i = 0; i < TURN_HANDLES_MAX; i++) {
		if (checks[i].handle == handle)
			checks[i] = (struct check){0};
	}
	return 0;
}

int uv_prepare_init(uv_loop_t *loop, uv_prepare_t *handle)
{
	(void)loop;
	handle->type = UV_PREPARE;
	return 0;
}

int uv_prepare_start(uv_prepare_t *handle, uv_prepare_cb cb)
{
	unsigned i = 0;
	while (prepares[i].cb && prepares[i].handle != handle)
		assert(++i < TURN_HANDLES_MAX);
	prepares[i] = (struct prepare){handle, cb};
	return 0;
}

int uv_prepare_stop(uv_prepare_t *handle)
{
	for (unsigned i = 0; i < TURN_HANDLES_MAX; i++) {
		if (prepares[i].handle == handle)
			prepares[i] = (struct prepare){0};
	}
	return 0;
}

int uv_idle_init(uv_loop_t *loop, uv_idle_t *handle)
{
	(void)loop;
	handle->type = UV_IDLE;
	handle->u.reserved[0] = NULL;
	return 0;
}

/* An idler's callback does nothing: a running idler keeps the loop from waiting. */
int uv_idle_start(uv_idle_t *handle, uv_idle_cb cb)
{
	(void)cb;
	idlers += !handle->u.reserved[0];
	handle->u.reserved[0] = handle;
	return 0;
}

int uv_idle_stop(uv_idle_t *handle)
{
	idlers -= handle->u.reserved[0] != NULL;
	handle->u.reserved[0] = NULL;
	return 0;
}

void uv_unref(uv_handle_t *handle)
{
	(void)handle;
}

static void free_timer(uv_timer_t *handle)
{
	uv_timer_stop(handle);
	free(timer_of(handle));
	handle->u.reserved[0] = NULL;
}

void uv_close(uv_handle_t *handle, uv_close_cb cb)
{
	if (handle->type == UV_TIMER)
		free_timer((uv_timer_t *)handle);
	else if (handle->type == UV_CHECK)
		uv_check_stop((uv_check_t *)handle);
	else if (handle->type == UV_PREPARE)
		uv_prepare_stop((uv_prepare_t *)handle);
	else if (handle->type == UV_IDLE)
		uv_idle_stop((uv_idle_t *)handle);
	else if (handle->type == UV_FS_EVENT)
		uv_fs_event_stop((uv_fs_event_t *)handle);
	else if (handle->type == UV_POLL)
		uv_poll_stop((uv_poll_t *)handle);
	struct closing *last = mem_alloc(sizeof(*last));
	*last = (struct closing){closing, handle, cb};
	closing = last;
}

/* libuv's pool. */

static void end_work(struct work *work, bool is_done)
{
	struct work **at = &works;
	while (*at != work)
		at = &(*at)->next;
	*at = work->next;
	if (is_done)
		work->request->work_cb(work->request);
	work->request->after_work_cb(work->request, 0);
	free(work);
}

static void on_worked(void *ctx, uint64_t number)
{
	(void)ctx;
	struct work *work = works;
	while (work && work->number != number)
		work = work->next;
	if (work)
		end_work(work, true);
}

int uv_queue_work(uv_loop_t *loop, uv_work_t *request, uv_work_cb cb, uv_after_work_cb after)
{
	(void)loop;
	struct work *work = mem_alloc(sizeof(*work));
	*work = (struct work){works, request, ++works_begun};
	works = work;
	request->work_cb = cb;
	request->after_work_cb = after;
	virtual_in(work_takes_ms(), on_worked, NULL, work->number);
	return 0;
}

void virtual_work_takes(int64_t (*takes_ms)(void))
{
	work_takes_ms = takes_ms;
}

void virtual_end_works(bool is_done)
{
	while (works)
		end_work(works, is_done);
}

#include "flow/registry_watch.h"

#include "base/alarm.h"
#include "base/clock.h"
#include "base/mem.h"
#include "registry/registry.h"

#include <string.h>
#include <time.h>

/* Between attempts it rests for five seconds at most. */
#define SPARE_MS (10 * CLOCK_SECOND_MS)

/* Some of it changes with whatever the thread does. */
struct sign {
	uint64_t begun; /* jobs that it took */
	uint64_t round_trips;
	uint64_t conflicts;
	int64_t error_ms;
	int64_t next_try_ms;
};

struct registry_watch {
	struct registry *registry;
	uv_timer_t timer;
	int64_t limit_ms;
	struct sign last;
	int64_t since_ms; /* Unix: when the last one was seen */
	int64_t quiet_ms; /* counted by looks, so that a daemon that was stopped waits anew */
	char *trouble;	  /* NULL: none */
	bool is_hanging;
};

static void set_alarm(const struct registry_watch *watch)
{
	char since[32];
	struct tm tm;
	const time_t seconds = (time_t)(watch->since_ms / CLOCK_SECOND_MS);
	gmtime_r(&seconds, &tm);
	strftime(since, sizeof(since), "%Y-%m-%d %H:%M:%S UTC", &tm);
	if (watch->is_hanging)
		alarm_raise("registry",
			"its thread does not answer since %s; it waits for a file system, or in "
			"the library of its database: look at the disks and at what mailpush.conf "
			"names in registry%s%s",
			since, watch->trouble ? "; before that: " : "",
			watch->trouble ? watch->trouble : "");
	else if (watch->trouble)
		alarm_raise("registry", "%s", watch->trouble);
	else
		alarm_clear("registry");
}

static struct sign sign_of(struct registry *registry)
{
	struct registry_health health;
	registry_health(registry, &health);
	const struct worker *worker = registry_worker(registry);
	return (struct sign){.begun = worker_submitted(worker) - worker_waiting(worker),
		.round_trips = registry_round_trips(registry),
		.conflicts = registry_conflicts(registry),
		.error_ms = health.error_ms,
		.next_try_ms = health.next_try_ms};
}

static bool is_same(const struct sign *one, const struct sign *other)
{
	return one->begun == other->begun && one->round_trips == other->round_trips &&
		one->conflicts == other->conflicts && one->error_ms == other->error_ms &&
		one->next_try_ms == other->next_try_ms;
}

static void on_timer(uv_timer_t *timer)
{
	struct registry_watch *watch = timer->data;
	struct sign now = sign_of(watch->registry);
	bool was_hanging = watch->is_hanging;
	if (registry_is_at_rest(watch->registry) || !is_same(&now, &watch->last)) {
		watch->since_ms = clock_unix_ms();
		watch->quiet_ms = 0;
	} else
		watch->quiet_ms += CLOCK_SECOND_MS;
	watch->last = now;
	watch->is_hanging = watch->quiet_ms > watch->limit_ms;
	if (watch->is_hanging != was_hanging)
		set_alarm(watch);
}

struct registry_watch *registry_watch_new(
	uv_loop_t *loop, struct registry *registry, int64_t timeout_ms)
{
	struct registry_watch *watch = mem_alloc_zero(1, sizeof(*watch));
	watch->registry = registry;
	watch->limit_ms = timeout_ms + SPARE_MS;
	watch->since_ms = clock_unix_ms();
	uv_timer_init(loop, &watch->timer);
	watch->timer.data = watch;
	uv_timer_start(&watch->timer, on_timer, CLOCK_SECOND_MS, CLOCK_SECOND_MS);
	return watch;
}

static void on_closed(uv_handle_t *handle)
{
	struct registry_watch *watch = handle->data;
	free(watch->trouble);
	free(watch);
}

void registry_watch_free(struct registry_watch *watch)
{
	if (watch)
		uv_close((uv_handle_t *)&watch->timer, on_closed);
}

void registry_watch_trouble(struct registry_watch *watch, const char *text)
{
	if (!watch)
		return;
	free(watch->trouble);
	watch->trouble = text ? mem_dup(text) : NULL;
	set_alarm(watch);
}

#include "daemon/group_refresh.h"

#include "base/clock.h"
#include "base/log.h"
#include "base/mem.h"
#include "config/accounts.h"

#include <errno.h>
#include <stdbool.h>
#include <string.h>

#define EVERY_MS (10 * CLOCK_MINUTE_MS)

struct look {
	char *name;
	int status;
	char *members; /* names, each ended by a NUL */
	size_t count;
};

struct group_refresh {
	struct config *config;
	uv_loop_t *loop;
	uv_timer_t timer;
	uv_work_t work;
	struct look *looks;
	size_t count;
	bool is_running;
	bool is_wanted; /* another one follows */
	bool is_freed;
	bool is_closed;
	bool was_well; /* all groups of the last look were found */
};

static void run(struct group_refresh *refresh);

static void free_looks(struct group_refresh *refresh)
{
	for (size_t i = 0; i < refresh->count; i++) {
		free(refresh->looks[i].name);
		free(refresh->looks[i].members);
	}
	free(mem_steal(refresh->looks));
	refresh->count = 0;
}

static void free_if_idle(struct group_refresh *refresh)
{
	if (refresh->is_running || !refresh->is_closed)
		return;
	free_looks(refresh);
	free(refresh);
}

static void on_work(uv_work_t *work)
{
	struct group_refresh *refresh = work->data;
	for (size_t i = 0; i < refresh->count; i++) {
		struct look *look = &refresh->looks[i];
		look->status = accounts_members(look->name, &look->members, &look->count);
	}
}

static void take(struct group_refresh *refresh, const struct look *look)
{
	mem_auto const char **members = mem_alloc_zero(look->count + 1, sizeof(*members));
	const char *at = look->members;
	for (size_t i = 0; i < look->count; i++) {
		members[i] = at;
		at += strlen(at) + 1;
	}
	groups_set_members(refresh->config->groups, look->name, members, look->count);
}

static void on_done(uv_work_t *work, int status)
{
	struct group_refresh *refresh = work->data;
	bool is_well = true;
	refresh->is_running = false;
	if (refresh->is_freed || status) {
		free_if_idle(refresh);
		return;
	}
	for (size_t i = 0; i < refresh->count; i++) {
		const struct look *look = &refresh->looks[i];
		if (!look->status) {
			take(refresh, look);
			continue;
		}
		is_well = false;
		if (refresh->was_well)
			log_event(LOG_LEVEL_WARN, "config",
				look->status == -ENOENT
					? "the system has no such group; its members are as before"
					: "the system does not say who is in a group; its members "
					  "are as before",
				log_text("group", look->name),
				log_text("why", strerror(-look->status)));
	}
	if (is_well && !refresh->was_well)
		log_event(LOG_LEVEL_INFO, "config", "the system knows all groups again");
	refresh->was_well = is_well;
	free_looks(refresh);
	if (refresh->is_wanted)
		run(refresh);
}

static void run(struct group_refresh *refresh)
{
	size_t count;
	refresh->is_wanted = refresh->is_running;
	if (refresh->is_running)
		return;
	mem_auto const char **names = groups_of_system(refresh->config->groups, &count);
	if (!count)
		return;
	refresh->looks = mem_alloc_zero(count, sizeof(*refresh->looks));
	refresh->count = count;
	for (size_t i = 0; i < count; i++)
		refresh->looks[i].name = mem_dup(names[i]);
	refresh->is_running = true;
	refresh->work.data = refresh;
	uv_queue_work(refresh->loop, &refresh->work, on_work, on_done);
}

static void on_timer(uv_timer_t *timer)
{
	run(timer->data);
}

struct group_refresh *group_refresh_new(uv_loop_t *loop, struct config *config)
{
	struct group_refresh *refresh = mem_alloc_zero(1, sizeof(*refresh));
	refresh->loop = loop;
	refresh->config = config;
	refresh->was_well = true;
	uv_timer_init(loop, &refresh->timer);
	refresh->timer.data = refresh;
	uv_timer_start(&refresh->timer, on_timer, EVERY_MS, EVERY_MS);
	run(refresh);
	return refresh;
}

void group_refresh_now(struct group_refresh *refresh)
{
	run(refresh);
}

static void on_closed(uv_handle_t *handle)
{
	struct group_refresh *refresh = handle->data;
	refresh->is_closed = true;
	free_if_idle(refresh);
}

void group_refresh_free(struct group_refresh *refresh)
{
	if (!refresh)
		return;
	refresh->is_freed = true;
	uv_close((uv_handle_t *)&refresh->timer, on_closed);
}

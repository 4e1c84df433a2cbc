#include "admin/registry_freeze.h"

#include "admin/deferred_request.h"
#include "base/alarm.h"
#include "base/mem.h"
#include "monitor/response.h"

static void answer(const struct services *services, struct http_request *request)
{
	bool is_frozen = registry_is_held(services->registry, REGISTRY_HELD_FOR_COPY);
	response_json(request, 200, json_pack("{sb}", "frozen", is_frozen));
}

bool registry_freeze_refuses(const struct services *services, struct http_request *request)
{
	if (!registry_is_held(services->registry, REGISTRY_HELD_FOR_COPY))
		return false;
	response_error(request, 503,
		"the registry is frozen while it is copied: registrations can neither be read "
		"nor changed until mailpushd is restarted with the copy, or `mailpushctl "
		"registry thaw`");
	return true;
}

static void on_at_rest(struct db_query *db_query, int status)
{
	struct deferred_request *deferred =
		MEM_CONTAINER(db_query, struct deferred_request, db_query);
	if (!deferred_request_is_over(deferred, status))
		answer(deferred->services, deferred->request);
	deferred_request_fini(deferred);
	free(deferred);
}

void registry_freeze_begin(
	const struct services *services, struct http_request *request, const char *tail)
{
	struct registry *registry = services->registry;
	(void)tail;
	bool is_frozen = registry_is_held(registry, REGISTRY_HELD_FOR_COPY);
	if (registry_is_held(registry, REGISTRY_HELD_FOR_START) ||
		(is_frozen && !registry_is_at_rest(registry))) {
		response_error(request, 503,
			"the registry has work left from before; try again in a moment");
		return;
	}
	if (is_frozen) {
		answer(services, request);
		return;
	}
	struct deferred_request *deferred = mem_alloc_zero(1, sizeof(*deferred));
	deferred_request_init(deferred, services, request);
	/* The last that it does. */
	db_query_ask_registry(services, &deferred->db_query, REGISTRY_COUNT, on_at_rest);
	registry_hold(registry, REGISTRY_HELD_FOR_COPY);
	alarm_raise("registry:frozen",
		"the registry is frozen, as `mailpushctl registry freeze` asked for: events and "
		"registrations are parked; copy it and restart mailpushd with the new one, or run "
		"`mailpushctl registry thaw`");
}

void registry_freeze_end(
	const struct services *services, struct http_request *request, const char *tail)
{
	(void)tail;
	registry_release(services->registry, REGISTRY_HELD_FOR_COPY);
	alarm_clear("registry:frozen");
	answer(services, request);
}

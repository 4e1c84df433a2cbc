#include "admin/device_page.h"

#include "admin/request_params.h"
#include "base/mem.h"
#include "monitor/response.h"

bool device_page_read(struct http_request *request, const struct services *services,
	struct deferred_request *deferred)
{
	const char *user = NULL;
	const char *after_user = NULL;
	struct registry_key after_key = {0};
	int64_t limit = REQUEST_PARAMS_LIMIT_DEFAULT;
	if (!request_params_text(http_query(request, "user"), &user) ||
		!request_params_text(http_query(request, "after_user"), &after_user) ||
		!request_params_key(http_query(request, "after_key"), &after_key) ||
		!request_params_number(
			http_query(request, "limit"), 1, REQUEST_PARAMS_LIMIT_MAX, &limit)) {
		response_error(request, 400,
			"limit must be from 1 to %d, after_key a key, and texts of at most %d "
			"bytes",
			REQUEST_PARAMS_LIMIT_MAX, REQUEST_PARAMS_TEXT_MAX);
		return false;
	}
	deferred_request_init(deferred, services, request);
	if (user || after_user)
		deferred->user = mem_dup(user ? user : after_user);
	deferred->db_query.query = (struct registry_query){
		.user = user ? deferred->user : NULL,
		.after_user = deferred->user,
		.after_key = after_key,
		.limit = (size_t)limit,
	};
	return true;
}

json_t *device_page_next(const struct registry_listing *listing)
{
	if (!listing->has_more)
		return json_null();
	const struct push_target *last = listing->listed[listing->count - 1].target;
	return json_pack(
		"{so,so}", "user", response_text(last->user), "key", response_key(&last->key));
}

#include "admin/export.h"

#include "admin/deferred_request.h"
#include "admin/device_page.h"
#include "admin/registration_json.h"
#include "base/mem.h"
#include "monitor/response.h"

static void on_listed(struct db_query *db_query, int status)
{
	struct deferred_request *deferred =
		MEM_CONTAINER(db_query, struct deferred_request, db_query);
	if (!deferred_request_is_over(deferred, status)) {
		const struct registry_listing *listing = db_query->job.listing;
		json_t *registrations = json_array();
		for (size_t i = 0; i < listing->count; i++)
			json_array_append_new(
				registrations, registration_json_of(&listing->listed[i]));
		response_json(deferred->request, 200,
			json_pack("{so,so}", "registrations", registrations, "next",
				device_page_next(listing)));
	}
	deferred_request_fini(deferred);
	free(deferred);
}

void export_registrations(
	const struct services *services, struct http_request *request, const char *tail)
{
	(void)tail;
	struct deferred_request *deferred = mem_alloc_zero(1, sizeof(*deferred));
	if (!device_page_read(request, services, deferred)) {
		free(deferred);
		return;
	}
	db_query_ask_registry(services, &deferred->db_query, REGISTRY_LIST, on_listed);
}

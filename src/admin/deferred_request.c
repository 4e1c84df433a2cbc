#include "admin/deferred_request.h"

#include "monitor/response.h"

#include <stdlib.h>
#include <string.h>

static void on_gone(void *ctx)
{
	struct deferred_request *deferred = ctx;
	deferred->request = NULL;
}

void deferred_request_init(struct deferred_request *deferred, const struct services *services,
	struct http_request *request)
{
	const char *full = http_query(request, "full");
	*deferred = (struct deferred_request){
		.services = services, .request = request, .full = full && !strcmp(full, "1")};
	http_defer(request, on_gone, deferred);
}

void deferred_request_fini(struct deferred_request *deferred)
{
	db_query_fini(&deferred->db_query);
	free(deferred->user);
}

bool deferred_request_is_over(struct deferred_request *deferred, int status)
{
	if (deferred->request && status)
		response_undone(deferred->request, status, deferred->db_query.job.refusal);
	return !deferred->request || status;
}

bool deferred_request_read_params(struct http_request *request, struct request_params *ret)
{
	struct err err;
	size_t size;
	const char *body = http_body(request, &size);
	if (!request_params_parse(body, size, ret, &err))
		return true;
	response_error(request, 400, "%s", err.text);
	request_params_fini(ret);
	return false;
}

#include "daemon/exchange.h"

#include "daemon/reply.h"

#include <stdlib.h>
#include <string.h>

static void on_gone(void *ctx)
{
	struct exchange *exchange = ctx;
	exchange->request = NULL;
}

void exchange_init(struct exchange *exchange, struct core *core, struct http_request *request)
{
	const char *full = http_query(request, "full");
	*exchange = (struct exchange){
		.core = core, .request = request, .full = full && !strcmp(full, "1")};
	http_defer(request, on_gone, exchange);
}

void exchange_fini(struct exchange *exchange)
{
	inquiry_fini(&exchange->inquiry);
	free(exchange->user);
}

bool exchange_is_over(struct exchange *exchange, int status)
{
	if (exchange->request && status)
		reply_error(exchange->request, 503, "mailpushd is stopping");
	return !exchange->request || status;
}

bool exchange_asks(struct http_request *request, struct ask *ret)
{
	struct err err;
	size_t size;
	const char *body = http_body(request, &size);
	if (!ask_parse(body, size, ret, &err))
		return true;
	reply_error(request, 400, "%s", err.text);
	ask_fini(ret);
	return false;
}

#include "xaps/xaps_http.h"

#include "base/log.h"
#include "base/mem.h"
#include "config/listen.h"
#include "intake/listener.h"
#include "loop/host_header.h"
#include "loop/http.h"
#include "loop/network.h"

#include <netdb.h>
#include <string.h>
#include <unistd.h>

#define TEXT "text/plain; charset=utf-8"
#define DESCRIPTORS_SHARE 2 /* of what intake/listener.h gives, which is half of them */

struct xaps_http {
	struct xaps_http_needs needs;
	struct http *server;
};

/* A request that waits for its answer. */
struct waiting {
	struct http_request *request;
	struct xaps_call *call;
};

static const unsigned codes[] = {
	[XAPS_CALL_TAKEN] = 200,
	[XAPS_CALL_NO_DEVICE] = 204,
	[XAPS_CALL_NO_USER] = 404,
	[XAPS_CALL_BAD] = 400,
	[XAPS_CALL_FAILED] = 500,
};

static void answer(struct http_request *request, unsigned code, const char *text)
{
	buf_auto struct buf body;
	buf_init(&body);
	buf_append_text(&body, text);
	http_answer(request, code, TEXT, &body);
}

static void on_answered(void *ctx, enum xaps_call_answer answered, const char *topic)
{
	struct waiting *waiting = ctx;
	answer(waiting->request, codes[answered], topic);
	free(waiting);
}

static void on_gone(void *ctx)
{
	struct waiting *waiting = ctx;
	xaps_call_forget(waiting->call);
	free(waiting);
}

static void forward(
	struct xaps_http *http, struct http_request *request, struct xaps_request *asked)
{
	struct waiting *waiting = mem_alloc_zero(1, sizeof(*waiting));
	waiting->request = request;
	struct xaps_call *call = xaps_call(http->needs.calls, asked, on_answered, waiting);
	if (!call)
		return;
	waiting->call = call;
	http_defer(request, on_gone, waiting);
}

static void refuse(
	struct xaps_http *http, struct http_request *request, unsigned code, const char *why)
{
	http->needs.metrics->rejected[METRICS_REJECTED_malformed]++;
	log_seldom(LOG_LEVEL_WARN, "xaps", "refused requests of xaps", why, "request refused",
		log_number("status", code), log_text("why", why));
	answer(request, code, "");
}

static void on_post(struct xaps_http *http, struct http_request *request, bool is_registration)
{
	size_t size;
	const char *body = http_body(request, &size);
	const struct xaps_topics *topics = xaps_calls_topics(http->needs.calls);
	struct xaps_request asked = {0};
	struct err err;
	int failed = is_registration ? xaps_request_parse_register(body, size, topics, &asked, &err)
				     : xaps_request_parse_notify(body, size, &asked, &err);
	if (failed)
		refuse(http, request, codes[XAPS_CALL_BAD], err.text);
	else
		forward(http, request, &asked);
}

/* Each browser sends one of the two with a POST, whatever page asks for it. */
static bool is_of_browser(const struct http_request *request)
{
	return http_header(request, "Origin") || http_header(request, "Sec-Fetch-Site");
}

static void on_request(void *ctx, struct http_request *request)
{
	struct xaps_http *http = ctx;
	const char *path = http_path(request);
	bool is_registration = !strcmp(path, "/register");
	if (is_of_browser(request)) {
		refuse(http, request, 403, "a browser asks, perhaps for a web page from elsewhere");
	} else if (listen_is_loopback(&http->needs.config->xaps_listen) &&
		!host_header_is_local(http_header(request, "Host"))) {
		refuse(http, request, 403,
			"xaps_listen is a loopback address, so name it in the plugin's settings by "
			"its address or as localhost");
	} else if (!is_registration && strcmp(path, "/notify") != 0) {
		refuse(http, request, 404, "the paths are /register and /notify");
	} else if (strcmp(http_method(request), "POST") != 0) {
		http_add_header(request, "Allow", "POST");
		refuse(http, request, 405, "the method is POST");
	} else {
		on_post(http, request, is_registration);
	}
}

static bool is_allowed(void *ctx, int fd)
{
	const struct xaps_http *http = ctx;
	const struct config *config = http->needs.config;
	struct sockaddr_storage address = {.ss_family = AF_UNSPEC};
	socklen_t size = sizeof(address);
	if (getpeername(fd, (struct sockaddr *)&address, &size))
		return false;
	if (network_is_loopback(&address))
		return true;
	for (unsigned i = 0; i < config->xaps_client_count; i++)
		if (network_has(&config->xaps_clients[i], &address))
			return true;
	char name[NI_MAXHOST] = "?";
	getnameinfo((const struct sockaddr *)&address, size, name, sizeof(name), NULL, 0,
		NI_NUMERICHOST);
	http->needs.metrics->rejected[METRICS_REJECTED_not_allowed]++;
	log_seldom(LOG_LEVEL_WARN, "xaps", "clients refused by xaps_listen", name,
		"client is not in xaps_clients", log_text("address", name));
	return false;
}

int xaps_http_new(const struct xaps_http_needs *needs, struct xaps_http **ret, struct err *err)
{
	const struct sockaddr_storage *address = &needs->config->xaps_listen;
	int listener;
	int status = listen_bind(address, "xaps_listen", &listener, err);
	if (status)
		return status;
	struct xaps_http *http = mem_alloc_zero(1, sizeof(*http));
	http->needs = *needs;
	const struct http_settings settings = {.listener = listener,
		.connections_max = (unsigned)listener_connections_max(
					   DESCRIPTORS_SHARE * XAPS_HTTP_CONNECTIONS_MAX) /
			DESCRIPTORS_SHARE,
		.body_max = XAPS_HTTP_BODY_MAX,
		.request_ms = XAPS_HTTP_REQUEST_MS,
		.idle_ms = XAPS_HTTP_IDLE_MS,
		.is_allowed = is_allowed,
		.came = on_request,
		.ctx = http};
	status = http_new(needs->loop, &settings, &http->server, err);
	if (status) {
		close(listener);
		free(http);
		return status;
	}
	char name[64];
	listen_print(address, name, sizeof(name));
	log_event(LOG_LEVEL_INFO, "xaps", "serving the HTTP API of xapsd",
		log_text("xaps_listen", name));
	*ret = http;
	return 0;
}

void xaps_http_free(struct xaps_http *http)
{
	if (!http)
		return;
	http_free(http->server);
	free(http);
}

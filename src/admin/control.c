#include "admin/control.h"

#include "admin/alarm_test.h"
#include "admin/devices.h"
#include "admin/forgotten.h"
#include "admin/import.h"
#include "admin/queue_commands.h"
#include "admin/registry_freeze.h"
#include "admin/removal.h"
#include "admin/request_params.h"
#include "admin/test_push.h"
#include "admin/timeline.h"
#include "base/log.h"
#include "base/mem.h"
#include "config/listen.h"
#include "loop/host_header.h"
#include "monitor/db_totals.h"
#include "monitor/event_stream.h"
#include "monitor/page_login.h"
#include "monitor/prometheus.h"
#include "monitor/response.h"
#include "monitor/status.h"
#include "monitor/status_page.h"
#include "stats/metrics.h"

#include <stdio.h>
#include <string.h>
#include <unistd.h>

#define STATUS_OK 200
#define STATUS_BAD 400
#define STATUS_FORBIDDEN 403
#define STATUS_NOT_FOUND 404
#define STATUS_WRONG_METHOD 405
#define STATUS_UNAVAILABLE 503

struct control {
	struct services *services;
	struct http *local;
	struct peer_file file; /* of local's socket */
	struct http *tcp;
	uv_timer_t sampler;
};

/* A request that waits for the totals. */
struct totals_request {
	struct db_totals_waiter waiter;
	const struct services *services;
	struct http_request *request;
	void (*answer)(const struct services *services, struct http_request *request,
		const struct db_totals_values *totals);
};

static void on_gone(void *ctx)
{
	struct totals_request *waiting = ctx;
	db_totals_forget(&waiting->waiter);
	free(waiting);
}

static void on_ready(struct db_totals_waiter *waiter, const struct db_totals_values *totals)
{
	struct totals_request *waiting = MEM_CONTAINER(waiter, struct totals_request, waiter);
	waiting->answer(waiting->services, waiting->request, totals);
	free(waiting);
}

static void answer_with_totals(const struct services *services, struct http_request *request,
	void (*answer)(const struct services *services, struct http_request *request,
		const struct db_totals_values *totals))
{
	struct totals_request *waiting = mem_alloc_zero(1, sizeof(*waiting));
	*waiting = (struct totals_request){.waiter = {.ready = on_ready},
		.services = services,
		.request = request,
		.answer = answer};
	http_defer(request, on_gone, waiting);
	db_totals_want(services->db_totals, &waiting->waiter);
}

static void answer_status(const struct services *services, struct http_request *request,
	const struct db_totals_values *totals)
{
	response_json(request, STATUS_OK, status_of(services, totals));
}

static void get_status(
	const struct services *services, struct http_request *request, const char *tail)
{
	(void)tail;
	answer_with_totals(services, request, answer_status);
}

static void answer_page_data(const struct services *services, struct http_request *request,
	const struct db_totals_values *totals)
{
	response_json(request, STATUS_OK, status_page_data(services, totals));
}

static void get_page_data(
	const struct services *services, struct http_request *request, const char *tail)
{
	(void)tail;
	answer_with_totals(services, request, answer_page_data);
}

static void answer_metrics(const struct services *services, struct http_request *request,
	const struct db_totals_values *totals)
{
	buf_auto struct buf body;
	buf_init(&body);
	prometheus_write(services, totals, &body);
	http_answer(request, STATUS_OK, PROMETHEUS_TYPE, &body);
}

static void get_metrics(
	const struct services *services, struct http_request *request, const char *tail)
{
	(void)tail;
	answer_with_totals(services, request, answer_metrics);
}

static void get_healthz(
	const struct services *services, struct http_request *request, const char *tail)
{
	(void)services;
	(void)tail;
	response_json(request, STATUS_OK, json_pack("{ss}", "status", "ok"));
}

/* Names of alarms only: their texts may name people's folders. */
static void get_readyz(
	const struct services *services, struct http_request *request, const char *tail)
{
	(void)services;
	(void)tail;
	json_t *unready = status_unready();
	if (!unready) {
		response_json(request, STATUS_OK, json_pack("{ss}", "status", "ready"));
		return;
	}
	json_t *names = json_array();
	size_t i;
	json_t *alarm;
	json_array_foreach(unready, i, alarm)
		json_array_append(names, json_object_get(alarm, "name"));
	json_decref(unready);
	response_json(request, STATUS_UNAVAILABLE,
		json_pack("{ss,so}", "status", "not ready", "alarms", names));
}

static void get_config(
	const struct services *services, struct http_request *request, const char *tail)
{
	(void)tail;
	const struct config *config = services->config;
	json_t *settings = json_array();
	for (unsigned i = 0; i < config->setting_count; i++) {
		const struct config_setting *setting = &config->settings[i];
		json_array_append_new(settings,
			json_pack("{so,so,so,so}", "key", response_text(setting->key), "value",
				response_text(setting->value), "file",
				response_text(setting->file ? setting->file : config->path), "line",
				setting->line ? json_integer(setting->line) : json_null()));
	}
	response_json(request, STATUS_OK,
		json_pack("{so,so}", "file", response_text(config->path), "settings", settings));
}

static void set_log_level(
	const struct services *services, struct http_request *request, const char *tail)
{
	(void)services;
	(void)tail;
	struct request_params params;
	struct err err;
	size_t size;
	const char *body = http_body(request, &size);
	int level = -1;
	if (!request_params_parse(body, size, &params, &err))
		level = log_level_parse(params.level);
	request_params_fini(&params);
	if (level < 0) {
		response_error(request, STATUS_BAD, "level must be error, warn, info or debug");
		return;
	}
	log_set_level((enum log_level)level);
	log_seldom(LOG_LEVEL_INFO, "daemon", "log level changed", log_level_name(),
		"log level changed", log_text("level", log_level_name()));
	response_json(request, STATUS_OK, json_pack("{ss}", "log_level", log_level_name()));
}

enum {
	HAS_TAIL = 1 << 0,	 /* the path goes on: "/devices/KEY" */
	IS_PUBLIC = 1 << 1,	 /* also on http_listen */
	NEEDS_REGISTRY = 1 << 2, /* refused while that is frozen */
	NEEDS_LOGIN = 1 << 3,	 /* on http_listen for those whom page_login lets in */
};

static const struct route {
	const char *method;
	const char *path;
	unsigned flags;
	void (*handle)(
		const struct services *services, struct http_request *request, const char *tail);
} routes[] = {
	{"GET", "/status", 0, get_status},
	{"GET", "/", IS_PUBLIC, status_page_show},
	{"GET", "/status-page.json", IS_PUBLIC, get_page_data},
	{"GET", "/metrics", IS_PUBLIC, get_metrics},
	{"GET", "/healthz", IS_PUBLIC, get_healthz},
	{"GET", "/readyz", IS_PUBLIC, get_readyz},
	{"GET", "/config", 0, get_config},
	{"POST", "/log-level", 0, set_log_level},
	{"GET", "/export", NEEDS_REGISTRY, devices_export},
	{"POST", "/import", NEEDS_REGISTRY, import_registrations},
	{"POST", "/user/remove", NEEDS_REGISTRY, removal_user},
	{"POST", "/devices/remove", NEEDS_REGISTRY, removal_devices},
	{"GET", "/phones", NEEDS_LOGIN, status_page_show_phones},
	{"GET", "/devices", NEEDS_REGISTRY | NEEDS_LOGIN, devices_list},
	{"GET", "/devices/", HAS_TAIL | NEEDS_REGISTRY, devices_show},
	{"DELETE", "/devices/", HAS_TAIL | NEEDS_REGISTRY, removal_device},
	{"POST", "/registry/freeze", 0, registry_freeze_begin},
	{"POST", "/registry/thaw", 0, registry_freeze_end},
	{"GET", "/forgotten", NEEDS_REGISTRY, forgotten_list},
	{"GET", "/trace", NEEDS_LOGIN, timeline_show},
	{"POST", "/prune", NEEDS_REGISTRY, devices_prune},
	{"GET", "/queue", 0, queue_commands_list},
	{"POST", "/queue/flush", 0, queue_commands_flush},
	{"POST", "/queue/drop", 0, queue_commands_drop},
	{"POST", "/push", NEEDS_REGISTRY, test_push},
	{"POST", "/alarm/test", 0, alarm_test},
	{"POST", "/credentials/check", 0, test_credentials},
	{"GET", "/events", 0, event_stream_follow},
};

static bool is_there(const struct services *services, const struct route *route, bool is_public)
{
	return !is_public || (route->flags & IS_PUBLIC) ||
		((route->flags & NEEDS_LOGIN) && page_login_is_on(services));
}

static bool may_be_asked(const struct services *services, const struct route *route,
	struct http_request *request, bool is_public)
{
	if (is_public && (route->flags & NEEDS_LOGIN) && !page_login_admits(services, request))
		return false;
	return !(route->flags & NEEDS_REGISTRY) || !registry_freeze_refuses(services, request);
}

static void dispatch(const struct services *services, struct http_request *request, bool is_public)
{
	const char *path = http_path(request);
	bool has_path = false;
	for (size_t i = 0; i < sizeof(routes) / sizeof(routes[0]); i++) {
		const struct route *route = &routes[i];
		size_t size = strlen(route->path);
		if (!is_there(services, route, is_public) ||
			(route->flags & HAS_TAIL ? strncmp(path, route->path, size) != 0
						 : strcmp(path, route->path) != 0))
			continue;
		has_path = true;
		if (strcmp(http_method(request), route->method) != 0)
			continue;
		if (may_be_asked(services, route, request, is_public))
			route->handle(services, request, path + size);
		return;
	}
	if (has_path)
		response_error(request, STATUS_WRONG_METHOD, "this path has no method %.16s",
			http_method(request));
	else
		response_error(request, STATUS_NOT_FOUND, "there is no %.200s here", path);
}

static void on_local(void *ctx, struct http_request *request)
{
	dispatch(ctx, request, false);
}

/* Loopback needs no other name; elsewhere a firewall decides who may ask. */
static void on_tcp(void *ctx, struct http_request *request)
{
	const struct services *services = ctx;
	if (listen_is_loopback(&services->config->http_listen) &&
		!host_header_is_local(http_header(request, "Host")))
		response_error(request, STATUS_FORBIDDEN,
			"http_listen is a loopback address, so ask for it by its address or as "
			"localhost: under another name, a web page from elsewhere may be asking");
	else
		dispatch(ctx, request, true);
}

static bool is_allowed(void *ctx, int fd)
{
	const struct services *services = ctx;
	struct peercred peer = {.uid = (uid_t)-1};
	struct err err;
	if (!peer_of_stream(fd, &peer, &err) &&
		peer_is_allowed(&services->config->control_peers, peer.uid))
		return true;
	char who[16];
	snprintf(who, sizeof(who), "uid %u", (unsigned)peer.uid);
	log_seldom(LOG_LEVEL_WARN, "control", "peers refused by the control socket", who,
		"not allowed to use the control socket (control_users)",
		log_number("uid", (int64_t)peer.uid));
	return false;
}

static int serve(const struct services *services, int listener, bool is_local, struct http **ret,
	struct err *err)
{
	const struct http_settings settings = {.listener = listener,
		.connections_max = CONTROL_CONNECTIONS_MAX,
		.body_max = is_local ? CONTROL_BODY_MAX : CONTROL_TCP_BODY_MAX,
		.request_ms = CONTROL_REQUEST_MS,
		.is_allowed = is_local ? is_allowed : NULL,
		.came = is_local ? on_local : on_tcp,
		.ctx = (void *)services};
	int status = http_new(services->loop, &settings, ret, err);
	if (status)
		close(listener);
	return status;
}

static int bind_local(struct control *control, int *ret_fd, struct err *err)
{
	const struct config *config = control->services->config;
	int status = peer_bind(config->control_socket, SOCK_STREAM, config->control_mode,
		config->control_gid, ret_fd, err);
	if (!status)
		control->file = peer_file_at(config->control_socket);
	return status;
}

static int open_local(struct control *control, struct err *err)
{
	int fd;
	int status = bind_local(control, &fd, err);
	if (!status)
		status = serve(control->services, fd, true, &control->local, err);
	return status;
}

const struct peer_file *control_file(const struct control *control)
{
	return control->local ? &control->file : NULL;
}

int control_rebind(struct control *control, struct err *err)
{
	int fd;
	int status = bind_local(control, &fd, err);
	return status ? status : http_listen_anew(control->local, fd, err);
}

static int open_tcp(
	struct control *control, const struct sockaddr_storage *address, struct err *err)
{
	char name[64];
	int fd;
	int status = listen_bind(address, "http_listen", &fd, err);
	if (!status)
		status = serve(control->services, fd, false, &control->tcp, err);
	if (status)
		return status;
	listen_print(address, name, sizeof(name));
	log_event(LOG_LEVEL_INFO, "control", "serving metrics and the status page",
		log_text("http_listen", name));
	if (!listen_is_loopback(address))
		log_event(LOG_LEVEL_WARN, "control",
			"http_listen is not a loopback address: everybody who can reach it can "
			"read the metrics and the status page, without a password and unencrypted; "
			"restrict it with a firewall",
			log_text("http_listen", name));
	return 0;
}

static void on_sample(uv_timer_t *timer)
{
	struct control *control = timer->data;
	metrics_take_sample(control->services->metrics, clock_monotonic_ms());
	status_page_sample(control->services);
}

int control_new(struct services *services, struct control **ret, struct err *err)
{
	struct control *control = mem_alloc_zero(1, sizeof(*control));
	control->services = services;
	services->db_totals = db_totals_new(services);
	uv_timer_init(services->loop, &control->sampler);
	control->sampler.data = control;
	uv_timer_start(&control->sampler, on_sample, 0, METRICS_SAMPLE_MS);
	int status = 0;
	if (*services->config->control_socket)
		status = open_local(control, err);
	if (!status && services->config->http_listen.ss_family != AF_UNSPEC)
		status = open_tcp(control, &services->config->http_listen, err);
	*ret = control; /* also on failure: the caller takes it down like the rest */
	return status;
}

int control_configure(
	struct control *control, const struct sockaddr_storage *before, struct err *err)
{
	const struct sockaddr_storage *address = &control->services->config->http_listen;
	bool is_wanted = address->ss_family != AF_UNSPEC;
	bool is_same = !memcmp(address, before, sizeof(*before));
	struct err why;
	struct err why_not_back;
	if (is_same && is_wanted == (control->tcp != NULL))
		return 0;
	http_free(mem_steal(control->tcp));
	int status = is_wanted ? open_tcp(control, address, &why) : 0;
	if (!status)
		return 0;
	if (is_same || before->ss_family == AF_UNSPEC)
		return err_set(err, status, "%s; there is no page", why.text);
	if (open_tcp(control, before, &why_not_back))
		return err_set(err, status,
			"%s; there is no page, as the previous address cannot be opened either: %s",
			why.text, why_not_back.text);
	return err_set(err, status, "%s; the page stays at its previous address", why.text);
}

void control_stop(struct control *control)
{
	if (!control)
		return;
	if (control->local)
		peer_unlink(control->services->config->control_socket, &control->file);
	http_free(mem_steal(control->local));
	http_free(mem_steal(control->tcp));
	uv_timer_stop(&control->sampler);
}

static void on_closed(uv_handle_t *handle)
{
	free(handle->data);
}

void control_free(struct control *control)
{
	if (!control)
		return;
	db_totals_free(control->services->db_totals);
	uv_close((uv_handle_t *)&control->sampler, on_closed);
}

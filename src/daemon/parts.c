#include "daemon/parts.h"

#include "admin/control.h"
#include "alert/alarm_mail.h"
#include "base/alarm.h"
#include "base/log.h"
#include "base/mem.h"
#include "config/config_consistency.h"
#include "daemon/backlog.h"
#include "daemon/clock_watch.h"
#include "daemon/group_refresh.h"
#include "daemon/reload.h"
#include "daemon/socket_watch.h"
#include "flow/credential_check.h"
#include "flow/keyring.h"
#include "intake/inherit.h"
#include "monitor/event_stream.h"
#include "stats/failures.h"
#include "stats/history.h"
#include "xaps/xaps_call.h"
#include "xaps/xaps_http.h"
#include "xaps/xaps_socket.h"

#include <errno.h>
#include <signal.h>
#include <string.h>

/* Counters, and the clients that follow events. */

static int start_statistics(struct parts *parts, struct err *err)
{
	struct services *services = &parts->services;
	(void)err;
	services->loop = parts->loop;
	services->config = parts->config;
	services->metrics = &parts->metrics;
	services->history = history_new(clock_monotonic_ms());
	services->failures = failures_new(parts->config->status_page_names);
	services->started_unix_ms = clock_unix_ms();
	services->event_stream = event_stream_new(parts->loop, &parts->observer);
	return 0;
}

static void end_statistics(struct parts *parts)
{
	event_stream_free(parts->services.event_stream);
	failures_free(parts->services.failures);
	history_free(parts->services.history);
}

/* imapd.conf and the credentials' files, and their watch. */

static int start_files(struct parts *parts, struct err *err)
{
	parts->reload = reload_new(parts->loop, parts->config);
	parts->services.input_files = parts->input_files = input_files_read(parts->config);
	if (parts->input_files->imapdconf)
		return 0;
	*err = parts->input_files->imapdconf_error;
	return -EINVAL;
}

static void stop_files(struct parts *parts)
{
	reload_stop(parts->reload);
}

static void end_files(struct parts *parts)
{
	reload_free(parts->reload);
	input_files_free(parts->input_files);
}

/* The members of groups that the system knows. */

static int start_groups(struct parts *parts, struct err *err)
{
	(void)err;
	parts->group_refresh = group_refresh_new(parts->loop, parts->config);
	return 0;
}

static void end_groups(struct parts *parts)
{
	group_refresh_free(parts->group_refresh);
}

/* Alarms by mail. */

static struct alarm_mail_way alarm_mail_way(const struct config *config)
{
	return (struct alarm_mail_way){.address = config->alarm_mail,
		.server = config->alarm_mail_host,
		.port = config->alarm_mail_port};
}

static int start_alarm_mail(struct parts *parts, struct err *err)
{
	const char *queue = parts->config->queue;
	mem_auto char *path =
		mem_printf("%.*s/alarm-mail", (int)(strrchr(queue, '/') - queue), queue);
	const struct alarm_mail_settings settings = {.loop = parts->loop,
		.way = alarm_mail_way(parts->config),
		.host = parts->input_files->site,
		.path = path};
	(void)err;
	parts->services.alarm_mail = alarm_mail_new(&settings);
	return 0;
}

static void end_alarm_mail(struct parts *parts)
{
	alarm_mail_free(parts->services.alarm_mail);
}

/* What happened with each user's phones.  Its thread ends behind the databases'. */

static int start_trace(struct parts *parts, struct err *err)
{
	const struct config *config = parts->config;
	if (!config->trace_keep_ms)
		return 0;
	mem_auto char *path = mem_printf("%s.trace", config->queue);
	const struct trace_settings settings = {.path = path,
		.size = (uint64_t)config->trace_size,
		.keep_ms = config->trace_keep_ms};
	int status = trace_new(parts->loop, &settings, &parts->trace, err);
	parts->services.trace = parts->trace;
	return status;
}

/* The way of an event. */

static void on_queue_failed(void *ctx)
{
	struct parts *parts = ctx;
	parts->has_queue_failed = true;
	if (parts->is_up)
		parts->stop_wanted(parts->ctx, "the queue is damaged");
}

static const char *topic_of_dovecot(void *ctx, const char *user)
{
	const struct parts *parts = ctx;
	return parts->keyring ? keyring_topic(parts->keyring, user, "") : "";
}

static int start_pipeline(struct parts *parts, struct err *err)
{
	struct pipeline *pipeline = &parts->pipeline;
	struct services *services = &parts->services;
	const struct pipeline_needs needs = {.loop = parts->loop,
		.config = parts->config,
		.input_files = parts->input_files,
		.metrics = &parts->metrics,
		.failures = services->failures,
		.observer = &parts->observer,
		.trace = parts->trace,
		.failed = on_queue_failed,
		.topic = topic_of_dovecot,
		.ctx = parts};
	int status = pipeline_start(
		pipeline, &needs, (const uint8_t(*)[16])parts->seeds + PARTS_PIPELINE_SEED, err);
	if (status)
		return status;
	services->registry = pipeline->registry;
	services->queue = pipeline->queue;
	services->delivery = pipeline->delivery;
	services->sender = delivery_sender(pipeline->delivery);
	services->probes = delivery_probes(pipeline->delivery);
	services->arrivals = pipeline->arrivals;
	services->forward = pipeline->forward;
	services->expiry = pipeline->expiry;
	return 0;
}

static void on_sender_stopped(void *ctx)
{
	struct parts *parts = ctx;
	parts->is_sender_stopped = true;
}

static void stop_pipeline(struct parts *parts)
{
	struct delivery *delivery = parts->pipeline.delivery;
	pipeline_stop(&parts->pipeline);
	if (!delivery)
		return;
	delivery_stop(delivery);
	sender_stop(delivery_sender(delivery), parts->is_up ? PARTS_STOP_MS : 0, on_sender_stopped,
		parts);
}

static void end_pipeline(struct parts *parts)
{
	pipeline_free(&parts->pipeline);
}

/* A reload. */

static int on_configured(
	void *ctx, X509_STORE *trust, const struct sockaddr_storage *http_listen, struct err *err)
{
	struct parts *parts = ctx;
	struct services *services = &parts->services;
	struct config *config = parts->config;
	group_refresh_now(parts->group_refresh);
	pipeline_configure(&parts->pipeline, trust);
	credential_check_set_interval(parts->credential_check, config->apns_check_interval_ms);
	failures_set_names(services->failures, config->status_page_names);
	alarm_set_command(config->alarm_command);
	const struct alarm_mail_way way = alarm_mail_way(config);
	alarm_mail_set_way(services->alarm_mail, &way);
	int status = control_configure(parts->control, http_listen, err);
	if (status)
		config->http_listen = *http_listen;
	return status;
}

/* The credentials in force. */

static int start_credentials(struct parts *parts, struct err *err)
{
	struct services *services = &parts->services;
	(void)err;
	parts->credential_check =
		credential_check_new(parts->loop, services->sender, services->probes,
			parts->config->apns_check_interval_ms, parts->seeds[PARTS_CHECK_SEED]);
	const struct keyring_needs of_keyring = {.loop = parts->loop,
		.config = parts->config,
		.input_files = parts->input_files,
		.sender = services->sender,
		.delivery = services->delivery,
		.credential_check = parts->credential_check};
	parts->keyring = keyring_new(&of_keyring);
	const struct reload_needs of_reload = {.config_path = parts->config_path,
		.input_files = parts->input_files,
		.systemd = parts->systemd,
		.keyring = parts->keyring,
		.credential_check = parts->credential_check,
		.services = services,
		.configured = on_configured,
		.ctx = parts};
	reload_first(parts->reload, &of_reload);
	return 0;
}

static void stop_credentials(struct parts *parts)
{
	keyring_free(mem_steal(parts->keyring));
	credential_check_free(mem_steal(parts->credential_check));
}

/* What the queue's file holds. */

static int start_load(struct parts *parts, struct err *err)
{
	return pipeline_load(&parts->pipeline, err);
}

/* Signals. */

static void on_signal(void *ctx, int number)
{
	struct parts *parts = ctx;
	if (number == SIGHUP)
		reload_now(parts->reload);
	else
		parts->stop_wanted(parts->ctx, number == SIGTERM ? "SIGTERM" : "SIGINT");
}

static int start_signals(struct parts *parts, struct err *err)
{
	(void)err;
	signals_watch(&parts->signals, parts->loop, on_signal, parts);
	return 0;
}

/* The spool folder. */

static int start_spool(struct parts *parts, struct err *err)
{
	const struct config *config = parts->config;
	(void)err;
	if (*config->spool_dir)
		parts->spool = spool_new(parts->loop, config->spool_dir, config->socket_gid,
			&config->peers, *config->dovecot_socket, parts->seeds[PARTS_SPOOL_SEED],
			&pipeline_spool_callbacks, &parts->pipeline);
	return 0;
}

static void stop_spool(struct parts *parts)
{
	if (parts->spool)
		spool_stop(parts->spool);
}

static void end_spool(struct parts *parts)
{
	spool_free(parts->spool);
}

/* The wall clock. */

/* A certificate that looked expired may be valid by the new time. */
static void on_clock_set(void *ctx, int64_t by_ms)
{
	struct parts *parts = ctx;
	log_event(LOG_LEVEL_WARN, "daemon", "the clock was set; the certificates are read again",
		log_number("by_seconds", by_ms / CLOCK_SECOND_MS));
	sender_clock_set(parts->services.sender);
	reload_files(parts->reload);
	expiry_now(parts->pipeline.expiry);
	alarm_mail_clock_set(parts->services.alarm_mail);
}

static int start_clock_watch(struct parts *parts, struct err *err)
{
	(void)err;
	parts->clock_watch = clock_watch_new(parts->loop, on_clock_set, parts);
	return 0;
}

static void stop_clock_watch(struct parts *parts)
{
	clock_watch_free(mem_steal(parts->clock_watch));
}

/* The control socket. */

static int start_control(struct parts *parts, struct err *err)
{
	return control_new(&parts->services, &parts->control, err);
}

static void stop_control(struct parts *parts)
{
	control_stop(parts->control);
}

static void end_control(struct parts *parts)
{
	control_free(parts->control);
}

/* The doors for Dovecot's plugin for xapsd. */

/* A user without a topic of his domain gets the one that Cyrus gives its phones. */
static const char *topic_of_xaps(void *ctx, const char *user)
{
	const struct parts *parts = ctx;
	const char *aps_topic = parts->input_files->imapdconf->aps_topic;
	return parts->keyring ? keyring_topic(parts->keyring, user, aps_topic) : "";
}

static int start_xaps(struct parts *parts, struct err *err)
{
	const struct config *config = parts->config;
	const struct xaps_calls_needs of_calls = {.loop = parts->loop,
		.config = config,
		.input_files = parts->input_files,
		.arrivals = parts->pipeline.arrivals,
		.registry = parts->pipeline.registry,
		.topics = {topic_of_xaps, parts}};
	parts->xaps_calls = xaps_calls_new(&of_calls);
	parts->pipeline.xaps_calls = parts->xaps_calls;
	const struct xaps_http_needs of_http = {.loop = parts->loop,
		.config = config,
		.metrics = &parts->metrics,
		.calls = parts->xaps_calls};
	const struct xaps_socket_needs of_socket = {.loop = parts->loop,
		.config = config,
		.metrics = &parts->metrics,
		.calls = parts->xaps_calls};
	int status = 0;
	if (config->xaps_listen.ss_family != AF_UNSPEC)
		status = xaps_http_new(&of_http, &parts->xaps_http, err);
	if (!status && *config->xaps_socket)
		status = xaps_socket_new(&of_socket, &parts->xaps_socket, err);
	return status;
}

static void stop_xaps(struct parts *parts)
{
	if (parts->xaps_calls)
		xaps_calls_stop(parts->xaps_calls);
	if (parts->xaps_socket)
		xaps_socket_stop(parts->xaps_socket);
}

static void end_xaps(struct parts *parts)
{
	xaps_http_free(mem_steal(parts->xaps_http));
	xaps_socket_free(mem_steal(parts->xaps_socket));
	parts->pipeline.xaps_calls = NULL;
	xaps_calls_free(mem_steal(parts->xaps_calls));
}

/* The sockets of Cyrus. */

static int open_datagram(struct parts *parts, struct err *err)
{
	const struct config *config = parts->config;
	int status = datagram_new(parts->loop, config->notify_socket, config->socket_mode,
		config->socket_gid, &config->peers, &pipeline_datagram_callbacks, &parts->pipeline,
		&parts->datagram, err);
	if (status)
		return status;
	log_event(LOG_LEVEL_INFO, "intake", "listening for datagrams",
		log_text("socket", config->notify_socket));
	backlog_check(config->notify_socket);
	return 0;
}

static int open_stream(struct parts *parts, int inherited_fd, struct err *err)
{
	const struct config *config = parts->config;
	const struct stream_settings settings = {.path = config->stream_socket,
		.mode = config->socket_mode,
		.gid = config->socket_gid,
		.inherited_fd = inherited_fd,
		.ack_timeout_ms = config->ack_timeout_ms};
	int status = stream_new(parts->loop, &settings, &config->peers, &pipeline_stream_callbacks,
		&parts->pipeline, &parts->pipeline.stream, err);
	if (!status)
		log_event(LOG_LEVEL_INFO, "intake",
			inherited_fd ? "listening for dlist requests on a passed-in socket"
				     : "listening for dlist requests",
			log_text("socket", config->stream_socket));
	return status;
}

/* Everybody may connect: what they say is judged (dovecot_door.h). */
static int open_dovecot(struct parts *parts, struct err *err)
{
	const struct config *config = parts->config;
	const struct stream_settings settings = {.path = config->dovecot_socket,
		.mode = 0666,
		.gid = (gid_t)-1,
		.has_guests = true,
		.ack_timeout_ms = config->ack_timeout_ms};
	int status = stream_new(parts->loop, &settings, &config->dovecot_peers,
		&pipeline_dovecot_callbacks, &parts->pipeline, &parts->pipeline.dovecot_stream,
		err);
	if (!status)
		log_event(LOG_LEVEL_INFO, "intake", "listening for Dovecot's requests",
			log_text("socket", config->dovecot_socket));
	return status;
}

static int start_sockets(struct parts *parts, struct err *err)
{
	const struct config *config = parts->config;
	int inherited_fd;
	int status = inherit_stream(config->stream_socket, &inherited_fd, err);
	if (!status && *config->notify_socket)
		status = open_datagram(parts, err);
	if (!status && *config->stream_socket)
		status = open_stream(parts, inherited_fd, err);
	if (!status && *config->dovecot_socket)
		status = open_dovecot(parts, err);
	pipeline_opened(&parts->pipeline);
	/* Once more, now that they exist: another path may lead to one of them. */
	if (!status)
		status = config_consistency_check(config, err);
	if (!status)
		parts->socket_watch = socket_watch_new(parts->loop, config, parts->datagram,
			parts->pipeline.stream, parts->pipeline.dovecot_stream, parts->xaps_socket,
			parts->control);
	return status;
}

static void stop_sockets(struct parts *parts)
{
	socket_watch_free(mem_steal(parts->socket_watch));
	datagram_free(mem_steal(parts->datagram));
	if (parts->pipeline.stream)
		stream_stop_listening(parts->pipeline.stream);
	if (parts->pipeline.dovecot_stream)
		stream_stop_listening(parts->pipeline.dovecot_stream);
}

static void end_sockets(struct parts *parts)
{
	stream_free(mem_steal(parts->pipeline.stream));
	stream_free(mem_steal(parts->pipeline.dovecot_stream));
}

/*
 * Each part needs only parts above it, so they start in this order.  The sockets come last: Cyrus
 * finds them only when all parts behind them are ready, and the spool is taken in first.  The
 * queue's file is read after the credentials, as its pushes are due at once.
 *
 * The stop has three steps.  First `stop` of each part, in reverse order: nothing new comes in or
 * leaves, but everybody who waits still gets an answer.  Then the databases end, while everything
 * that waits for them still exists.  Then `end` of each part, in reverse order, frees it.  A part
 * whose start failed goes the same way.
 */
static const struct part {
	int (*start)(struct parts *parts, struct err *err);
	void (*stop)(struct parts *parts); /* NULL: there is nothing to stop */
	void (*end)(struct parts *parts);  /* NULL: closing the loop is enough */
} list[] = {
	{start_statistics, NULL, end_statistics},
	{start_files, stop_files, end_files},
	{start_groups, NULL, end_groups},
	{start_alarm_mail, NULL, end_alarm_mail},
	{start_trace, NULL, NULL},
	{start_pipeline, stop_pipeline, end_pipeline},
	{start_credentials, stop_credentials, NULL},
	{start_load, NULL, NULL},
	{start_signals, NULL, NULL},
	{start_spool, stop_spool, end_spool},
	{start_clock_watch, stop_clock_watch, NULL},
	{start_control, stop_control, end_control},
	{start_xaps, stop_xaps, end_xaps},
	{start_sockets, stop_sockets, end_sockets},
};

int parts_start(struct parts *parts, struct err *err)
{
	int status = uv_random(NULL, NULL, parts->seeds, sizeof(parts->seeds), 0, NULL);
	if (status)
		return err_set(err, status, "cannot get random bytes: %s", uv_strerror(status));
	while (!status && parts->started < sizeof(list) / sizeof(list[0]))
		status = list[parts->started++].start(parts, err);
	return status;
}

void parts_stop(struct parts *parts)
{
	for (size_t i = parts->started; i-- > 0;)
		if (list[i].stop)
			list[i].stop(parts);
}

void parts_end(struct parts *parts)
{
	for (size_t i = parts->started; i-- > 0;)
		if (list[i].end)
			list[i].end(parts);
}

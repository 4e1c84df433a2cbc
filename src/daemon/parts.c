#include "daemon/parts.h"

#include "admin/control.h"
#include "admin/event_stream.h"
#include "base/alarm.h"
#include "base/log.h"
#include "base/mem.h"
#include "base/version.h"
#include "config/config_consistency.h"
#include "config/config_diff.h"
#include "daemon/backlog.h"
#include "daemon/clock_watch.h"
#include "daemon/reload.h"
#include "daemon/socket_watch.h"
#include "daemon/systemd.h"
#include "daemon/systemd_status.h"
#include "flow/arrival.h"
#include "flow/core.h"
#include "flow/credential_check.h"
#include "flow/delivery.h"
#include "flow/expiry.h"
#include "flow/forward.h"
#include "flow/keyring.h"
#include "intake/inherit.h"
#include "stats/failures.h"
#include "stats/history.h"
#include "stats/metrics.h"

#include <assert.h>
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define CAUTION_MS (30 * CLOCK_SECOND_MS)
#define STOP_MS 2000	  /* for Apple's answers and for what is on its way to disk */
#define LAST_WAIT_MS 2000 /* for what threads of libuv are at */

static const int signals[] = {SIGTERM, SIGINT, SIGHUP};

#define SIGNALS (sizeof(signals) / sizeof(signals[0]))

struct daemon {
	struct core core;
	struct metrics metrics;
	struct keyring *keyring;
	struct reload *reload;
	struct socket_watch *socketwatch;
	struct clock_watch *clockwatch;
	struct config *config;
	uv_loop_t loop;
	uv_signal_t signals[SIGNALS];

	uv_prepare_t stop_turn;
	uv_timer_t stop_timer;
	bool is_up; /* the loop runs, and nothing is taken down yet */
	bool has_queue_failed;
	bool is_stopping;
	bool is_sender_stopped;
	bool is_time_up;
};

/* The stages' callbacks. */

static void on_datagram(void *ctx, const struct notification *notification)
{
	struct daemon *daemon = ctx;
	static const struct arrival_waiter nobody = {.through = "datagram"};
	arrivals_take(daemon->core.arrivals, notification, nobody);
}

static void answer_request(void *request, int status, const char *text)
{
	stream_answer(request, status ? text : NULL);
}

static void on_request(
	void *ctx, const struct notification *notification, struct stream_request *request)
{
	struct daemon *daemon = ctx;
	arrivals_take(daemon->core.arrivals, notification,
		(struct arrival_waiter){answer_request, request, "stream"});
}

static void on_rejected(void *ctx, const char *kind, const char *text)
{
	struct daemon *daemon = ctx;
	daemon->metrics.rejected++;
	log_seldom(LOG_LEVEL_WARN, "intake", kind, "", text);
}

static void on_ack_timeout(void *ctx, struct stream_request *request)
{
	struct daemon *daemon = ctx;
	(void)request;
	arrivals_on_ack_timeout(daemon->core.arrivals);
}

static void answer_file(void *file, int status, const char *text)
{
	spool_answer(file, status, text);
}

static void on_file(void *ctx, const struct notification *notification, struct spool_file *file)
{
	struct daemon *daemon = ctx;
	arrivals_take(daemon->core.arrivals, notification,
		(struct arrival_waiter){answer_file, file, "spool", .is_keeper = true});
}

static void on_spool_taken(void *ctx, size_t count)
{
	(void)ctx;
	log_event(LOG_LEVEL_INFO, "intake", "events kept in the spool are taken in",
		log_number("count", (int64_t)count));
}

static void on_spool_trouble(void *ctx, const char *text)
{
	(void)ctx;
	if (text)
		alarm_raise("spool", "%s", text);
	else
		alarm_clear("spool");
}

static void on_status_wanted(void *ctx, char *text, size_t size)
{
	const struct daemon *daemon = ctx;
	systemd_status_print(daemon->core.queue, text, size);
}

static void on_stored(void *ctx)
{
	struct daemon *daemon = ctx;
	delivery_wake(daemon->core.delivery);
}

static void on_registry_trouble(void *ctx, const char *text)
{
	(void)ctx;
	if (text)
		alarm_raise("registry", "%s", text);
	else
		alarm_clear("registry");
}

static void on_queue_trouble(void *ctx, const char *text)
{
	(void)ctx;
	if (text)
		alarm_raise("queue", "%s", text);
	else
		alarm_clear("queue");
}

static void on_queue_salvaged(void *ctx, const char *text)
{
	(void)ctx;
	alarm_raise("queue:damaged", "%s", text);
}

static void begin_stop(struct daemon *daemon, const char *why);

static void on_queue_failed(void *ctx, const char *text)
{
	struct daemon *daemon = ctx;
	daemon->has_queue_failed = true;
	alarm_raise("queue:damaged",
		"%s; mailpushd ends, and puts a new queue in its place with what can be read of it",
		text);
	if (daemon->is_up)
		begin_stop(daemon, "the queue is damaged");
}

static void on_parked(
	void *ctx, uint64_t parked_id, int64_t received_ms, const char *raw, size_t raw_size)
{
	struct daemon *daemon = ctx;
	arrivals_take_parked(daemon->core.arrivals, parked_id, received_ms, raw, raw_size);
}

/* What looked expired, to us or to Apple, may be good by the new time. */
static void on_clock_set(void *ctx, int64_t by_ms)
{
	struct daemon *daemon = ctx;
	log_event(LOG_LEVEL_WARN, "daemon", "the clock was set; the certificates are read again",
		log_number("by_seconds", by_ms / CLOCK_SECOND_MS));
	sender_clock_set(daemon->core.sender);
	reload_now(daemon->reload);
	expiry_now(daemon->core.expiry);
}

/* Stop. */

/* Before the loop waits: is there anything left to wait for? */
static void on_stop_turn(uv_prepare_t *handle)
{
	struct daemon *daemon = handle->data;
	if (!daemon->is_sender_stopped)
		return;
	bool is_quiet = !reload_is_running(daemon->reload) &&
		!arrivals_count(daemon->core.arrivals) && forward_is_quiet(daemon->core.forward) &&
		!(daemon->core.stream && stream_unanswered(daemon->core.stream));
	if (is_quiet || daemon->is_time_up)
		uv_stop(&daemon->loop);
}

static void on_sender_stopped(void *ctx)
{
	struct daemon *daemon = ctx;
	daemon->is_sender_stopped = true;
}

static void on_stop_timer(uv_timer_t *timer)
{
	struct daemon *daemon = timer->data;
	daemon->is_time_up = true;
}

static void begin_stop(struct daemon *daemon, const char *why)
{
	if (daemon->is_stopping)
		return;
	daemon->is_stopping = true;
	log_event(LOG_LEVEL_INFO, "daemon", "stopping", log_text("why", why));
	control_stop(daemon->core.control);
	systemd_stopping(daemon->core.systemd);
	clock_watch_free(mem_steal(daemon->clockwatch));
	socket_watch_free(mem_steal(daemon->socketwatch));
	datagram_free(mem_steal(daemon->core.datagram));
	if (daemon->core.stream)
		stream_stop_listening(daemon->core.stream);
	if (daemon->core.spool)
		spool_stop(daemon->core.spool);
	delivery_stop(daemon->core.delivery);
	credential_check_free(mem_steal(daemon->core.credential_check));
	reload_stop(daemon->reload);
	uv_prepare_init(&daemon->loop, &daemon->stop_turn);
	daemon->stop_turn.data = daemon;
	uv_prepare_start(&daemon->stop_turn, on_stop_turn);
	uv_timer_init(&daemon->loop, &daemon->stop_timer);
	daemon->stop_timer.data = daemon;
	uv_timer_start(&daemon->stop_timer, on_stop_timer, STOP_MS, 0);
	sender_stop(daemon->core.sender, STOP_MS, on_sender_stopped, daemon);
}

static void on_signal(uv_signal_t *handle, int number)
{
	struct daemon *daemon = handle->data;
	if (number == SIGHUP)
		reload_now(daemon->reload);
	else
		begin_stop(daemon, number == SIGTERM ? "SIGTERM" : "SIGINT");
}

/* Start. */

static int open_sockets(struct daemon *daemon, struct err *err)
{
	static const struct datagram_callbacks datagram_callbacks = {
		.came = on_datagram, .rejected = on_rejected};
	static const struct stream_callbacks stream_callbacks = {
		.came = on_request, .rejected = on_rejected, .timed_out = on_ack_timeout};
	const struct config *config = daemon->config;
	int inherited_fd;
	int inherited = inherit_stream(config->stream_socket, &inherited_fd, err);
	if (inherited)
		return inherited;
	if (*config->notify_socket) {
		int status = datagram_new(&daemon->loop, config->notify_socket, config->socket_mode,
			config->socket_gid, &config->peers, &datagram_callbacks, daemon,
			&daemon->core.datagram, err);
		if (status)
			return status;
		log_event(LOG_LEVEL_INFO, "intake", "listening for datagrams",
			log_text("socket", config->notify_socket));
		backlog_check(config->notify_socket);
	}
	if (*config->stream_socket) {
		const struct stream_settings settings = {.path = config->stream_socket,
			.mode = config->socket_mode,
			.gid = config->socket_gid,
			.inherited_fd = inherited_fd,
			.ack_timeout_ms = config->ack_timeout_ms};
		int status = stream_new(&daemon->loop, &settings, &config->peers, &stream_callbacks,
			daemon, &daemon->core.stream, err);
		if (status)
			return status;
		log_event(LOG_LEVEL_INFO, "intake",
			inherited_fd ? "listening for dlist requests on a passed-in socket"
				     : "listening for dlist requests",
			log_text("socket", config->stream_socket));
	}
	/* Once more, now that they are there: a path may lead to one of them by another name. */
	int status = config_consistency_check(config, err);
	if (!status)
		daemon->socketwatch = socket_watch_new(&daemon->core);
	return status;
}

static void open_spool(struct daemon *daemon, const uint8_t seed[16])
{
	static const struct spool_callbacks callbacks = {.came = on_file,
		.rejected = on_rejected,
		.taken = on_spool_taken,
		.trouble = on_spool_trouble};
	const struct config *config = daemon->config;
	if (*config->spool_dir)
		daemon->core.spool = spool_new(&daemon->loop, config->spool_dir, config->socket_gid,
			&config->peers, seed, &callbacks, daemon);
}

/* Perhaps late, when a disk in trouble takes writes at last: what came meanwhile goes on its way.
 */
static void on_loaded(void *ctx)
{
	struct daemon *daemon = ctx;
	registry_release(daemon->core.registry);
	arrivals_release(daemon->core.arrivals);
	delivery_wake(daemon->core.delivery);
}

static int open_queue(struct daemon *daemon, const uint8_t seed[16], struct err *err)
{
	static const struct queue_callbacks callbacks = {.stored = on_stored,
		.parked = on_parked,
		.loaded = on_loaded,
		.trouble = on_queue_trouble,
		.salvaged = on_queue_salvaged,
		.failed = on_queue_failed};
	const struct config *config = daemon->config;
	const struct queue_settings settings = {.path = config->queue,
		.schedule = {.min_interval_ms = config->min_interval_ms,
			.deferred_delay_ms = config->deferred_delay_ms,
			.max_push_rate = config->max_push_rate,
			.caution_ms = CAUTION_MS}};
	registry_hold(daemon->core.registry);
	return queue_new(
		&daemon->loop, &settings, seed, &callbacks, daemon, &daemon->core.queue, err);
}

static int open_registry(struct daemon *daemon, struct err *err)
{
	const struct config *config = daemon->config;
	const struct registry_settings settings = {.url = config->registry,
		.site = daemon->core.input_files->site,
		.registration_ttl_ms = config->registration_ttl_ms,
		.deleted_user_grace_ms = config->deleted_user_grace_ms,
		.registrations_per_user = config->registrations_per_user,
		.password_file = config->registry_password_file,
		.timeout_ms = config->registry_timeout_ms};
	return registry_new(
		&daemon->loop, &settings, on_registry_trouble, daemon, &daemon->core.registry, err);
}

static int open_sender(struct daemon *daemon, struct err *err)
{
	const struct config *config = daemon->config;
	struct sender_settings settings;
	sender_settings_init(&settings);
	settings.host = config->apns_host;
	settings.port = config->apns_port;
	settings.ca_file = *config->apns_ca_file ? config->apns_ca_file : NULL;
	settings.proxy_host = config->proxy_host;
	settings.proxy_port = config->proxy_port;
	settings.proxy_login = config->proxy_login;
	settings.connections = config->connections;
	settings.priority = config->priority;
	return sender_new(&daemon->loop, &settings, &delivery_sender_callbacks, &daemon->core,
		&daemon->core.sender, err);
}

static void watch_signals(struct daemon *daemon)
{
	for (size_t i = 0; i < SIGNALS; i++) {
		uv_signal_init(&daemon->loop, &daemon->signals[i]);
		daemon->signals[i].data = daemon;
		uv_signal_start(&daemon->signals[i], on_signal, signals[i]);
	}
}

static int start(struct daemon *daemon, struct err *err)
{
	const struct config *config = daemon->config;
	struct core *core = &daemon->core;
	core->loop = &daemon->loop;
	core->config = config;
	core->metrics = &daemon->metrics;
	core->history = history_new(clock_monotonic_ms());
	core->failures = failures_new(config->status_page_names);
	core->started_unix_ms = clock_unix_ms();
	uint8_t seeds[4][16];
	int failed = uv_random(NULL, NULL, seeds, sizeof(seeds), 0, NULL);
	if (failed)
		return err_set(err, failed, "cannot get random bytes: %s", uv_strerror(failed));

	daemon->keyring = keyring_new(core);
	daemon->reload = reload_new(core, daemon->keyring);
	core->input_files = input_files_read(config);
	if (!core->input_files->imapdconf) {
		*err = core->input_files->imapdconf_error;
		return -EINVAL;
	}
	int status;
	/* Before the queue, which wakes it when a job comes back, also at the end of a failed
	 * start.
	 */
	core->event_stream = event_stream_new(core);
	core->delivery = delivery_new(core);
	if ((status = open_registry(daemon, err)) || (status = open_queue(daemon, seeds[0], err)) ||
		(status = open_sender(daemon, err)))
		return status;
	const struct forward_settings forward_settings = {.target = config->forward_socket};
	core->forward = forward_new(&daemon->loop, &forward_settings);
	core->arrivals = arrivals_new(core, seeds[1]);
	arrivals_hold(core->arrivals);
	core->expiry = expiry_new(core);
	core->credential_check = credential_check_new(core, seeds[3]);
	reload_first(daemon->reload);
	status = queue_load(core->queue, err);
	if (status)
		return status;
	watch_signals(daemon);
	open_spool(daemon, seeds[2]);
	daemon->clockwatch = clock_watch_new(core->loop, on_clock_set, daemon);
	status = control_new(core, &core->control, err);
	return status ? status : open_sockets(daemon, err);
}

static void close_if_open(uv_handle_t *handle, void *unused)
{
	(void)unused;
	if (!uv_is_closing(handle))
		uv_close(handle, NULL);
}

static void on_last_limit(uv_timer_t *timer)
{
	uv_stop(timer->loop);
}

static void on_late_signal(uv_signal_t *handle, int number)
{
	(void)handle;
	(void)number;
}

/*
 * With its last watcher a signal gets back its default action: who asks us again to stop would end
 * us before all is closed and logged.  So a loop that nobody runs watches them until the very end.
 */
static void keep_signals(void)
{
	static uv_loop_t loop;
	static uv_signal_t watchers[SIGNALS];
	if (uv_loop_init(&loop))
		return;
	for (size_t i = 0; i < SIGNALS; i++) {
		uv_signal_init(&loop, &watchers[i]);
		uv_signal_start(&watchers[i], on_late_signal, signals[i]);
	}
}

/*
 * Returns whether the loop is closed.  It is not while one of libuv's threads still resolves a name
 * or waits for a disk, of which nobody needs the outcome any more.
 */
static bool close_loop(struct daemon *daemon)
{
	keep_signals();
	uv_run(&daemon->loop, UV_RUN_NOWAIT);
	uv_walk(&daemon->loop, close_if_open, NULL);
	uv_timer_t limit;
	uv_timer_init(&daemon->loop, &limit);
	uv_timer_start(&limit, on_last_limit, LAST_WAIT_MS, 0);
	uv_unref((uv_handle_t *)&limit);
	uv_run(&daemon->loop, UV_RUN_DEFAULT);
	uv_close((uv_handle_t *)&limit, NULL);
	uv_run(&daemon->loop, UV_RUN_NOWAIT);
	return uv_loop_close(&daemon->loop) == 0;
}

/* False: a thread that waits for a disk holds what it works on until the process has ended. */
static bool end_databases(struct core *core)
{
	/* What they still have comes back through the callbacks and is parked. */
	const char *hangs = registry_free(core->registry) ? NULL : "registry";
	if (!queue_free(core->queue))
		hangs = "queue";
	if (hangs)
		log_event(LOG_LEVEL_ERROR, "daemon",
			"the disk of a database does not answer, and the stop does not wait for "
			"it; "
			"all that was acknowledged is on disk",
			log_text("database", hangs));
	return !hangs;
}

/*
 * Takes down whatever was started, also after a start that failed half-way.  Returns how many
 * events were lost because no disk took them.
 */
static uint64_t take_down(struct daemon *daemon, bool *ret_is_closed)
{
	struct core *core = &daemon->core;
	control_stop(core->control);
	clock_watch_free(mem_steal(daemon->clockwatch));
	socket_watch_free(mem_steal(daemon->socketwatch));
	datagram_free(mem_steal(core->datagram));
	if (daemon->reload)
		reload_stop(daemon->reload);
	if (core->delivery)
		delivery_stop(core->delivery);
	credential_check_free(mem_steal(core->credential_check));
	if (core->sender && !daemon->is_stopping) {
		sender_stop(core->sender, 0, on_sender_stopped, daemon);
		while (!daemon->is_sender_stopped)
			uv_run(&daemon->loop, UV_RUN_ONCE);
	}
	if (core->arrivals)
		arrivals_give_up_held(core->arrivals);
	if (!end_databases(core)) {
		if (core->arrivals)
			arrivals_give_up_stuck(core->arrivals);
		stream_free(core->stream);
		*ret_is_closed = false;
		return core->arrivals ? arrivals_lost(core->arrivals) : 0;
	}
	stream_free(core->stream);
	spool_free(core->spool);
	sender_free(core->sender);
	control_free(core->control);
	expiry_free(core->expiry);
	delivery_free(core->delivery);
	uint64_t lost = core->arrivals ? arrivals_lost(core->arrivals) : 0;
	arrivals_free(core->arrivals);
	event_stream_free(core->event_stream);
	forward_free(core->forward);
	reload_free(daemon->reload);
	keyring_free(daemon->keyring);
	input_files_free(core->input_files);
	failures_free(core->failures);
	history_free(core->history);
	alarm_stop();
	systemd_free(daemon->core.systemd);
	*ret_is_closed = close_loop(daemon);
	return lost;
}

int parts_run(const char *path, struct config *config)
{
	static struct daemon daemon;
	struct err err;
	daemon.core.config_path = path;
	daemon.config = config;
	if (log_start(config->log_target, config->log_level, &err)) {
		log_event(LOG_LEVEL_ERROR, "daemon", err.text);
		return 1;
	}
	umask(077);
	peer_allow(&config->peers, geteuid());
	peer_allow(&config->control_peers, geteuid());
	config->peers.self = getpid();
	int failed = uv_loop_init(&daemon.loop);
	if (failed) {
		log_event(LOG_LEVEL_ERROR, "daemon", "cannot make the event loop",
			log_text("why", uv_strerror(failed)));
		log_stop();
		return 1;
	}
	alarm_start(&daemon.loop, config->alarm_command);
	log_event(LOG_LEVEL_INFO, "daemon", "starting", log_text("version", MAILPUSH_VERSION));
	if (systemd_new(&daemon.loop, on_status_wanted, &daemon, &daemon.core.systemd, &err))
		log_event(LOG_LEVEL_WARN, "daemon", err.text);
	failed = start(&daemon, &err);
	if (failed) {
		log_event(LOG_LEVEL_ERROR, "daemon", err.text);
	} else {
		log_event(LOG_LEVEL_INFO, "daemon", "ready",
			log_text("site", daemon.core.input_files->site),
			log_text("aps_topic", daemon.core.input_files->imapdconf->aps_topic));
		systemd_ready(daemon.core.systemd);
		daemon.is_up = true;
		uv_run(&daemon.loop, UV_RUN_DEFAULT);
		daemon.is_up = false;
	}
	bool is_closed;
	uint64_t lost = take_down(&daemon, &is_closed);
	if (lost)
		log_event(LOG_LEVEL_ERROR, "daemon",
			"events that waited in memory could not be put on disk and are lost; Cyrus "
			"was "
			"told NO for each that came through the stream socket",
			log_number("count", (int64_t)lost));
	log_event(LOG_LEVEL_INFO, "daemon", "stopped");
	log_stop();
	int exit_status = failed || lost || daemon.has_queue_failed ? 1 : 0;
	/* An ordinary exit would wait for libuv's threads, and end what a database's thread uses.
	 */
	if (!is_closed)
		_exit(exit_status);
	return exit_status;
}

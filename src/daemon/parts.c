#include "daemon/parts.h"

#include "admin/control.h"
#include "base/alarm.h"
#include "base/log.h"
#include "base/mem.h"
#include "base/version.h"
#include "config/config_consistency.h"
#include "daemon/backlog.h"
#include "daemon/clock_watch.h"
#include "daemon/reload.h"
#include "daemon/socket_watch.h"
#include "daemon/systemd.h"
#include "daemon/systemd_status.h"
#include "flow/credential_check.h"
#include "flow/keyring.h"
#include "flow/pipeline.h"
#include "intake/inherit.h"
#include "monitor/event_stream.h"
#include "monitor/services.h"
#include "stats/failures.h"
#include "stats/history.h"
#include "stats/metrics.h"

#include <errno.h>
#include <signal.h>
#include <sys/stat.h>
#include <unistd.h>

#define STOP_MS 2000	  /* for Apple's answers and for writes to disk */
#define LAST_WAIT_MS 2000 /* for work on threads of libuv */

enum { PIPELINE_SEED, SPOOL_SEED = PIPELINE_SEEDS, CHECK_SEED, SEEDS };

static const int signals[] = {SIGTERM, SIGINT, SIGHUP};

#define SIGNALS (sizeof(signals) / sizeof(signals[0]))

struct daemon {
	const char *config_path;
	struct config *config;
	uv_loop_t loop;
	uint8_t seeds[SEEDS][16];
	struct systemd *systemd;

	struct metrics metrics;
	struct observer observer;
	struct input_files *input_files;
	struct reload *reload;
	struct pipeline pipeline;
	struct services services;
	struct keyring *keyring;
	struct credential_check *credential_check;
	uv_signal_t signals[SIGNALS];
	struct spool *spool;
	struct clock_watch *clock_watch;
	struct control *control;
	struct datagram *datagram;
	struct socket_watch *socket_watch;

	size_t started; /* parts that were started, with the one whose start failed */
	uv_prepare_t stop_turn;
	uv_timer_t stop_timer;
	bool is_up; /* the loop runs, and the stop has not begun */
	bool has_queue_failed;
	bool is_stopping;
	bool is_sender_stopped;
	bool is_time_up;
};

/* Counters, and the clients that follow events. */

static int start_statistics(struct daemon *daemon, struct err *err)
{
	struct services *services = &daemon->services;
	(void)err;
	services->loop = &daemon->loop;
	services->config = daemon->config;
	services->metrics = &daemon->metrics;
	services->history = history_new(clock_monotonic_ms());
	services->failures = failures_new(daemon->config->status_page_names);
	services->started_unix_ms = clock_unix_ms();
	services->event_stream = event_stream_new(&daemon->loop, &daemon->observer);
	return 0;
}

static void end_statistics(struct daemon *daemon)
{
	event_stream_free(daemon->services.event_stream);
	failures_free(daemon->services.failures);
	history_free(daemon->services.history);
}

/* imapd.conf and the credentials' files, and their watch. */

static int start_files(struct daemon *daemon, struct err *err)
{
	daemon->reload = reload_new(&daemon->loop, daemon->config);
	daemon->services.input_files = daemon->input_files = input_files_read(daemon->config);
	if (daemon->input_files->imapdconf)
		return 0;
	*err = daemon->input_files->imapdconf_error;
	return -EINVAL;
}

static void stop_files(struct daemon *daemon)
{
	reload_stop(daemon->reload);
}

static void end_files(struct daemon *daemon)
{
	reload_free(daemon->reload);
	input_files_free(daemon->input_files);
}

/* The way of an event. */

static void begin_stop(struct daemon *daemon, const char *why);

static void on_queue_failed(void *ctx)
{
	struct daemon *daemon = ctx;
	daemon->has_queue_failed = true;
	if (daemon->is_up)
		begin_stop(daemon, "the queue is damaged");
}

static int start_pipeline(struct daemon *daemon, struct err *err)
{
	struct pipeline *pipeline = &daemon->pipeline;
	struct services *services = &daemon->services;
	const struct pipeline_needs needs = {.loop = &daemon->loop,
		.config = daemon->config,
		.input_files = daemon->input_files,
		.metrics = &daemon->metrics,
		.failures = services->failures,
		.observer = &daemon->observer,
		.failed = on_queue_failed,
		.ctx = daemon};
	int status = pipeline_start(
		pipeline, &needs, (const uint8_t(*)[16])daemon->seeds + PIPELINE_SEED, err);
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
	struct daemon *daemon = ctx;
	daemon->is_sender_stopped = true;
}

static void stop_pipeline(struct daemon *daemon)
{
	struct delivery *delivery = daemon->pipeline.delivery;
	if (!delivery)
		return;
	delivery_stop(delivery);
	sender_stop(
		delivery_sender(delivery), daemon->is_up ? STOP_MS : 0, on_sender_stopped, daemon);
}

static void end_pipeline(struct daemon *daemon)
{
	pipeline_free(&daemon->pipeline);
}

/* The credentials in force. */

static int start_credentials(struct daemon *daemon, struct err *err)
{
	struct services *services = &daemon->services;
	(void)err;
	daemon->credential_check =
		credential_check_new(&daemon->loop, services->sender, services->probes,
			daemon->config->apns_check_interval_ms, daemon->seeds[CHECK_SEED]);
	const struct keyring_needs of_keyring = {.loop = &daemon->loop,
		.config = daemon->config,
		.input_files = daemon->input_files,
		.sender = services->sender,
		.delivery = services->delivery,
		.credential_check = daemon->credential_check};
	daemon->keyring = keyring_new(&of_keyring);
	const struct reload_needs of_reload = {.config_path = daemon->config_path,
		.input_files = daemon->input_files,
		.systemd = daemon->systemd,
		.keyring = daemon->keyring,
		.credential_check = daemon->credential_check,
		.services = services};
	reload_first(daemon->reload, &of_reload);
	return 0;
}

static void stop_credentials(struct daemon *daemon)
{
	keyring_free(mem_steal(daemon->keyring));
	credential_check_free(mem_steal(daemon->credential_check));
}

/* What the queue's file holds. */

static int start_load(struct daemon *daemon, struct err *err)
{
	return pipeline_load(&daemon->pipeline, err);
}

/* Signals. */

static void on_signal(uv_signal_t *handle, int number)
{
	struct daemon *daemon = handle->data;
	if (number == SIGHUP)
		reload_now(daemon->reload);
	else
		begin_stop(daemon, number == SIGTERM ? "SIGTERM" : "SIGINT");
}

static int start_signals(struct daemon *daemon, struct err *err)
{
	(void)err;
	for (size_t i = 0; i < SIGNALS; i++) {
		uv_signal_init(&daemon->loop, &daemon->signals[i]);
		daemon->signals[i].data = daemon;
		uv_signal_start(&daemon->signals[i], on_signal, signals[i]);
	}
	return 0;
}

/* The spool folder. */

static int start_spool(struct daemon *daemon, struct err *err)
{
	const struct config *config = daemon->config;
	(void)err;
	if (*config->spool_dir)
		daemon->spool = spool_new(&daemon->loop, config->spool_dir, config->socket_gid,
			&config->peers, daemon->seeds[SPOOL_SEED], &pipeline_spool_callbacks,
			&daemon->pipeline);
	return 0;
}

static void stop_spool(struct daemon *daemon)
{
	if (daemon->spool)
		spool_stop(daemon->spool);
}

static void end_spool(struct daemon *daemon)
{
	spool_free(daemon->spool);
}

/* The wall clock. */

/* A certificate that looked expired may be valid by the new time. */
static void on_clock_set(void *ctx, int64_t by_ms)
{
	struct daemon *daemon = ctx;
	log_event(LOG_LEVEL_WARN, "daemon", "the clock was set; the certificates are read again",
		log_number("by_seconds", by_ms / CLOCK_SECOND_MS));
	sender_clock_set(daemon->services.sender);
	reload_now(daemon->reload);
	expiry_now(daemon->pipeline.expiry);
}

static int start_clock_watch(struct daemon *daemon, struct err *err)
{
	(void)err;
	daemon->clock_watch = clock_watch_new(&daemon->loop, on_clock_set, daemon);
	return 0;
}

static void stop_clock_watch(struct daemon *daemon)
{
	clock_watch_free(mem_steal(daemon->clock_watch));
}

/* The control socket. */

static int start_control(struct daemon *daemon, struct err *err)
{
	return control_new(&daemon->services, &daemon->control, err);
}

static void stop_control(struct daemon *daemon)
{
	control_stop(daemon->control);
}

static void end_control(struct daemon *daemon)
{
	control_free(daemon->control);
}

/* The sockets of Cyrus. */

static int open_datagram(struct daemon *daemon, struct err *err)
{
	const struct config *config = daemon->config;
	int status = datagram_new(&daemon->loop, config->notify_socket, config->socket_mode,
		config->socket_gid, &config->peers, &pipeline_datagram_callbacks, &daemon->pipeline,
		&daemon->datagram, err);
	if (status)
		return status;
	log_event(LOG_LEVEL_INFO, "intake", "listening for datagrams",
		log_text("socket", config->notify_socket));
	backlog_check(config->notify_socket);
	return 0;
}

static int open_stream(struct daemon *daemon, int inherited_fd, struct err *err)
{
	const struct config *config = daemon->config;
	const struct stream_settings settings = {.path = config->stream_socket,
		.mode = config->socket_mode,
		.gid = config->socket_gid,
		.inherited_fd = inherited_fd,
		.ack_timeout_ms = config->ack_timeout_ms};
	int status = stream_new(&daemon->loop, &settings, &config->peers,
		&pipeline_stream_callbacks, &daemon->pipeline, &daemon->pipeline.stream, err);
	if (!status)
		log_event(LOG_LEVEL_INFO, "intake",
			inherited_fd ? "listening for dlist requests on a passed-in socket"
				     : "listening for dlist requests",
			log_text("socket", config->stream_socket));
	return status;
}

static int start_sockets(struct daemon *daemon, struct err *err)
{
	const struct config *config = daemon->config;
	int inherited_fd;
	int status = inherit_stream(config->stream_socket, &inherited_fd, err);
	if (!status && *config->notify_socket)
		status = open_datagram(daemon, err);
	if (!status && *config->stream_socket)
		status = open_stream(daemon, inherited_fd, err);
	/* Once more, now that they exist: another path may lead to one of them. */
	if (!status)
		status = config_consistency_check(config, err);
	if (!status)
		daemon->socket_watch = socket_watch_new(&daemon->loop, config, daemon->datagram,
			daemon->pipeline.stream, daemon->control);
	return status;
}

static void stop_sockets(struct daemon *daemon)
{
	socket_watch_free(mem_steal(daemon->socket_watch));
	datagram_free(mem_steal(daemon->datagram));
	if (daemon->pipeline.stream)
		stream_stop_listening(daemon->pipeline.stream);
}

static void end_sockets(struct daemon *daemon)
{
	stream_free(mem_steal(daemon->pipeline.stream));
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
	int (*start)(struct daemon *daemon, struct err *err);
	void (*stop)(struct daemon *daemon); /* NULL: there is nothing to stop */
	void (*end)(struct daemon *daemon);  /* NULL: closing the loop is enough */
} parts[] = {
	{start_statistics, NULL, end_statistics},
	{start_files, stop_files, end_files},
	{start_pipeline, stop_pipeline, end_pipeline},
	{start_credentials, stop_credentials, NULL},
	{start_load, NULL, NULL},
	{start_signals, NULL, NULL},
	{start_spool, stop_spool, end_spool},
	{start_clock_watch, stop_clock_watch, NULL},
	{start_control, stop_control, end_control},
	{start_sockets, stop_sockets, end_sockets},
};

static int start_parts(struct daemon *daemon, struct err *err)
{
	int status = uv_random(NULL, NULL, daemon->seeds, sizeof(daemon->seeds), 0, NULL);
	if (status)
		return err_set(err, status, "cannot get random bytes: %s", uv_strerror(status));
	while (!status && daemon->started < sizeof(parts) / sizeof(parts[0]))
		status = parts[daemon->started++].start(daemon, err);
	return status;
}

static void stop_parts(struct daemon *daemon)
{
	daemon->is_stopping = true;
	for (size_t i = daemon->started; i-- > 0;)
		if (parts[i].stop)
			parts[i].stop(daemon);
}

static void end_parts(struct daemon *daemon)
{
	for (size_t i = daemon->started; i-- > 0;)
		if (parts[i].end)
			parts[i].end(daemon);
}

/* The stop while the loop runs. */

/* Before the loop waits: is anything left to wait for? */
static void on_stop_turn(uv_prepare_t *handle)
{
	struct daemon *daemon = handle->data;
	const struct pipeline *pipeline = &daemon->pipeline;
	if (!daemon->is_sender_stopped)
		return;
	bool is_quiet = !reload_is_running(daemon->reload) && !arrivals_count(pipeline->arrivals) &&
		forward_is_quiet(pipeline->forward) &&
		!(pipeline->stream && stream_unanswered(pipeline->stream));
	if (!is_quiet && !daemon->is_time_up)
		return;
	uv_prepare_stop(handle);
	uv_stop(&daemon->loop);
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
	log_event(LOG_LEVEL_INFO, "daemon", "stopping", log_text("why", why));
	systemd_stopping(daemon->systemd);
	stop_parts(daemon);
	uv_prepare_init(&daemon->loop, &daemon->stop_turn);
	daemon->stop_turn.data = daemon;
	uv_prepare_start(&daemon->stop_turn, on_stop_turn);
	uv_timer_init(&daemon->loop, &daemon->stop_timer);
	daemon->stop_timer.data = daemon;
	uv_timer_start(&daemon->stop_timer, on_stop_timer, STOP_MS, 0);
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
 * Without a watcher a signal has its default action, and a second SIGTERM would end the process
 * before all is closed and logged.  So a loop that nobody runs watches the signals until the very
 * end.
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
 * Returns whether the loop is closed.  It stays open while a thread of libuv still resolves a name
 * or waits for a disk, although nobody needs the result any more.
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

/*
 * Stops all parts that were started, also after a failed start.  Returns how many events were lost
 * because the disk did not take them.
 */
static uint64_t take_down(struct daemon *daemon, bool *ret_is_closed)
{
	struct pipeline *pipeline = &daemon->pipeline;
	if (!daemon->is_stopping) {
		daemon->is_sender_stopped = !pipeline->delivery;
		stop_parts(daemon);
	}
	while (!daemon->is_sender_stopped)
		uv_run(&daemon->loop, UV_RUN_ONCE);
	const char *hangs = pipeline_end(pipeline);
	uint64_t lost = pipeline->arrivals ? arrivals_lost(pipeline->arrivals) : 0;
	if (hangs) {
		/* A thread that waits for a disk keeps its job until the process ends. */
		log_event(LOG_LEVEL_ERROR, "daemon",
			"the disk of a database does not answer, and the stop does not wait for "
			"it; all acknowledged events are on disk",
			log_text("database", hangs));
		stream_free(pipeline->stream);
		*ret_is_closed = false;
		return lost;
	}
	end_parts(daemon);
	alarm_stop();
	systemd_free(daemon->systemd);
	*ret_is_closed = close_loop(daemon);
	return lost;
}

static void on_status_wanted(void *ctx, char *text, size_t size)
{
	const struct daemon *daemon = ctx;
	systemd_status_print(daemon->pipeline.queue, text, size);
}

int parts_run(const char *path, struct config *config)
{
	static struct daemon daemon;
	struct err err;
	daemon.config_path = path;
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
		log_event(LOG_LEVEL_ERROR, "daemon", "cannot create the event loop",
			log_text("why", uv_strerror(failed)));
		log_stop();
		return 1;
	}
	alarm_start(&daemon.loop, config->alarm_command);
	log_event(LOG_LEVEL_INFO, "daemon", "starting", log_text("version", MAILPUSH_VERSION));
	if (systemd_new(&daemon.loop, on_status_wanted, &daemon, &daemon.systemd, &err))
		log_event(LOG_LEVEL_WARN, "daemon", err.text);
	failed = start_parts(&daemon, &err);
	if (failed) {
		log_event(LOG_LEVEL_ERROR, "daemon", err.text);
	} else {
		log_event(LOG_LEVEL_INFO, "daemon", "ready",
			log_text("site", daemon.input_files->site),
			log_text("aps_topic", daemon.input_files->imapdconf->aps_topic));
		systemd_ready(daemon.systemd);
		daemon.is_up = true;
		uv_run(&daemon.loop, UV_RUN_DEFAULT);
		daemon.is_up = false;
	}
	bool is_closed;
	uint64_t lost = take_down(&daemon, &is_closed);
	if (lost)
		log_event(LOG_LEVEL_ERROR, "daemon",
			"events that waited in memory could not be written and are lost; Cyrus got "
			"NO for each that came through the stream socket",
			log_number("count", (int64_t)lost));
	log_event(LOG_LEVEL_INFO, "daemon", "stopped");
	log_stop();
	int exit_status = failed || lost || daemon.has_queue_failed ? 1 : 0;
	/* exit() would wait for libuv's threads, and tear down what a database's thread still uses.
	 */
	if (!is_closed)
		_exit(exit_status);
	return exit_status;
}

#include "daemon/life.h"

#include "base/alarm.h"
#include "base/log.h"
#include "base/version.h"
#include "daemon/parts.h"
#include "daemon/reload.h"
#include "daemon/systemd.h"
#include "daemon/systemd_status.h"

#include <sys/stat.h>
#include <unistd.h>

#define LAST_WAIT_MS 2000 /* for work on threads of libuv */

struct life {
	uv_loop_t loop;
	struct systemd *systemd;
	struct parts parts;
	uv_prepare_t stop_turn;
	uv_timer_t stop_timer;
	bool is_stopping;
	bool is_time_up;
};

static size_t count_unanswered(const struct stream *stream)
{
	return stream ? stream_unanswered(stream) : 0;
}

/* Before the loop waits: is anything left to wait for? */
static void on_stop_turn(uv_prepare_t *handle)
{
	struct life *life = handle->data;
	const struct pipeline *pipeline = &life->parts.pipeline;
	if (!life->parts.is_sender_stopped)
		return;
	bool is_quiet = !reload_is_running(life->parts.reload) &&
		!arrivals_count(pipeline->arrivals) && forward_is_quiet(pipeline->forward) &&
		!count_unanswered(pipeline->stream) && !count_unanswered(pipeline->dovecot_stream);
	if (!is_quiet && !life->is_time_up)
		return;
	uv_prepare_stop(handle);
	uv_stop(&life->loop);
}

static void on_stop_timer(uv_timer_t *timer)
{
	struct life *life = timer->data;
	life->is_time_up = true;
}

static void begin_stop(void *ctx, const char *why)
{
	struct life *life = ctx;
	if (life->is_stopping)
		return;
	life->is_stopping = true;
	log_event(LOG_LEVEL_INFO, "daemon", "stopping", log_text("why", why));
	systemd_stopping(life->systemd);
	parts_stop(&life->parts);
	uv_prepare_init(&life->loop, &life->stop_turn);
	life->stop_turn.data = life;
	uv_prepare_start(&life->stop_turn, on_stop_turn);
	uv_timer_init(&life->loop, &life->stop_timer);
	life->stop_timer.data = life;
	uv_timer_start(&life->stop_timer, on_stop_timer, PARTS_STOP_MS, 0);
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

/*
 * Returns whether the loop is closed.  It stays open while a thread of libuv still resolves a name
 * or waits for a disk, although nobody needs the result any more.
 */
static bool close_loop(struct life *life)
{
	signals_ignore();
	uv_run(&life->loop, UV_RUN_NOWAIT);
	uv_walk(&life->loop, close_if_open, NULL);
	uv_timer_t limit;
	uv_timer_init(&life->loop, &limit);
	uv_timer_start(&limit, on_last_limit, LAST_WAIT_MS, 0);
	uv_unref((uv_handle_t *)&limit);
	uv_run(&life->loop, UV_RUN_DEFAULT);
	uv_close((uv_handle_t *)&limit, NULL);
	uv_run(&life->loop, UV_RUN_NOWAIT);
	return uv_loop_close(&life->loop) == 0;
}

/*
 * Stops all parts that were started, also after a failed start.  Returns how many events were lost
 * because the disk did not take them.
 */
static uint64_t take_down(struct life *life, bool *ret_is_closed)
{
	struct pipeline *pipeline = &life->parts.pipeline;
	if (!life->is_stopping) {
		life->is_stopping = true;
		life->parts.is_sender_stopped = !pipeline->delivery;
		parts_stop(&life->parts);
	}
	while (!life->parts.is_sender_stopped)
		uv_run(&life->loop, UV_RUN_ONCE);
	const char *hangs = pipeline_end(pipeline);
	if (!hangs && !trace_free(life->parts.trace))
		hangs = "trace";
	uint64_t lost = pipeline->arrivals ? arrivals_lost(pipeline->arrivals) : 0;
	if (hangs) {
		/* A thread that waits for a disk keeps its job until the process ends. */
		log_event(LOG_LEVEL_ERROR, "daemon",
			"the disk of a database does not answer, and the stop does not wait for "
			"it; all acknowledged events are on disk",
			log_text("database", hangs));
		stream_free(pipeline->stream);
		stream_free(pipeline->dovecot_stream);
		*ret_is_closed = false;
		return lost;
	}
	parts_end(&life->parts);
	alarm_stop();
	systemd_free(life->systemd);
	*ret_is_closed = close_loop(life);
	return lost;
}

static void on_status_wanted(void *ctx, char *text, size_t size)
{
	const struct life *life = ctx;
	systemd_status_print(life->parts.pipeline.queue, text, size);
}

int life_run(const char *path, struct config *config)
{
	static struct life life;
	struct err err;
	if (log_start(config->log_target, config->log_level, &err)) {
		log_event(LOG_LEVEL_ERROR, "daemon", err.text);
		return 1;
	}
	umask(077);
	peer_allow(&config->peers, geteuid());
	peer_allow(&config->dovecot_peers, geteuid());
	peer_allow(&config->control_peers, geteuid());
	config->peers.self = getpid();
	int failed = uv_loop_init(&life.loop);
	if (failed) {
		log_event(LOG_LEVEL_ERROR, "daemon", "cannot create the event loop",
			log_text("why", uv_strerror(failed)));
		log_stop();
		return 1;
	}
	alarm_start(&life.loop, config->alarm_command);
	log_event(LOG_LEVEL_INFO, "daemon", "starting", log_text("version", MAILPUSH_VERSION));
	if (systemd_new(&life.loop, on_status_wanted, &life, &life.systemd, &err))
		log_event(LOG_LEVEL_WARN, "daemon", err.text);
	life.parts = (struct parts){.config_path = path,
		.config = config,
		.loop = &life.loop,
		.systemd = life.systemd,
		.stop_wanted = begin_stop,
		.ctx = &life};
	failed = parts_start(&life.parts, &err);
	if (failed) {
		log_event(LOG_LEVEL_ERROR, "daemon", err.text);
	} else {
		log_event(LOG_LEVEL_INFO, "daemon", "ready",
			log_text("site", life.parts.input_files->site),
			log_text("aps_topic", life.parts.input_files->imapdconf->aps_topic));
		systemd_ready(life.systemd);
		life.parts.is_up = true;
		uv_run(&life.loop, UV_RUN_DEFAULT);
		life.parts.is_up = false;
	}
	bool is_closed;
	uint64_t lost = take_down(&life, &is_closed);
	if (lost)
		log_event(LOG_LEVEL_ERROR, "daemon",
			"events that waited in memory could not be written and are lost; Cyrus got "
			"NO for each that came through the stream socket",
			log_number("count", (int64_t)lost));
	log_event(LOG_LEVEL_INFO, "daemon", "stopped");
	log_stop();
	int exit_status = failed || lost || life.parts.has_queue_failed ? 1 : 0;
	/* exit() would wait for libuv's threads, and tear down what a database's thread still uses.
	 */
	if (!is_closed)
		_exit(exit_status);
	return exit_status;
}

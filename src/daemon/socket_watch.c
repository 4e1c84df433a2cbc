#include "daemon/socket_watch.h"

#include "admin/control.h"
#include "base/alarm.h"
#include "base/log.h"
#include "base/mem.h"

#define LOOK_MS (2 * CLOCK_SECOND_MS)

struct place {
	struct socket_watch *watch;
	const char *alarm;
	const char *path;
	bool is_looking;
	uv_fs_t look;
};

struct socket_watch {
	struct core *core;
	uv_timer_t timer;
	struct place notify;
	struct place stream;
	struct place control;
	unsigned looking;
	bool is_stopped; /* nothing of the core is touched any more */
	bool is_closed;	 /* the timer */
};

static void free_if_over(struct socket_watch *watch)
{
	if (watch->is_closed && !watch->looking)
		free(watch);
}

static const struct peer_file *file_of(const struct place *place)
{
	const struct core *core = place->watch->core;
	if (place == &place->watch->notify)
		return core->datagram ? datagram_file(core->datagram) : NULL;
	if (place == &place->watch->stream)
		return core->stream ? stream_file(core->stream) : NULL;
	return control_file(core->control);
}

static int rebind(const struct place *place, struct err *err)
{
	const struct core *core = place->watch->core;
	if (place == &place->watch->notify)
		return datagram_rebind(core->datagram, err);
	if (place == &place->watch->stream)
		return stream_rebind(core->stream, err);
	return control_rebind(core->control, err);
}

static void compare(const struct place *place, const struct peer_file *there)
{
	const struct peer_file *ours = file_of(place);
	struct err err;
	if (!ours)
		return;
	if (peer_file_is(ours, there)) {
		alarm_clear(place->alarm);
	} else if (rebind(place, &err)) {
		alarm_raise(place->alarm, "%s", err.text);
	} else {
		log_event(LOG_LEVEL_WARN, "intake",
			"a socket's file was removed or replaced by somebody; it is made anew",
			log_text("socket", place->path));
		alarm_clear(place->alarm);
	}
}

static void on_looked(uv_fs_t *look)
{
	struct place *place = look->data;
	struct socket_watch *watch = place->watch;
	struct peer_file there = {0};
	if (look->result == 0)
		there = (struct peer_file){look->statbuf.st_dev, look->statbuf.st_ino};
	uv_fs_req_cleanup(look);
	place->is_looking = false;
	watch->looking--;
	if (!watch->is_stopped)
		compare(place, &there);
	free_if_over(watch);
}

static void look_at(struct place *place)
{
	if (place->is_looking || !file_of(place))
		return;
	place->look.data = place;
	place->is_looking = true;
	place->watch->looking++;
	uv_fs_lstat(place->watch->core->loop, &place->look, place->path, on_looked);
}

static void on_timer(uv_timer_t *timer)
{
	struct socket_watch *watch = timer->data;
	look_at(&watch->notify);
	look_at(&watch->stream);
	look_at(&watch->control);
}

struct socket_watch *socket_watch_new(struct core *core)
{
	struct socket_watch *watch = mem_alloc_zero(1, sizeof(*watch));
	watch->core = core;
	watch->notify = (struct place){.watch = watch,
		.alarm = "intake:notify_socket",
		.path = core->config->notify_socket};
	watch->stream = (struct place){.watch = watch,
		.alarm = "intake:stream_socket",
		.path = core->config->stream_socket};
	watch->control = (struct place){
		.watch = watch, .alarm = "control:socket", .path = core->config->control_socket};
	uv_timer_init(core->loop, &watch->timer);
	watch->timer.data = watch;
	uv_timer_start(&watch->timer, on_timer, LOOK_MS, LOOK_MS);
	return watch;
}

static void on_closed(uv_handle_t *handle)
{
	struct socket_watch *watch = handle->data;
	watch->is_closed = true;
	free_if_over(watch);
}

void socket_watch_free(struct socket_watch *watch)
{
	if (!watch)
		return;
	watch->is_stopped = true;
	uv_close((uv_handle_t *)&watch->timer, on_closed);
}

#include "daemon/socket_watch.h"

#include "base/alarm.h"
#include "base/clock.h"
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
	struct datagram *datagram;
	struct stream *stream;
	struct stream *dovecot_stream;
	struct xaps_socket *xaps_socket;
	struct control *control;
	uv_timer_t timer;
	struct place at_notify;
	struct place at_stream;
	struct place at_dovecot;
	struct place at_xaps;
	struct place at_control;
	unsigned looking;
	bool is_stopped; /* it touches no socket any more */
	bool is_closed;	 /* the timer */
};

static void free_if_over(struct socket_watch *watch)
{
	if (watch->is_closed && !watch->looking)
		free(watch);
}

static struct stream *stream_at(const struct place *place)
{
	const struct socket_watch *watch = place->watch;
	return place == &watch->at_dovecot ? watch->dovecot_stream : watch->stream;
}

static const struct peer_file *file_of(const struct place *place)
{
	const struct socket_watch *watch = place->watch;
	if (place == &watch->at_notify)
		return watch->datagram ? datagram_file(watch->datagram) : NULL;
	if (place == &watch->at_stream || place == &watch->at_dovecot)
		return stream_at(place) ? stream_file(stream_at(place)) : NULL;
	if (place == &watch->at_xaps)
		return watch->xaps_socket ? xaps_socket_file(watch->xaps_socket) : NULL;
	return control_file(watch->control);
}

static int rebind(const struct place *place, struct err *err)
{
	const struct socket_watch *watch = place->watch;
	if (place == &watch->at_notify)
		return datagram_rebind(watch->datagram, err);
	if (place == &watch->at_stream || place == &watch->at_dovecot)
		return stream_rebind(stream_at(place), err);
	if (place == &watch->at_xaps)
		return xaps_socket_rebind(watch->xaps_socket, err);
	return control_rebind(watch->control, err);
}

static void compare(const struct place *place, const struct peer_file *there)
{
	const struct peer_file *own = file_of(place);
	struct err err;
	if (!own)
		return;
	if (peer_file_is(own, there)) {
		alarm_clear(place->alarm);
	} else if (rebind(place, &err)) {
		alarm_raise(place->alarm, "%s", err.text);
	} else {
		log_event(LOG_LEVEL_WARN, "intake",
			"the file of a socket was removed or replaced; creating the socket again",
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
	uv_fs_lstat(place->watch->timer.loop, &place->look, place->path, on_looked);
}

static void on_timer(uv_timer_t *timer)
{
	struct socket_watch *watch = timer->data;
	look_at(&watch->at_notify);
	look_at(&watch->at_stream);
	look_at(&watch->at_dovecot);
	look_at(&watch->at_xaps);
	look_at(&watch->at_control);
}

struct socket_watch *socket_watch_new(uv_loop_t *loop, const struct config *config,
	struct datagram *datagram, struct stream *stream, struct stream *dovecot_stream,
	struct xaps_socket *xaps_socket, struct control *control)
{
	struct socket_watch *watch = mem_alloc_zero(1, sizeof(*watch));
	watch->datagram = datagram;
	watch->stream = stream;
	watch->dovecot_stream = dovecot_stream;
	watch->xaps_socket = xaps_socket;
	watch->control = control;
	watch->at_notify = (struct place){
		.watch = watch, .alarm = "intake:notify_socket", .path = config->notify_socket};
	watch->at_stream = (struct place){
		.watch = watch, .alarm = "intake:stream_socket", .path = config->stream_socket};
	watch->at_dovecot = (struct place){
		.watch = watch, .alarm = "intake:dovecot_socket", .path = config->dovecot_socket};
	watch->at_xaps = (struct place){
		.watch = watch, .alarm = "intake:xaps_socket", .path = config->xaps_socket};
	watch->at_control = (struct place){
		.watch = watch, .alarm = "control:socket", .path = config->control_socket};
	uv_timer_init(loop, &watch->timer);
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

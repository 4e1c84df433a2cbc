#include "arrival/forward.h"

#include "base/alarm.h"
#include "base/clock.h"
#include "base/log.h"
#include "base/mem.h"
#include "config/notify_socket.h"
#include "intake/forward_client.h"
#include "intake/notification_write.h"

#include <errno.h>
#include <string.h>
#include <sys/queue.h>

#define RETRY_MS 1000
#define ALARM_MS 5000
#define TURN_MAX 256
#define CLASSES_MAX 16 /* so many are named in the log, each once */
#define CLASS_SHOWN 64
#define ALARM "forward"

/* One that waits. */
struct notice {
	TAILQ_ENTRY(notice) link;
	size_t size;
	char bytes[];
};

TAILQ_HEAD(notice_list, notice);

struct forward {
	struct forward_client *handoff; /* NULL: no target */
	char *target;
	bool is_dlist;
	void *ctx;
	int64_t retry_ms;
	int64_t alarm_ms;

	struct notice_list queue; /* the handoff has the first of them while it is pending */
	struct forward_counts counts;
	size_t bytes;
	bool is_pending;
	bool is_away;
	int64_t stuck_since_ms; /* when the target last took one, or could have */
	uv_timer_t timer;	/* the next turn, or the next try */

	char *classes[CLASSES_MAX];
	unsigned class_count;
};

static void pass(struct forward *forward);

static void on_timer(uv_timer_t *timer)
{
	pass(timer->data);
}

static void lose(struct forward *forward, const char *why)
{
	forward->counts.lost++;
	log_seldom(LOG_LEVEL_WARN, "forward", "notifications not passed on", "",
		"a notification was not passed on", log_text("why", why),
		log_text("socket", forward->target));
}

/* A restart of the target is no alarm. */
static void complain(const struct forward *forward, const char *why)
{
	if (clock_monotonic_ms() - forward->stuck_since_ms < forward->alarm_ms)
		return;
	alarm_raise(ALARM,
		"%s takes no notifications: %s; %zu wait for it, and beyond %d they are dropped",
		forward->target, why, forward->counts.waiting, FORWARD_WAITING_MAX);
}

static void be_away(struct forward *forward, const char *why)
{
	forward->is_away = true;
	complain(forward, why);
	uv_timer_start(&forward->timer, on_timer, (uint64_t)forward->retry_ms, 0);
}

static void take_out(struct forward *forward)
{
	struct notice *notice = TAILQ_FIRST(&forward->queue);
	TAILQ_REMOVE(&forward->queue, notice, link);
	forward->counts.waiting--;
	forward->bytes -= notice->size;
	free(notice);
}

/* The first one was taken or refused. */
static void settle(struct forward *forward, enum forward_client_result result, const char *why)
{
	forward->is_away = false;
	if (result == FORWARD_CLIENT_AWAY) {
		be_away(forward, why);
		return;
	}
	take_out(forward);
	if (result == FORWARD_CLIENT_TAKEN)
		forward->counts.passed++;
	else
		lose(forward, why);
	if (result == FORWARD_CLIENT_UNANSWERED) {
		complain(forward, why);
		return;
	}
	forward->stuck_since_ms = clock_monotonic_ms();
	alarm_clear(ALARM);
}

static void pass(struct forward *forward)
{
	struct notice *first;
	for (unsigned i = 0; (first = TAILQ_FIRST(&forward->queue)); i++) {
		if (i == TURN_MAX) {
			uv_timer_start(&forward->timer, on_timer, 0, 0);
			return;
		}
		struct err err;
		enum forward_client_result result =
			forward_client_send(forward->handoff, first->bytes, first->size, &err);
		forward->is_pending = result == FORWARD_CLIENT_PENDING;
		if (forward->is_pending)
			return;
		settle(forward, result, err.text);
		if (forward->is_away)
			return;
	}
}

static void on_done(void *ctx, enum forward_client_result result, const char *why)
{
	struct forward *forward = ctx;
	forward->is_pending = false;
	settle(forward, result, why);
	if (!forward->is_away)
		pass(forward);
}

struct forward *forward_new(uv_loop_t *loop, const struct forward_settings *settings)
{
	struct forward *forward = mem_alloc_zero(1, sizeof(*forward));
	const char *path = notify_socket_path(settings->target, &forward->is_dlist);
	forward->target = mem_dup(settings->target);
	forward->retry_ms = settings->retry_ms ? settings->retry_ms : RETRY_MS;
	forward->alarm_ms = settings->alarm_ms ? settings->alarm_ms : ALARM_MS;
	TAILQ_INIT(&forward->queue);
	uv_timer_init(loop, &forward->timer);
	forward->timer.data = forward;
	const struct forward_client_settings handoff = {.path = path,
		.is_dlist = forward->is_dlist,
		.room_ms = settings->room_ms,
		.answer_ms = settings->answer_ms};
	if (path)
		forward->handoff = forward_client_new(loop, &handoff, on_done, forward);
	return forward;
}

static void on_closed(uv_handle_t *handle)
{
	free(handle->data);
}

void forward_free(struct forward *forward)
{
	if (!forward)
		return;
	forward_client_free(forward->handoff);
	if (forward->counts.waiting)
		log_event(LOG_LEVEL_WARN, "forward",
			"notifications that could not be passed on before the end are lost",
			log_number("count", (int64_t)forward->counts.waiting),
			log_text("socket", forward->target));
	if (forward->counts.unwanted)
		log_event(LOG_LEVEL_INFO, "forward",
			"notifications for other programs were dropped",
			log_number("count", (int64_t)forward->counts.unwanted));
	while (!TAILQ_EMPTY(&forward->queue))
		take_out(forward);
	for (unsigned i = 0; i < forward->class_count; i++)
		free(forward->classes[i]);
	free(forward->target);
	uv_close((uv_handle_t *)&forward->timer, on_closed);
}

/* The class, made fit for a log line. */
static void show_class(const struct notification_field *class, char shown[CLASS_SHOWN + 1])
{
	size_t i = 0;
	for (; i < class->size && i < CLASS_SHOWN; i++) {
		char c = class->bytes[i];
		shown[i] = c >= ' ' && c < 0x7f ? c : '?';
	}
	shown[i] = '\0';
}

static void drop(struct forward *forward, const struct notification *notification)
{
	char class[CLASS_SHOWN + 1];
	forward->counts.unwanted++;
	show_class(&notification->class, class);
	for (unsigned i = 0; i < forward->class_count; i++)
		if (!strcmp(forward->classes[i], class))
			return;
	if (forward->class_count == CLASSES_MAX)
		return;
	forward->classes[forward->class_count++] = mem_dup(class);
	log_event(LOG_LEVEL_WARN, "forward",
		"notifications of this class are for other programs, dropped (forward_socket is "
		"not set)",
		log_text("class", class));
}

/* As it came, or, for a target that reads the other transport, written for that. */
static int write_down(const struct forward *forward, const struct notification *notification,
	struct buf *ret, struct err *err)
{
	if (notification->is_dlist == forward->is_dlist)
		buf_append(ret, notification->raw.bytes, notification->raw.size);
	else if (forward->is_dlist)
		notification_write_to_dlist(notification, ret);
	else
		return notification_write_to_datagram(notification, ret, err);
	return 0;
}

static int put_in(struct forward *forward, const struct notification *notification, struct err *err)
{
	buf_auto struct buf bytes = {0};
	if (write_down(forward, notification, &bytes, err)) {
		lose(forward, err->text);
		return err_set(err, -EBADMSG, "it cannot be written as a datagram");
	}
	if (forward->counts.waiting == FORWARD_WAITING_MAX ||
		bytes.used > FORWARD_BYTES_MAX - forward->bytes) {
		err_set(err, -EAGAIN, "too many wait for the forward socket");
		lose(forward, err->text);
		return -EAGAIN;
	}
	struct notice *notice = mem_alloc(sizeof(*notice) + bytes.used);
	notice->size = bytes.used;
	memcpy(notice->bytes, bytes.data, bytes.used);
	if (TAILQ_EMPTY(&forward->queue))
		forward->stuck_since_ms = clock_monotonic_ms();
	TAILQ_INSERT_TAIL(&forward->queue, notice, link);
	forward->counts.waiting++;
	forward->bytes += notice->size;
	return 0;
}

int forward_take(struct forward *forward, const struct notification *notification, struct err *err)
{
	if (!forward->handoff) {
		drop(forward, notification);
		return 0;
	}
	int refused = put_in(forward, notification, err);
	if (!refused && !forward->is_pending && !uv_is_active((uv_handle_t *)&forward->timer))
		pass(forward);
	return refused;
}

bool forward_is_quiet(const struct forward *forward)
{
	return !forward->counts.waiting || forward->is_away;
}

void forward_count(const struct forward *forward, struct forward_counts *ret)
{
	*ret = forward->counts;
}

#include "intake/stream.h"

#include "base/buf.h"
#include "base/mem.h"
#include "intake/answer.h"
#include "intake/dlist.h"
#include "intake/listener.h"

#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/queue.h>
#include <unistd.h>

#define ACCEPT_TURN_MAX 256
#define ACCEPT_AGAIN_MS 100
#define LATE_TURN_MS 500
#define READ_SIZE (64 * 1024)
#define POOL_MAX 256
/* All that the backlog holds: making room for a connection is a try too. */
#define EMPTY_MAX (2 * (LISTENER_BACKLOG + 1))

enum state {
	IDLE,	   /* pooled */
	READING,   /* its request is incomplete */
	WAITING,   /* for stream_answer */
	ABANDONED, /* answered NO after ack_timeout and closed; still waits for stream_answer */
	LINGERING, /* refused; the rest that it sends is thrown away */
	CLOSING,   /* closed, but the loop still has its poll handle */
	STATES
};

static const unsigned legal_moves[STATES] = {
	[IDLE] = 1u << READING,
	[READING] = 1u << WAITING | 1u << LINGERING | 1u << CLOSING | 1u << IDLE,
	[WAITING] = 1u << ABANDONED | 1u << CLOSING | 1u << IDLE,
	[ABANDONED] = 1u << CLOSING | 1u << IDLE,
	[LINGERING] = 1u << CLOSING | 1u << IDLE,
	[CLOSING] = 1u << IDLE,
};

struct stream_request {
	TAILQ_ENTRY(stream_request) link; /* in its state's list */
	struct stream *stream;
	enum state state;
	int64_t deadline_ms;
	uid_t uid;
	bool is_guests;
	int fd; /* -1: closed */
	struct dlist_scan scan;
	struct buf part; /* the part that came of an incomplete request: see keep */
	bool has_poll;	 /* until the loop gave the handle back */
	uv_poll_t poll;
};

TAILQ_HEAD(request_list, stream_request);

struct stream {
	uv_loop_t *loop;
	char *path;
	mode_t mode;
	gid_t gid;
	bool is_inherited;
	struct peer_file file;
	int fd; /* -1: not listening any more */
	const struct peer_rules *peers;
	struct stream_callbacks callbacks;
	void *ctx;
	size_t late; /* in this turn of the timer */
	uid_t late_uid;

	size_t connections_max;
	struct peer_guests guests;
	size_t unfinished; /* bytes allocated for parts of requests */
	uv_poll_t listener;
	bool accepts; /* the listener is polled */
	bool paused;
	bool is_ending;		 /* read everything that came, whatever the load */
	int64_t accept_again_ms; /* 0, or out of descriptors until then */

	/* All of a list have the same time limit, so its first is the next to be late. */
	struct request_list in[STATES];
	size_t count[STATES];
	int64_t limit_ms[STATES];
	uv_timer_t timer;
	int64_t timer_due_ms; /* INT64_MAX: not running */

	unsigned handles; /* that the loop still has */
	bool is_freed;
	char scratch[READ_SIZE];
};

static void on_timer(uv_timer_t *timer);
static void on_connectable(uv_poll_t *poll, int status, int events);
static void on_readable(uv_poll_t *poll, int status, int events);

static int64_t now_ms(const struct stream *s)
{
	return (int64_t)uv_now(s->loop);
}

static void report(struct stream *s, enum notification_fault fault, const char *kind, uid_t uid,
	const char *what)
{
	struct err err;
	err_set(&err, -EPROTO, "uid %u: %s", (unsigned)uid, what);
	s->callbacks.rejected(s->ctx, fault, kind, err.text);
}

static void wake_at(struct stream *s, int64_t due_ms)
{
	if (due_ms >= s->timer_due_ms)
		return;
	s->timer_due_ms = due_ms;
	int64_t delay_ms = due_ms - now_ms(s);
	uv_timer_start(&s->timer, on_timer, delay_ms > 0 ? (uint64_t)delay_ms : 0, 0);
}

static void enter(struct stream_request *r, enum state to)
{
	struct stream *s = r->stream;
	assert(legal_moves[r->state] & 1u << to);
	TAILQ_REMOVE(&s->in[r->state], r, link);
	s->count[r->state]--;
	r->state = to;
	TAILQ_INSERT_TAIL(&s->in[to], r, link);
	s->count[to]++;
	if (s->limit_ms[to]) {
		r->deadline_ms = now_ms(s) + s->limit_ms[to];
		wake_at(s, r->deadline_ms);
	}
}

/* Connections without a whole request can make room: see make_room. */
static bool may_accept(const struct stream *s)
{
	return s->fd >= 0 && !s->paused && !s->accept_again_ms &&
		s->count[WAITING] < s->connections_max;
}

static bool is_full(const struct stream *s)
{
	return s->count[READING] + s->count[WAITING] + s->count[LINGERING] >= s->connections_max;
}

/* Polls the listener only while there is room, as it would be ready all the time. */
static void poll_listener(struct stream *s)
{
	bool wanted = may_accept(s);
	if (wanted == s->accepts || s->fd < 0)
		return;
	s->accepts = wanted;
	if (wanted)
		uv_poll_start(&s->listener, UV_READABLE, on_connectable);
	else
		uv_poll_stop(&s->listener);
}

static struct stream_request *take_idle(struct stream *s)
{
	struct stream_request *r = TAILQ_FIRST(&s->in[IDLE]);
	if (r)
		return r;
	r = mem_alloc_zero(1, sizeof(*r));
	r->stream = s;
	r->state = IDLE;
	r->fd = -1;
	TAILQ_INSERT_TAIL(&s->in[IDLE], r, link);
	s->count[IDLE]++;
	return r;
}

static void forget(struct stream_request *r)
{
	struct stream *s = r->stream;
	TAILQ_REMOVE(&s->in[r->state], r, link);
	s->count[r->state]--;
	free(r);
}

static void free_when_closed(struct stream *s)
{
	if (!s->is_freed || s->handles)
		return;
	struct stream_request *r;
	while ((r = TAILQ_FIRST(&s->in[IDLE])))
		forget(r);
	peer_guests_fini(&s->guests);
	free(s->path);
	free(s);
}

static void on_handle_closed(uv_handle_t *handle)
{
	struct stream *s = handle->data;
	s->handles--;
	free_when_closed(s);
}

static void make_idle(struct stream_request *r)
{
	enter(r, IDLE);
	if (r->stream->count[IDLE] > POOL_MAX)
		forget(r);
}

static void on_poll_closed(uv_handle_t *handle)
{
	struct stream_request *r = handle->data;
	struct stream *s = r->stream;
	r->has_poll = false;
	if (r->state == CLOSING)
		make_idle(r);
	s->handles--;
	free_when_closed(s);
}

static void stop_watching(struct stream_request *r)
{
	if (r->has_poll && !uv_is_closing((uv_handle_t *)&r->poll))
		uv_close((uv_handle_t *)&r->poll, on_poll_closed);
}

static void close_connection(struct stream_request *r)
{
	stop_watching(r);
	if (r->fd >= 0)
		close(r->fd);
	r->fd = -1;
}

static void keep(struct stream_request *r, const char *bytes, size_t size)
{
	size_t before = r->part.capacity;
	buf_append(&r->part, bytes, size);
	r->stream->unfinished += r->part.capacity - before;
}

static struct buf take_part(struct stream_request *r)
{
	struct buf part = r->part;
	buf_init(&r->part);
	r->stream->unfinished -= part.capacity;
	return part;
}

static void drop_part(struct stream_request *r)
{
	struct buf part = take_part(r);
	buf_fini(&part);
}

/* Frees all resources of a request. */
static void release(struct stream_request *r)
{
	struct stream *s = r->stream;
	close_connection(r);
	drop_part(r);
	dlist_scan_fini(&r->scan);
	if (r->is_guests)
		peer_guests_leave(&s->guests, r->uid);
	r->is_guests = false;
	if (r->has_poll)
		enter(r, CLOSING);
	else
		make_idle(r);
	poll_listener(s);
}

static void watch(struct stream_request *r)
{
	if (r->has_poll)
		return;
	int e = uv_poll_init(r->stream->loop, &r->poll, r->fd);
	if (e < 0) {
		struct stream *s = r->stream;
		uid_t uid = r->uid;
		release(r);
		report(s, NOTIFICATION_INCOMPLETE, "connections not watched", uid, uv_strerror(e));
		return;
	}
	r->poll.data = r;
	r->has_poll = true;
	r->stream->handles++;
	/* Else stream_pause does so in the end. */
	if (r->state != READING || !r->stream->paused)
		uv_poll_start(&r->poll, UV_READABLE, on_readable);
}

static void turn_away(struct stream_request *r, const char *why)
{
	answer_send(r->fd, -1, why);
	shutdown(r->fd, SHUT_WR);
	drop_part(r);
	enter(r, LINGERING);
	watch(r);
}

static void refuse(struct stream_request *r, const char *why)
{
	struct stream *s = r->stream;
	uid_t uid = r->uid;
	turn_away(r, why);
	report(s, NOTIFICATION_MALFORMED, "malformed requests", uid, why);
}

/* The one that has been sending for longest, a guest's if there is one; NULL: none. */
static struct stream_request *longest_sending(const struct stream *s, size_t least_kept)
{
	struct stream_request *first = NULL;
	struct stream_request *r;
	TAILQ_FOREACH(r, &s->in[READING], link) {
		if (r->part.capacity < least_kept)
			continue;
		if (r->is_guests || !s->guests.all)
			return r;
		first = first ? first : r;
	}
	return first;
}

static void bound_unfinished(struct stream *s)
{
	while (s->unfinished > STREAM_UNFINISHED_MAX) {
		/* A silent peer keeps no memory, so refusing it would not help. */
		struct stream_request *r = longest_sending(s, 1);
		uid_t uid = r->uid;
		turn_away(r, "unfinished requests take too much memory");
		struct err err;
		err_set(&err, -EPROTO,
			"unfinished requests take more than %d MiB: refused the oldest one",
			STREAM_UNFINISHED_MAX / 1024 / 1024);
		report(s, NOTIFICATION_INCOMPLETE, "unfinished requests", uid, err.text);
	}
}

static void lost(struct stream_request *r)
{
	struct stream *s = r->stream;
	uid_t uid = r->uid;
	size_t size = r->part.used;
	release(r);
	if (!size)
		return;
	struct err err;
	err_set(&err, -EPROTO, "closed after %zu bytes of a request", size);
	report(s, NOTIFICATION_INCOMPLETE, "cut requests", uid, err.text);
}

static void hand_over(struct stream_request *r, const struct notification *notification)
{
	struct stream *s = r->stream;
	/* The callback may answer, which frees the request, and still read the fields. */
	struct buf fields = take_part(r);
	struct dlist_scan scan = r->scan;
	r->scan = (struct dlist_scan){0};
	stop_watching(r);
	enter(r, WAITING);
	s->callbacks.came(s->ctx, notification, r);
	buf_fini(&fields);
	dlist_scan_fini(&scan);
}

static void read_request(struct stream_request *r)
{
	struct stream *s = r->stream;
	bool is_first = r->part.used == 0;
	ssize_t n = recv(r->fd, s->scratch, READ_SIZE, MSG_DONTWAIT);
	if (n < 0 && (errno == EAGAIN || errno == EINTR)) {
		watch(r);
		return;
	}
	if (n <= 0) {
		lost(r);
		return;
	}

	struct notification notification;
	struct err err;
	size_t request_size;
	char *bytes = s->scratch;
	size_t size = (size_t)n;
	if (!is_first) {
		keep(r, s->scratch, (size_t)n);
		bytes = (char *)r->part.data;
		size = r->part.used;
	}
	int v = dlist_parse(&r->scan, bytes, size, &notification, &request_size, &err);
	if (v > 0) {
		notification.sender = r->uid;
		hand_over(r, &notification);
	} else if (v < 0) {
		refuse(r, err.text);
	} else {
		if (is_first)
			keep(r, bytes, size);
		watch(r);
		bound_unfinished(s);
	}
}

static void throw_away(struct stream_request *r)
{
	ssize_t n = recv(r->fd, r->stream->scratch, READ_SIZE, MSG_DONTWAIT);
	if (n == 0 || (n < 0 && errno != EAGAIN && errno != EINTR))
		release(r);
}

static void on_readable(uv_poll_t *poll, int status, int events)
{
	(void)events;
	struct stream_request *r = poll->data;
	if (status < 0)
		lost(r);
	else if (r->state == READING)
		read_request(r);
	else
		throw_away(r);
}

static void refuse_stranger(struct stream *s, int fd, uid_t uid)
{
	answer_send(fd, -1, "not allowed");
	close(fd);
	report(s, NOTIFICATION_NOT_ALLOWED, "stranger's connections", uid,
		"not allowed to send events; if it is the mail server's uid, add it to "
		"allowed_users");
}

/*
 * Closes a connection that was already refused, or else the one that is silent for longest: Cyrus
 * sends its whole request at once and then waits with its locks held.  False: there is none.
 */
static bool make_room(struct stream *s)
{
	struct stream_request *r = TAILQ_FIRST(&s->in[LINGERING]);
	if (r) {
		release(r);
		return true;
	}
	/* While the stream is paused, peers are not to blame for silence. */
	r = s->paused ? NULL : longest_sending(s, 0);
	if (!r)
		return false;
	uid_t uid = r->uid;
	answer_send(r->fd, -1, "too many connections, and the request did not come");
	release(r);
	report(s, NOTIFICATION_INCOMPLETE, "silent connections", uid,
		"too many connections: closed one whose request did not come, to make room");
	return true;
}

static bool find_place(struct stream *s, uid_t uid, bool is_guests)
{
	if (is_guests && !peer_guests_enter(&s->guests, uid)) {
		report(s, NOTIFICATION_INCOMPLETE, "users with many connections", uid,
			"too many connections of this user");
		return false;
	}
	/* Only while the backlog is emptied can room be lacking here: otherwise nothing is
	 * accepted. */
	if (!is_full(s) || make_room(s))
		return true;
	if (is_guests)
		peer_guests_leave(&s->guests, uid);
	return false;
}

static void begin(struct stream *s, int fd)
{
	struct peercred peer;
	struct err err;
	if (peer_of_stream(fd, &peer, &err) < 0) {
		close(fd);
		s->callbacks.rejected(
			s->ctx, NOTIFICATION_NOT_ALLOWED, "connections without a peer", err.text);
		return;
	}
	bool is_guests = !peer_is_allowed(s->peers, peer.uid);
	if (is_guests && !s->guests.all_max) {
		refuse_stranger(s, fd, peer.uid);
		return;
	}
	if (peer_is_self(s->peers, &peer)) {
		answer_send(fd, -1, "forward_socket leads back to mailpushd");
		close(fd);
		s->callbacks.rejected(
			s->ctx, NOTIFICATION_NOT_ALLOWED, "requests of our own", PEER_SELF_TEXT);
		return;
	}
	if (!find_place(s, peer.uid, is_guests)) {
		answer_send(fd, -1, "too many connections");
		close(fd);
		return;
	}
	struct stream_request *r = take_idle(s);
	r->fd = fd;
	r->uid = peer.uid;
	r->is_guests = is_guests;
	r->scan.skip = 0;
	enter(r, READING);
	if (s->paused)
		watch(r);
	else
		read_request(r);
}

static void cannot_accept(struct stream *s, int e)
{
	s->accept_again_ms = now_ms(s) + ACCEPT_AGAIN_MS;
	wake_at(s, s->accept_again_ms);
	struct err err;
	err_set(&err, e, "cannot accept connections on '%s': %s; trying again", s->path,
		strerror(-e));
	s->callbacks.rejected(
		s->ctx, NOTIFICATION_INCOMPLETE, "connections not accepted", err.text);
}

/* False: no connection waits, or accepting fails now. */
static bool accept_one(struct stream *s)
{
	int fd = listener_accept(s->fd);
	if (fd == -EAGAIN)
		return false;
	if (fd >= 0) {
		begin(s, fd);
		return true;
	}
	if (fd == -ECONNABORTED || fd == -EINTR)
		return true;
	if (fd == -EMFILE || fd == -ENFILE) {
		/* Linux reports this even when no connection waits. */
		if (!listener_has_connection(s->fd))
			return false;
		if (make_room(s))
			return true;
	}
	cannot_accept(s, fd);
	return false;
}

/*
 * Closing the listener would drop waiting connections unanswered, so this accepts all, whatever the
 * load.  The socket's name is already gone, but who holds the file open still connects.
 */
static void empty_backlog(struct stream *s)
{
	for (unsigned tries = 0; tries < EMPTY_MAX && accept_one(s); tries++)
		;
}

static void on_connectable(uv_poll_t *poll, int status, int events)
{
	(void)status;
	(void)events;
	struct stream *s = poll->data;
	unsigned accepted = 0;
	while (accepted < ACCEPT_TURN_MAX && may_accept(s) && accept_one(s))
		accepted++;
	poll_listener(s);
}

static const char late_text[] = "the request did not come in time";

static void report_late(struct stream *s)
{
	size_t late = s->late;
	s->late = 0;
	if (late == 1) {
		report(s, NOTIFICATION_INCOMPLETE, "late requests", s->late_uid, late_text);
	} else if (late) {
		struct err err;
		err_set(&err, -EPROTO, "%zu requests did not come in time", late);
		report(s, NOTIFICATION_INCOMPLETE, "late requests", s->late_uid, err.text);
	}
}

static void time_out(struct stream_request *r)
{
	struct stream *s = r->stream;
	/* Bytes that arrived before the limit, but are unread, are in time. */
	if (r->state == READING) {
		read_request(r);
		if (r->state != READING)
			return;
		s->late++;
		s->late_uid = r->uid;
		answer_send(r->fd, -1, late_text);
		release(r);
	} else if (r->state == WAITING) {
		answer_send(r->fd, -1, "not on disk yet");
		close_connection(r);
		enter(r, ABANDONED);
		poll_listener(s);
		s->callbacks.timed_out(s->ctx, r);
	} else {
		assert(r->state == LINGERING);
		release(r);
	}
}

/* Do connections in this state have a time limit? */
static bool is_limited(const struct stream *s, unsigned state)
{
	return s->limit_ms[state] && !(state == READING && s->paused);
}

static void on_timer(uv_timer_t *timer)
{
	struct stream *s = timer->data;
	int64_t now = now_ms(s);
	struct stream_request *r;

	s->timer_due_ms = INT64_MAX;
	if (s->accept_again_ms && s->accept_again_ms <= now) {
		s->accept_again_ms = 0;
		poll_listener(s);
	}
	for (unsigned state = 0; state < STATES; state++) {
		while (is_limited(s, state) && (r = TAILQ_FIRST(&s->in[state])) &&
			r->deadline_ms <= now)
			time_out(r);
	}
	/* Connections that came at about the same time time out together. */
	int64_t late_again_ms = s->late ? now + LATE_TURN_MS : 0;
	report_late(s);
	for (unsigned state = 0; state < STATES; state++) {
		if (!is_limited(s, state) || !(r = TAILQ_FIRST(&s->in[state])))
			continue;
		bool is_soon = state == READING && r->deadline_ms < late_again_ms;
		wake_at(s, is_soon ? late_again_ms : r->deadline_ms);
	}
	if (s->accept_again_ms)
		wake_at(s, s->accept_again_ms);
}

int stream_new(uv_loop_t *loop, const struct stream_settings *settings,
	const struct peer_rules *peers, const struct stream_callbacks *callbacks, void *ctx,
	struct stream **ret, struct err *err)
{
	assert(settings->ack_timeout_ms > 0);
	struct peer_file file;
	int fd = settings->inherited_fd;
	if (fd)
		file = peer_file_at(settings->path);
	else
		fd = listener_make(settings->path, settings->mode, settings->gid, &file, err);
	if (fd < 0)
		return fd;

	struct stream *s = mem_alloc_zero(1, sizeof(*s));
	int e = uv_poll_init(loop, &s->listener, fd);
	if (e < 0) {
		e = err_set(err, e, "cannot watch socket '%s': %s", settings->path, uv_strerror(e));
		if (!settings->inherited_fd)
			peer_unlink(settings->path, &file);
		close(fd);
		free(s);
		return e;
	}
	s->loop = loop;
	s->path = mem_dup(settings->path);
	s->mode = settings->mode;
	s->gid = settings->gid;
	s->is_inherited = settings->inherited_fd;
	s->file = file;
	s->fd = fd;
	s->peers = peers;
	s->callbacks = *callbacks;
	s->ctx = ctx;
	s->connections_max = listener_connections_max(STREAM_CONNECTIONS_MAX);
	if (settings->has_guests) {
		s->connections_max = (s->connections_max + 1) / 2;
		peer_guests_init(&s->guests, STREAM_GUEST_CONNECTIONS_MAX, s->connections_max / 2);
	}
	for (unsigned state = 0; state < STATES; state++)
		TAILQ_INIT(&s->in[state]);
	s->limit_ms[READING] =
		settings->request_timeout_ms ? settings->request_timeout_ms : STREAM_REQUEST_MS;
	s->limit_ms[WAITING] = settings->ack_timeout_ms;
	s->limit_ms[LINGERING] = STREAM_LINGER_MS;

	s->listener.data = s;
	uv_timer_init(loop, &s->timer);
	s->timer.data = s;
	s->timer_due_ms = INT64_MAX;
	s->handles = 2;
	poll_listener(s);
	*ret = s;
	return 0;
}

void stream_answer(struct stream_request *request, int status, const char *text)
{
	assert(request->state == WAITING || request->state == ABANDONED);
	if (request->state == WAITING)
		answer_send(request->fd, status, text);
	release(request);
}

void stream_pause(struct stream *stream, bool pause)
{
	if (stream->paused == pause || stream->is_ending)
		return;
	stream->paused = pause;
	poll_listener(stream);
	if (pause) {
		struct stream_request *r;
		TAILQ_FOREACH(r, &stream->in[READING], link)
			uv_poll_stop(&r->poll);
		return;
	}
	struct stream_request *r;
	TAILQ_FOREACH(r, &stream->in[READING], link) {
		r->deadline_ms = now_ms(stream) + stream->limit_ms[READING];
		wake_at(stream, r->deadline_ms);
		uv_poll_start(&r->poll, UV_READABLE, on_readable);
	}
}

const struct peer_file *stream_file(const struct stream *stream)
{
	return &stream->file;
}

int stream_rebind(struct stream *stream, struct err *err)
{
	if (stream->is_inherited)
		return err_set(err, -ENOTSUP,
			"the file of socket '%s' was removed or replaced, so Cyrus does not reach "
			"mailpushd; the socket was passed in, so only the service manager can "
			"create it again (systemctl restart mailpush.socket)",
			stream->path);
	struct peer_file file;
	int fd = listener_make(stream->path, stream->mode, stream->gid, &file, err);
	if (fd < 0)
		return fd;
	empty_backlog(stream);
	uv_poll_stop(&stream->listener);
	stream->accepts = false;
	/* Under the old number, which the loop knows. */
	dup3(fd, stream->fd, O_CLOEXEC);
	close(fd);
	stream->file = file;
	poll_listener(stream);
	return 0;
}

static void close_listener(struct stream *s)
{
	uv_close((uv_handle_t *)&s->listener, on_handle_closed);
	close(s->fd);
	s->fd = -1;
}

void stream_stop_listening(struct stream *stream)
{
	if (stream->fd < 0)
		return;
	stream_pause(stream, false);
	stream->is_ending = true;
	if (!stream->is_inherited) {
		/* The name goes first, so that no new connection comes that closing would drop. */
		peer_unlink(stream->path, &stream->file);
		empty_backlog(stream);
	}
	close_listener(stream);
}

size_t stream_unanswered(const struct stream *stream)
{
	return stream->count[READING] + stream->count[WAITING] + stream->count[ABANDONED];
}

void stream_free(struct stream *stream)
{
	static const enum state open[] = {READING, WAITING, ABANDONED, LINGERING};
	if (!stream)
		return;
	if (stream->fd >= 0) {
		if (!stream->is_inherited)
			peer_unlink(stream->path, &stream->file);
		close_listener(stream);
	}
	for (size_t i = 0; i < sizeof(open) / sizeof(open[0]); i++) {
		struct stream_request *r;
		while ((r = TAILQ_FIRST(&stream->in[open[i]]))) {
			if (r->state == READING)
				answer_send(r->fd, -1, "the service is stopping");
			release(r);
		}
	}
	uv_close((uv_handle_t *)&stream->timer, on_handle_closed);
	stream->is_freed = true;
}

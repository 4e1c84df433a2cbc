#include "intake/stream.h"

#include "place.h"

#include "intake/dlist.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdlib.h>
#include <sys/resource.h>

#define REQUEST(message) "NOTIFY %(METHOD m CLASS EVENT MESSAGE " message ")\r\n"
#define ANSWER_MAX 300
#define LONG_MS 3600000
#define REQUESTS_MAX 300 /* more than the stream pools */

struct intake {
	struct place place;
	struct peer_rules peers;
	struct stream *stream;
	bool answers_at_once;
	bool pauses;	     /* when a request comes */
	const char *refills; /* another name of the socket: each request brings the next one */
	unsigned came;
	unsigned rejected;
	unsigned timed_out;
	struct stream_request *requests[REQUESTS_MAX];
	struct stream_request *late;
	char last_message[100];
	size_t last_size;
	char last_rejection[ERR_TEXT_MAX];
};

/* The other end of a connection; what it was answered. */
struct client {
	int fd;
	char answer[ANSWER_MAX];
	size_t size;
	bool is_closed; /* by the stream */
};

/* Far more than a backlog holds. */
#define REFILLS_MAX 20000

static void send_another(const struct intake *intake)
{
	if (!intake->refills || intake->came == REFILLS_MAX)
		return;
	int fd = place_connect(intake->refills, SOCK_STREAM);
	assert_int_equal(send(fd, REQUEST("a"), strlen(REQUEST("a")), 0), strlen(REQUEST("a")));
	close(fd);
}

static void on_came(
	void *ctx, const struct notification *notification, struct stream_request *request)
{
	struct intake *intake = ctx;
	assert_true(notification_is_event(notification));
	if (intake->pauses)
		stream_pause(intake->stream, true);
	if (intake->answers_at_once)
		stream_answer(request, 0, NULL);
	else
		intake->requests[intake->came] = request;
	intake->came++;
	send_another(intake);
	/* After the answer: the fields hold until the callback ends. */
	intake->last_size = notification->message.size;
	snprintf(intake->last_message, sizeof(intake->last_message), "%.*s",
		(int)(notification->message.size < 99 ? notification->message.size : 99),
		notification->message.bytes);
}

static void on_rejected(
	void *ctx, enum notification_fault fault, const char *kind, const char *text)
{
	(void)fault;
	assert_true(*kind);
	struct intake *intake = ctx;
	intake->rejected++;
	snprintf(intake->last_rejection, sizeof(intake->last_rejection), "%s", text);
}

static void on_timed_out(void *ctx, struct stream_request *request)
{
	struct intake *intake = ctx;
	intake->timed_out++;
	intake->late = request;
}

static const struct stream_callbacks callbacks = {on_came, on_rejected, on_timed_out};

static void start(struct intake *intake, int64_t ack_timeout_ms, int64_t request_timeout_ms)
{
	struct stream_settings settings = {.path = intake->place.path,
		.mode = 0600,
		.gid = (gid_t)-1,
		.ack_timeout_ms = ack_timeout_ms,
		.request_timeout_ms = request_timeout_ms};
	struct err err;
	int r = stream_new(&intake->place.loop, &settings, &intake->peers, &callbacks, intake,
		&intake->stream, &err);
	if (r < 0)
		fail_msg("%s", err.text);
}

/* Times are an hour, so that nothing is late unless the test is about that. */
static int set_up(void **state)
{
	struct intake *intake = calloc(1, sizeof(*intake));
	place_init(&intake->place);
	peer_allow(&intake->peers, geteuid());
	start(intake, LONG_MS, LONG_MS);
	*state = intake;
	return 0;
}

static void restart(struct intake *intake, int64_t ack_timeout_ms, int64_t request_timeout_ms)
{
	stream_free(intake->stream);
	start(intake, ack_timeout_ms, request_timeout_ms);
}

static rlim_t limit_descriptors(rlim_t limit)
{
	struct rlimit now;
	assert_int_equal(getrlimit(RLIMIT_NOFILE, &now), 0);
	rlim_t before = now.rlim_cur;
	now.rlim_cur = limit;
	assert_int_equal(setrlimit(RLIMIT_NOFILE, &now), 0);
	return before;
}

/* The stream takes half of the descriptors that are allowed when it is made. */
static void restart_with_connections(struct intake *intake, unsigned connections)
{
	rlim_t before = limit_descriptors(2 * connections);
	restart(intake, LONG_MS, LONG_MS);
	limit_descriptors(before);
}

static int tear_down(void **state)
{
	struct intake *intake = *state;
	stream_free(intake->stream);
	place_fini(&intake->place);
	free(intake);
	return 0;
}

static struct client client_of(struct intake *intake)
{
	struct client client = {.fd = place_connect(intake->place.path, SOCK_STREAM)};
	return client;
}

static void say(struct client *client, const char *text)
{
	assert_int_equal(send(client->fd, text, strlen(text), MSG_NOSIGNAL), strlen(text));
}

static struct client client_says(struct intake *intake, const char *text)
{
	struct client client = client_of(intake);
	say(&client, text);
	return client;
}

static void listen_to(struct client *client)
{
	ssize_t n = recv(client->fd, client->answer + client->size, ANSWER_MAX - 1 - client->size,
		MSG_DONTWAIT);
	if (n > 0)
		client->size += (size_t)n;
	else if (n == 0)
		client->is_closed = true;
	else if (errno != EAGAIN)
		fail_msg("recv: %s", strerror(errno));
}

static bool is_answered(struct client *client, const char *wanted)
{
	listen_to(client);
	return strcmp(client->answer, wanted) == 0;
}

static bool is_refused(struct client *client)
{
	listen_to(client);
	return strncmp(client->answer, "NO \"", 4) == 0 && client->size > 7 &&
		strcmp(client->answer + client->size - 3, "\"\r\n") == 0;
}

static bool is_closed(struct client *client)
{
	listen_to(client);
	return client->is_closed;
}

static void a_request_is_handed_over_and_acknowledged_only_when_answered(void **state)
{
	struct intake *intake = *state;
	struct client client = client_says(intake, REQUEST("{7+}\r\n{\"a\":1}"));
	place_run_until(&intake->place, intake->came == 1);
	assert_string_equal(intake->last_message, "{\"a\":1}");
	listen_to(&client);
	assert_int_equal(client.size, 0);
	assert_int_equal(stream_unanswered(intake->stream), 1);

	stream_answer(intake->requests[0], 0, NULL);
	assert_true(is_answered(&client, "OK ()\r\n"));
	assert_true(is_closed(&client));
	assert_int_equal(stream_unanswered(intake->stream), 0);
	close(client.fd);
}

static void a_request_may_be_answered_inside_the_callback(void **state)
{
	struct intake *intake = *state;
	intake->answers_at_once = true;
	for (unsigned i = 1; i <= 50; i++) {
		struct client client = client_says(intake, REQUEST("{2+}\r\n{}"));
		place_run_until(&intake->place, is_answered(&client, "OK ()\r\n"));
		assert_true(is_closed(&client));
		assert_int_equal(intake->came, i);
		assert_string_equal(intake->last_message, "{}");
		close(client.fd);
	}
}

static void a_split_request_may_be_answered_inside_the_callback(void **state)
{
	struct intake *intake = *state;
	intake->answers_at_once = true;
	struct client client = client_says(intake, "NOTIFY %(CLASS EVENT MESSAGE {4+}\r\n{1");
	uv_run(&intake->place.loop, UV_RUN_NOWAIT);
	say(&client, "2})\r\n");
	place_run_until(&intake->place, is_answered(&client, "OK ()\r\n"));
	assert_string_equal(intake->last_message, "{12}");
	close(client.fd);
}

static void a_request_may_come_byte_by_byte(void **state)
{
	struct intake *intake = *state;
	static const char text[] = REQUEST("{3+}\r\n[1]");
	struct client client = client_of(intake);
	for (const char *c = text; *c; c++) {
		assert_int_equal(intake->came, 0);
		assert_int_equal(send(client.fd, c, 1, MSG_NOSIGNAL), 1);
		uv_run(&intake->place.loop, UV_RUN_NOWAIT);
	}
	place_run_until(&intake->place, intake->came == 1);
	assert_string_equal(intake->last_message, "[1]");
	stream_answer(intake->requests[0], 0, NULL);
	assert_true(is_answered(&client, "OK ()\r\n"));
	close(client.fd);
}

/* Sends all of a text larger than the socket's buffer while the loop turns. */
static void say_much(struct intake *intake, struct client *client, const char *text, size_t size)
{
	int flags = fcntl(client->fd, F_GETFL);
	fcntl(client->fd, F_SETFL, flags | O_NONBLOCK);
	size_t sent = 0;
	while (sent < size) {
		ssize_t n = send(client->fd, text + sent, size - sent, MSG_NOSIGNAL);
		if (n > 0)
			sent += (size_t)n;
		else
			assert_int_equal(errno, EAGAIN);
		uv_run(&intake->place.loop, UV_RUN_NOWAIT);
		assert_false(intake->place.is_late);
	}
}

static char *large_request(size_t size)
{
	size_t filling = size - strlen("NOTIFY %(CLASS EVENT MESSAGE {1048000+}\r\n)\r\n");
	char *text = malloc(size + 1);
	int n = snprintf(text, size, "NOTIFY %%(CLASS EVENT MESSAGE {%07zu+}\r\n", filling);
	memset(text + n, 'x', filling);
	memcpy(text + (size_t)n + filling, ")\r\n", 4);
	return text;
}

static void a_request_of_a_mebibyte_is_accepted(void **state)
{
	struct intake *intake = *state;
	char *text = large_request(DLIST_REQUEST_MAX);
	struct client client = client_of(intake);
	intake->answers_at_once = true;
	say_much(intake, &client, text, DLIST_REQUEST_MAX);
	place_run_until(&intake->place, is_answered(&client, "OK ()\r\n"));
	assert_true(intake->last_size > DLIST_REQUEST_MAX - 100);
	free(text);
	close(client.fd);
}

static void a_larger_one_can_be_sent_to_its_end_and_gets_the_reason(void **state)
{
	struct intake *intake = *state;
	size_t size = 3 * DLIST_REQUEST_MAX;
	char *text = large_request(size);
	struct client client = client_of(intake);
	say_much(intake, &client, text, size);
	place_run_until(&intake->place, is_refused(&client));
	assert_int_equal(intake->came, 0);
	assert_int_equal(intake->rejected, 1);
	free(text);
	close(client.fd);
}

static void a_malformed_request_is_refused_reported_and_closed(void **state)
{
	struct intake *intake = *state;
	struct client client = client_says(intake, "GET / HTTP/1.1\r\n\r\n");
	place_run_until(&intake->place, is_refused(&client));
	assert_non_null(strstr(client.answer, "malformed request"));
	assert_true(is_closed(&client));
	assert_int_equal(intake->rejected, 1);
	assert_non_null(strstr(intake->last_rejection, "malformed request"));
	assert_int_equal(intake->came, 0);
	close(client.fd);
}

static void binary_rubbish_is_refused(void **state)
{
	struct intake *intake = *state;
	struct client client = client_of(intake);
	char bytes[4096];
	for (size_t i = 0; i < sizeof(bytes); i++)
		bytes[i] = (char)(i * 7);
	assert_int_equal(send(client.fd, bytes, sizeof(bytes), MSG_NOSIGNAL), sizeof(bytes));
	place_run_until(&intake->place, is_refused(&client));
	assert_int_equal(intake->rejected, 1);
	close(client.fd);
}

static void what_follows_a_request_is_ignored(void **state)
{
	struct intake *intake = *state;
	struct client client = client_says(intake, REQUEST("a") REQUEST("b"));
	place_run_until(&intake->place, intake->came == 1);
	say(&client, REQUEST("c"));
	uv_run(&intake->place.loop, UV_RUN_NOWAIT);
	stream_answer(intake->requests[0], 0, NULL);
	assert_true(is_answered(&client, "OK ()\r\n"));
	assert_int_equal(intake->came, 1);
	assert_int_equal(intake->rejected, 0);
	assert_string_equal(intake->last_message, "a");
	close(client.fd);
}

static void a_peer_that_says_nothing_and_goes_is_no_news(void **state)
{
	struct intake *intake = *state;
	intake->answers_at_once = true;
	struct client gone = client_of(intake);
	close(gone.fd);
	struct client client = client_says(intake, REQUEST("a"));
	place_run_until(&intake->place, is_answered(&client, "OK ()\r\n"));
	assert_int_equal(intake->rejected, 0);
	close(client.fd);
}

static void a_peer_that_goes_amid_its_request_is_reported(void **state)
{
	struct intake *intake = *state;
	struct client client = client_says(intake, "NOTIFY %(CLASS ");
	uv_run(&intake->place.loop, UV_RUN_NOWAIT);
	close(client.fd);
	place_run_until(&intake->place, intake->rejected == 1);
	assert_non_null(strstr(intake->last_rejection, "closed after 15 bytes"));
	assert_int_equal(intake->came, 0);
}

static void a_peer_that_does_not_wait_for_the_answer_is_harmless(void **state)
{
	struct intake *intake = *state;
	struct client client = client_says(intake, REQUEST("a"));
	close(client.fd);
	place_run_until(&intake->place, intake->came == 1);
	stream_answer(intake->requests[0], 0, NULL);
	assert_int_equal(stream_unanswered(intake->stream), 0);
	assert_int_equal(intake->rejected, 0);
}

static void silent_and_slow_peers_are_timed_out_and_hold_up_nobody(void **state)
{
	struct intake *intake = *state;
	restart(intake, LONG_MS, 30);
	intake->answers_at_once = true;
	struct client silent = client_of(intake);
	struct client slow = client_says(intake, "NOTIFY %(");
	struct client quick = client_says(intake, REQUEST("a"));
	place_run_until(&intake->place, is_answered(&quick, "OK ()\r\n"));
	assert_int_equal(silent.size + slow.size, 0);
	place_run_until(&intake->place, is_refused(&silent) && is_refused(&slow));
	assert_non_null(strstr(silent.answer, "in time"));
	assert_true(is_closed(&silent));
	assert_true(is_closed(&slow));
	assert_non_null(strstr(intake->last_rejection, "in time"));
	close(silent.fd);
	close(slow.fd);
	close(quick.fd);
}

static void after_ack_timeout_the_answer_is_no_and_a_later_one_harmless(void **state)
{
	struct intake *intake = *state;
	restart(intake, 20, LONG_MS);
	struct client first = client_says(intake, REQUEST("a"));
	struct client second = client_says(intake, "NOTIFY %(CLASS EVENT ");
	uv_run(&intake->place.loop, UV_RUN_NOWAIT);
	say(&second, "MESSAGE b)\r\n");
	place_run_until(&intake->place, intake->timed_out == 2);
	assert_true(is_answered(&first, "NO \"not on disk yet\"\r\n"));
	assert_true(is_answered(&second, "NO \"not on disk yet\"\r\n"));
	assert_true(is_closed(&first));
	assert_ptr_equal(intake->late, intake->requests[1]);
	assert_int_equal(stream_unanswered(intake->stream), 2);

	stream_answer(intake->requests[0], 0, NULL);
	stream_answer(intake->requests[1], -1, "whatever");
	assert_int_equal(stream_unanswered(intake->stream), 0);
	assert_true(is_answered(&first, "NO \"not on disk yet\"\r\n"));
	close(first.fd);
	close(second.fd);
}

static void an_answer_in_time_is_not_followed_by_no(void **state)
{
	struct intake *intake = *state;
	restart(intake, 20, LONG_MS);
	struct client early = client_says(intake, REQUEST("a"));
	place_run_until(&intake->place, intake->came == 1);
	stream_answer(intake->requests[0], 0, NULL);
	struct client late = client_says(intake, REQUEST("b"));
	place_run_until(&intake->place, intake->timed_out == 1);
	assert_ptr_equal(intake->late, intake->requests[1]);
	assert_true(is_answered(&early, "OK ()\r\n"));
	assert_true(is_refused(&late));
	stream_answer(intake->late, 0, NULL);
	close(early.fd);
	close(late.fd);
}

static void a_reason_cannot_break_the_answer(void **state)
{
	struct intake *intake = *state;
	struct client client = client_says(intake, REQUEST("a"));
	place_run_until(&intake->place, intake->came == 1);
	stream_answer(intake->requests[0], -1, "a \"b\"\\ \r\nOK\r\n\xff");
	assert_true(is_answered(&client, "NO \"a 'b'' ''OK'''\"\r\n"));
	close(client.fd);
}

static void a_long_reason_is_cut(void **state)
{
	struct intake *intake = *state;
	struct client client = client_says(intake, REQUEST("a"));
	place_run_until(&intake->place, intake->came == 1);
	char reason[1000];
	memset(reason, 'x', sizeof(reason));
	reason[sizeof(reason) - 1] = '\0';
	stream_answer(intake->requests[0], -1, reason);
	assert_true(is_refused(&client));
	assert_int_equal(client.size, 256);
	close(client.fd);
}

static void a_stranger_is_refused_and_reported(void **state)
{
	struct intake *intake = *state;
	intake->peers.count = 0;
	struct client first = client_says(intake, REQUEST("a"));
	struct client second = client_says(intake, REQUEST("a"));
	place_run_until(&intake->place,
		is_answered(&first, "NO \"not allowed\"\r\n") &&
			is_answered(&second, "NO \"not allowed\"\r\n"));
	assert_int_equal(intake->came, 0);
	assert_int_equal(intake->rejected, 2);
	assert_non_null(strstr(intake->last_rejection, "allowed_users"));
	close(first.fd);
	close(second.fd);
}

static void while_paused_nothing_is_accepted_or_read(void **state)
{
	struct intake *intake = *state;
	intake->answers_at_once = true;
	struct client begun = client_says(intake, "NOTIFY %(CLASS EVENT ");
	uv_run(&intake->place.loop, UV_RUN_NOWAIT);
	stream_pause(intake->stream, true);
	say(&begun, "MESSAGE a)\r\n");
	struct client waiting = client_says(intake, REQUEST("b"));
	uv_run(&intake->place.loop, UV_RUN_NOWAIT);
	listen_to(&begun);
	listen_to(&waiting);
	assert_int_equal(intake->came, 0);
	assert_int_equal(begun.size + waiting.size, 0);

	stream_pause(intake->stream, false);
	place_run_until(&intake->place,
		is_answered(&begun, "OK ()\r\n") && is_answered(&waiting, "OK ()\r\n"));
	assert_int_equal(intake->came, 2);
	close(begun.fd);
	close(waiting.fd);
}

static void on_ring(uv_timer_t *timer)
{
	*(bool *)timer->data = true;
}

static void while_paused_no_request_times_out(void **state)
{
	struct intake *intake = *state;
	restart(intake, LONG_MS, 10);
	struct client begun = client_says(intake, "NOTIFY %(");
	uv_run(&intake->place.loop, UV_RUN_NOWAIT);
	stream_pause(intake->stream, true);
	bool rang = false;
	uv_timer_t timer;
	uv_timer_init(&intake->place.loop, &timer);
	timer.data = &rang;
	uv_timer_start(&timer, on_ring, 30, 0);
	place_run_until(&intake->place, rang);
	assert_int_equal(intake->rejected, 0);
	stream_pause(intake->stream, false);
	place_run_until(&intake->place, intake->rejected == 1);
	assert_true(is_refused(&begun));
	uv_close((uv_handle_t *)&timer, NULL);
	uv_run(&intake->place.loop, UV_RUN_NOWAIT);
	close(begun.fd);
}

static void pausing_inside_the_callback_stops_the_next_one(void **state)
{
	struct intake *intake = *state;
	intake->answers_at_once = true;
	intake->pauses = true;
	struct client clients[3];
	for (unsigned i = 0; i < 3; i++)
		clients[i] = client_says(intake, REQUEST("a"));
	for (unsigned i = 0; i < 3; i++) {
		place_run_until(&intake->place, is_answered(&clients[i], "OK ()\r\n"));
		uv_run(&intake->place.loop, UV_RUN_NOWAIT);
		assert_int_equal(intake->came, i + 1);
		stream_pause(intake->stream, false);
		close(clients[i].fd);
	}
}

static void after_listening_stopped_who_waits_is_still_served(void **state)
{
	struct intake *intake = *state;
	struct client accepted = client_says(intake, REQUEST("a"));
	place_run_until(&intake->place, intake->came == 1);
	struct client queued = client_says(intake, REQUEST("b"));
	stream_stop_listening(intake->stream);
	assert_int_equal(access(intake->place.path, F_OK), -1);
	assert_int_equal(intake->came, 2);
	assert_int_equal(stream_unanswered(intake->stream), 2);
	stream_answer(intake->requests[0], 0, NULL);
	stream_answer(intake->requests[1], 0, NULL);
	assert_true(is_answered(&accepted, "OK ()\r\n"));
	assert_true(is_answered(&queued, "OK ()\r\n"));
	close(accepted.fd);
	close(queued.fd);
}

static void stopped_while_paused_who_waits_is_still_served(void **state)
{
	struct intake *intake = *state;
	struct client begun = client_says(intake, "NOTIFY %(CLASS EVENT ");
	uv_run(&intake->place.loop, UV_RUN_NOWAIT);
	stream_pause(intake->stream, true);
	say(&begun, "MESSAGE a)\r\n");
	struct client queued = client_says(intake, REQUEST("b"));
	intake->answers_at_once = true;
	intake->pauses = true;
	stream_stop_listening(intake->stream);
	place_run_until(&intake->place,
		is_answered(&begun, "OK ()\r\n") && is_answered(&queued, "OK ()\r\n"));
	assert_int_equal(stream_unanswered(intake->stream), 0);
	close(begun.fd);
	close(queued.fd);
}

static void stopped_without_a_place_who_waits_is_refused(void **state)
{
	enum { MAX = 40 };
	struct intake *intake = *state;
	restart_with_connections(intake, MAX);
	struct client clients[MAX + 2];
	for (unsigned i = 0; i < MAX + 2; i++)
		clients[i] = client_says(intake, REQUEST("a"));
	stream_stop_listening(intake->stream);
	assert_int_equal(intake->came, MAX);
	for (unsigned i = 0; i < MAX + 2; i++) {
		if (i < MAX)
			stream_answer(intake->requests[i], 0, NULL);
		assert_true(is_answered(
			&clients[i], i < MAX ? "OK ()\r\n" : "NO \"too many connections\"\r\n"));
		close(clients[i].fd);
	}
}

static void who_goes_on_connecting_does_not_keep_it_from_its_end(void **state)
{
	struct intake *intake = *state;
	char name[sizeof(intake->place.path) + 8];
	snprintf(name, sizeof(name), "%s.other", intake->place.path);
	assert_int_equal(link(intake->place.path, name), 0);
	intake->answers_at_once = true;
	intake->refills = name;
	send_another(intake);
	struct err err;
	assert_int_equal(unlink(intake->place.path), 0);
	assert_int_equal(stream_rebind(intake->stream, &err), 0);
	assert_int_in_range(intake->came, 1, REFILLS_MAX - 1);

	assert_int_equal(unlink(name), 0);
	assert_int_equal(link(intake->place.path, name), 0);
	intake->came = 0;
	send_another(intake);
	stream_stop_listening(intake->stream);
	assert_int_in_range(intake->came, 1, REFILLS_MAX - 1);
	unlink(name);
}

static void made_again_while_paused_who_waited_is_read_later(void **state)
{
	struct intake *intake = *state;
	struct err err;
	intake->answers_at_once = true;
	stream_pause(intake->stream, true);
	struct client before = client_says(intake, REQUEST("a"));
	assert_int_equal(unlink(intake->place.path), 0);
	assert_int_equal(stream_rebind(intake->stream, &err), 0);
	struct client after = client_says(intake, REQUEST("b"));
	uv_run(&intake->place.loop, UV_RUN_NOWAIT);
	assert_int_equal(intake->came, 0);
	stream_pause(intake->stream, false);
	place_run_until(&intake->place,
		is_answered(&before, "OK ()\r\n") && is_answered(&after, "OK ()\r\n"));
	close(before.fd);
	close(after.fd);
}

static void made_again_while_paused_who_finds_no_place_is_refused(void **state)
{
	enum { MAX = 40 };
	struct intake *intake = *state;
	struct err err;
	restart_with_connections(intake, MAX);
	intake->answers_at_once = true;
	stream_pause(intake->stream, true);
	struct client clients[MAX + 2];
	for (unsigned i = 0; i < MAX + 2; i++)
		clients[i] = client_says(intake, REQUEST("a"));
	assert_int_equal(unlink(intake->place.path), 0);
	assert_int_equal(stream_rebind(intake->stream, &err), 0);
	stream_pause(intake->stream, false);
	for (unsigned i = 0; i < MAX + 2; i++) {
		const char *wanted = i < MAX ? "OK ()\r\n" : "NO \"too many connections\"\r\n";
		place_run_until(&intake->place, is_answered(&clients[i], wanted));
		close(clients[i].fd);
	}
}

static void freed_who_has_not_sent_a_request_is_refused(void **state)
{
	struct intake *intake = *state;
	struct client begun = client_says(intake, "NOTIFY %(CLASS EVENT ");
	uv_run(&intake->place.loop, UV_RUN_NOWAIT);
	restart(intake, LONG_MS, LONG_MS);
	assert_true(is_answered(&begun, "NO \"the service is stopping\"\r\n"));
	close(begun.fd);
}

static void freeing_closes_all_in_whatever_state(void **state)
{
	struct intake *intake = *state;
	restart(intake, 10, LONG_MS);
	struct client abandoned = client_says(intake, REQUEST("a"));
	place_run_until(&intake->place, intake->timed_out == 1);
	restart(intake, LONG_MS, LONG_MS);
	struct client late = client_says(intake, REQUEST("a"));
	struct client reading = client_says(intake, "NOTIFY %(");
	struct client refused = client_says(intake, "rubbish");
	place_run_until(&intake->place, is_refused(&refused) && intake->came == 2);
	uv_run(&intake->place.loop, UV_RUN_NOWAIT);
	stream_free(intake->stream);
	intake->stream = NULL;
	assert_int_equal(access(intake->place.path, F_OK), -1);
	assert_true(is_closed(&late));
	assert_int_equal(late.size, 0);
	assert_true(is_answered(&reading, "NO \"the service is stopping\"\r\n"));
	assert_true(is_closed(&reading));
	close(abandoned.fd);
	close(late.fd);
	close(reading.fd);
	close(refused.fd);
}

static void many_at_once_are_all_served(void **state)
{
	enum { CLIENTS = REQUESTS_MAX };
	struct intake *intake = *state;
	struct client clients[CLIENTS];
	for (unsigned i = 0; i < CLIENTS; i++)
		clients[i] = i % 2 ? client_of(intake) : client_says(intake, REQUEST("a"));
	place_run_until(&intake->place, intake->came == CLIENTS / 2);
	for (unsigned i = 1; i < CLIENTS; i += 2)
		say(&clients[i], REQUEST("b"));
	place_run_until(&intake->place, intake->came == CLIENTS);
	assert_int_equal(stream_unanswered(intake->stream), CLIENTS);
	for (unsigned i = 0; i < CLIENTS; i++)
		stream_answer(intake->requests[i], 0, NULL);
	for (unsigned i = 0; i < CLIENTS; i++) {
		assert_true(is_answered(&clients[i], "OK ()\r\n"));
		close(clients[i].fd);
	}
}

/* Closed, not only shut down. */
static bool is_gone(const struct client *client)
{
	struct pollfd pollfd = {.fd = client->fd};
	return poll(&pollfd, 1, 0) == 1 && (pollfd.revents & POLLHUP);
}

static void a_refused_peer_that_stays_is_closed_after_a_while(void **state)
{
	struct intake *intake = *state;
	struct client client = client_says(intake, "rubbish");
	place_run_until(&intake->place, is_refused(&client));
	assert_false(is_gone(&client));
	place_run_until(&intake->place, is_gone(&client));
	close(client.fd);
}

/* Sends a request, and leaves no descriptor to accept it with. */
static struct client client_without_descriptors(struct intake *intake, rlim_t *ret_before)
{
	struct client client = client_says(intake, REQUEST("a"));
	int highest = dup(client.fd);
	close(highest);
	*ret_before = limit_descriptors((rlim_t)highest);
	return client;
}

static void out_of_descriptors_it_accepts_again_later(void **state)
{
	struct intake *intake = *state;
	intake->answers_at_once = true;
	rlim_t before;
	struct client client = client_without_descriptors(intake, &before);
	place_run_until(&intake->place, intake->rejected == 1);
	limit_descriptors(before);
	assert_non_null(strstr(intake->last_rejection, "cannot accept"));
	place_run_until(&intake->place, is_answered(&client, "OK ()\r\n"));
	assert_int_equal(intake->rejected, 1);
	close(client.fd);
}

static void out_of_descriptors_for_long_each_try_is_reported(void **state)
{
	struct intake *intake = *state;
	intake->answers_at_once = true;
	rlim_t before;
	struct client client = client_without_descriptors(intake, &before);
	place_run_until(&intake->place, intake->rejected == 3);
	limit_descriptors(before);
	place_run_until(&intake->place, is_answered(&client, "OK ()\r\n"));
	assert_int_equal(intake->rejected, 3);
	close(client.fd);
}

static void out_of_descriptors_the_longest_silent_makes_room(void **state)
{
	struct intake *intake = *state;
	intake->answers_at_once = true;
	struct client oldest = client_says(intake, "NOTIFY %(");
	uv_run(&intake->place.loop, UV_RUN_NOWAIT);
	struct client newer = client_of(intake);
	uv_run(&intake->place.loop, UV_RUN_NOWAIT);
	rlim_t before;
	struct client client = client_without_descriptors(intake, &before);
	place_run_until(&intake->place, is_answered(&client, "OK ()\r\n"));
	limit_descriptors(before);
	assert_true(is_refused(&oldest));
	assert_true(is_closed(&oldest));
	listen_to(&newer);
	assert_int_equal(newer.size, 0);
	assert_false(newer.is_closed);
	assert_int_equal(intake->rejected, 1);
	assert_non_null(strstr(intake->last_rejection, "too many connections: closed one "));
	close(oldest.fd);
	close(newer.fd);
	close(client.fd);
}

static void the_longest_silent_make_room_when_connections_are_too_many(void **state)
{
	enum { MAX = 40, MORE = 10 };
	struct intake *intake = *state;
	restart_with_connections(intake, MAX);
	intake->answers_at_once = true;
	struct client silent[MAX + MORE];
	for (unsigned i = 0; i < MAX + MORE; i++) {
		silent[i] = client_of(intake);
		uv_run(&intake->place.loop, UV_RUN_NOWAIT);
	}
	struct client client = client_says(intake, REQUEST("a"));
	place_run_until(&intake->place, is_answered(&client, "OK ()\r\n"));
	for (unsigned i = 0; i < MAX + MORE; i++) {
		assert_int_equal(is_refused(&silent[i]), i < MORE + 1);
		assert_int_equal(is_closed(&silent[i]), i < MORE + 1);
		close(silent[i].fd);
	}
	assert_int_equal(intake->rejected, MORE + 1);
	close(client.fd);
}

static void a_refused_peer_that_stays_makes_room_before_a_silent_one(void **state)
{
	struct intake *intake = *state;
	restart_with_connections(intake, 20);
	intake->answers_at_once = true;
	struct client silent[19];
	for (unsigned i = 0; i < 19; i++)
		silent[i] = client_of(intake);
	struct client refused = client_says(intake, "rubbish");
	place_run_until(&intake->place, is_refused(&refused));
	struct client client = client_says(intake, REQUEST("a"));
	place_run_until(&intake->place, is_answered(&client, "OK ()\r\n"));
	assert_true(is_gone(&refused));
	for (unsigned i = 0; i < 19; i++) {
		assert_false(is_closed(&silent[i]));
		close(silent[i].fd);
	}
	close(refused.fd);
	close(client.fd);
}

static void beyond_the_memory_for_unfinished_requests_the_longest_sending_is_refused(void **state)
{
	enum { FIT = STREAM_UNFINISHED_MAX / DLIST_REQUEST_MAX, MORE = 3 };
	struct intake *intake = *state;
	intake->answers_at_once = true;
	struct client silent = client_of(intake);
	uv_run(&intake->place.loop, UV_RUN_NOWAIT);
	char *text = large_request(DLIST_REQUEST_MAX);
	size_t most = DLIST_REQUEST_MAX - 100;
	struct client clients[FIT + MORE];
	for (unsigned i = 0; i < FIT + MORE; i++) {
		assert_int_equal(intake->rejected, i > FIT ? i - FIT : 0);
		clients[i] = client_of(intake);
		say_much(intake, &clients[i], text, most);
	}
	for (unsigned i = 0; i < MORE; i++) {
		place_run_until(&intake->place, is_refused(&clients[i]));
		assert_non_null(strstr(clients[i].answer, "unfinished requests"));
	}
	assert_int_equal(intake->rejected, MORE);
	assert_non_null(strstr(intake->last_rejection, "refused the oldest one"));
	for (unsigned i = MORE; i < FIT + MORE; i++) {
		say(&clients[i], text + most);
		place_run_until(&intake->place, is_answered(&clients[i], "OK ()\r\n"));
	}
	for (unsigned i = 0; i < FIT + MORE; i++)
		close(clients[i].fd);
	say(&silent, REQUEST("a"));
	place_run_until(&intake->place, is_answered(&silent, "OK ()\r\n"));
	close(silent.fd);
	free(text);
}

/* What is whole, refused, timed out or gone makes room again. */
static void memory_for_unfinished_requests_is_given_back(void **state)
{
	struct intake *intake = *state;
	intake->answers_at_once = true;
	char *text = large_request(DLIST_REQUEST_MAX);
	size_t rounds = 2 * STREAM_UNFINISHED_MAX / DLIST_REQUEST_MAX;
	for (size_t i = 0; i < rounds; i++) {
		struct client client = client_of(intake);
		say_much(intake, &client, text, DLIST_REQUEST_MAX - 100);
		if (i % 2) {
			say(&client, text + DLIST_REQUEST_MAX - 100);
			place_run_until(&intake->place, is_answered(&client, "OK ()\r\n"));
			close(client.fd);
		} else {
			unsigned before = intake->rejected;
			close(client.fd);
			place_run_until(&intake->place, intake->rejected == before + 1);
			assert_non_null(strstr(intake->last_rejection, "closed after"));
		}
	}
	free(text);
}

static void who_waits_for_an_answer_never_makes_room(void **state)
{
	enum { MAX = 20 };
	struct intake *intake = *state;
	restart_with_connections(intake, MAX);
	struct client waiting[MAX];
	for (unsigned i = 0; i < MAX; i++)
		waiting[i] = client_says(intake, REQUEST("a"));
	place_run_until(&intake->place, intake->came == MAX);
	struct client client = client_says(intake, REQUEST("b"));
	uv_run(&intake->place.loop, UV_RUN_NOWAIT);
	uv_run(&intake->place.loop, UV_RUN_NOWAIT);
	assert_int_equal(intake->came, MAX);
	stream_answer(intake->requests[0], 0, NULL);
	place_run_until(&intake->place, intake->came == MAX + 1);
	for (unsigned i = 1; i <= MAX; i++)
		stream_answer(intake->requests[i], 0, NULL);
	for (unsigned i = 0; i < MAX; i++) {
		assert_true(is_answered(&waiting[i], "OK ()\r\n"));
		close(waiting[i].fd);
	}
	assert_true(is_answered(&client, "OK ()\r\n"));
	assert_int_equal(intake->rejected, 0);
	close(client.fd);
}

static void many_silent_peers_are_one_report(void **state)
{
	enum { CLIENTS = 50 };
	struct intake *intake = *state;
	restart(intake, LONG_MS, 100);
	struct client silent[CLIENTS];
	for (unsigned i = 0; i < CLIENTS; i++)
		silent[i] = client_of(intake);
	for (unsigned i = 0; i < CLIENTS; i++) {
		place_run_until(&intake->place, is_refused(&silent[i]));
		close(silent[i].fd);
	}
	assert_int_equal(intake->rejected, 1);
	assert_non_null(strstr(intake->last_rejection, "50 requests did not come in time"));
}

static void a_socket_in_use_is_refused(void **state)
{
	struct intake *intake = *state;
	struct stream_settings settings = {.path = intake->place.path,
		.mode = 0600,
		.gid = (gid_t)-1,
		.ack_timeout_ms = LONG_MS};
	struct stream *second = NULL;
	struct err err;
	assert_int_equal(stream_new(&intake->place.loop, &settings, &intake->peers, &callbacks,
				 intake, &second, &err),
		-EADDRINUSE);
	assert_null(second);
	intake->answers_at_once = true;
	struct client client = client_says(intake, REQUEST("a"));
	place_run_until(&intake->place, is_answered(&client, "OK ()\r\n"));
	close(client.fd);
}

#define WITH_STREAM(test) cmocka_unit_test_setup_teardown(test, set_up, tear_down)

int main(void)
{
	const struct CMUnitTest tests[] = {
		WITH_STREAM(a_request_is_handed_over_and_acknowledged_only_when_answered),
		WITH_STREAM(a_request_may_be_answered_inside_the_callback),
		WITH_STREAM(a_split_request_may_be_answered_inside_the_callback),
		WITH_STREAM(a_request_may_come_byte_by_byte),
		WITH_STREAM(a_request_of_a_mebibyte_is_accepted),
		WITH_STREAM(a_larger_one_can_be_sent_to_its_end_and_gets_the_reason),
		WITH_STREAM(a_malformed_request_is_refused_reported_and_closed),
		WITH_STREAM(binary_rubbish_is_refused),
		WITH_STREAM(what_follows_a_request_is_ignored),
		WITH_STREAM(a_peer_that_says_nothing_and_goes_is_no_news),
		WITH_STREAM(a_peer_that_goes_amid_its_request_is_reported),
		WITH_STREAM(a_peer_that_does_not_wait_for_the_answer_is_harmless),
		WITH_STREAM(silent_and_slow_peers_are_timed_out_and_hold_up_nobody),
		WITH_STREAM(after_ack_timeout_the_answer_is_no_and_a_later_one_harmless),
		WITH_STREAM(an_answer_in_time_is_not_followed_by_no),
		WITH_STREAM(a_reason_cannot_break_the_answer),
		WITH_STREAM(a_long_reason_is_cut),
		WITH_STREAM(a_stranger_is_refused_and_reported),
		WITH_STREAM(while_paused_nothing_is_accepted_or_read),
		WITH_STREAM(while_paused_no_request_times_out),
		WITH_STREAM(stopped_while_paused_who_waits_is_still_served),
		WITH_STREAM(stopped_without_a_place_who_waits_is_refused),
		WITH_STREAM(who_goes_on_connecting_does_not_keep_it_from_its_end),
		WITH_STREAM(made_again_while_paused_who_waited_is_read_later),
		WITH_STREAM(made_again_while_paused_who_finds_no_place_is_refused),
		WITH_STREAM(freed_who_has_not_sent_a_request_is_refused),
		WITH_STREAM(pausing_inside_the_callback_stops_the_next_one),
		WITH_STREAM(after_listening_stopped_who_waits_is_still_served),
		WITH_STREAM(freeing_closes_all_in_whatever_state),
		WITH_STREAM(many_at_once_are_all_served),
		WITH_STREAM(a_refused_peer_that_stays_is_closed_after_a_while),
		WITH_STREAM(out_of_descriptors_it_accepts_again_later),
		WITH_STREAM(out_of_descriptors_for_long_each_try_is_reported),
		WITH_STREAM(out_of_descriptors_the_longest_silent_makes_room),
		WITH_STREAM(the_longest_silent_make_room_when_connections_are_too_many),
		WITH_STREAM(a_refused_peer_that_stays_makes_room_before_a_silent_one),
		WITH_STREAM(
			beyond_the_memory_for_unfinished_requests_the_longest_sending_is_refused),
		WITH_STREAM(memory_for_unfinished_requests_is_given_back),
		WITH_STREAM(who_waits_for_an_answer_never_makes_room),
		WITH_STREAM(many_silent_peers_are_one_report),
		WITH_STREAM(a_socket_in_use_is_refused),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}

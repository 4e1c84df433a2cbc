/*
 * A loop that was busy for longer than a limit: what came meanwhile came in time.  On a clock that
 * stands still until the test lets time pass.
 */
#include "intake/stream.h"

#include <time.h>

#include "place.h"

#define LIMIT_MS 5000
#define FIRST "NOTIFY %(METHOD m CLASS EVENT MES"
#define REST "SAGE {2+}\r\n{})\r\n"

static int64_t clock_ms = 1000000;

/* Instead of the C library's, for libuv as well. */
int clock_gettime(clockid_t id, struct timespec *ret)
{
	(void)id;
	*ret = (struct timespec){clock_ms / 1000, clock_ms % 1000 * 1000000};
	return 0;
}

static unsigned came, rejected;

static void on_came(
	void *ctx, const struct notification *notification, struct stream_request *request)
{
	(void)ctx;
	(void)notification;
	came++;
	stream_answer(request, 0, NULL);
}

static void on_rejected(
	void *ctx, enum notification_fault fault, const char *kind, const char *text)
{
	(void)fault;
	(void)ctx;
	(void)kind;
	(void)text;
	rejected++;
}

static void on_timed_out(void *ctx, struct stream_request *request)
{
	(void)ctx;
	(void)request;
	fail();
}

static void a_request_that_came_while_the_loop_was_busy_is_in_time(void **state)
{
	static const struct stream_callbacks callbacks = {on_came, on_rejected, on_timed_out};
	struct place place;
	struct peer_rules peers = {0};
	struct stream *stream;
	struct err err;
	(void)state;
	place_init(&place);
	uv_timer_stop(&place.limit);
	peer_allow(&peers, geteuid());
	const struct stream_settings settings = {.path = place.path,
		.mode = 0600,
		.gid = (gid_t)-1,
		.ack_timeout_ms = LIMIT_MS,
		.request_timeout_ms = LIMIT_MS};
	if (stream_new(&place.loop, &settings, &peers, &callbacks, NULL, &stream, &err) < 0)
		fail_msg("%s", err.text);
	int punctual = place_connect(place.path, SOCK_STREAM);
	int silent = place_connect(place.path, SOCK_STREAM);
	send(punctual, FIRST, sizeof(FIRST) - 1, MSG_NOSIGNAL);
	send(silent, FIRST, sizeof(FIRST) - 1, MSG_NOSIGNAL);
	for (unsigned i = 0; i < 10; i++)
		uv_run(&place.loop, UV_RUN_NOWAIT);
	send(punctual, REST, sizeof(REST) - 1, MSG_NOSIGNAL);
	clock_ms += LIMIT_MS;
	for (unsigned i = 0; i < 10; i++)
		uv_run(&place.loop, UV_RUN_NOWAIT);
	assert_int_equal(came, 1);
	assert_int_equal(rejected, 1);
	close(punctual);
	close(silent);
	stream_free(stream);
	place_fini(&place);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_request_that_came_while_the_loop_was_busy_is_in_time),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}

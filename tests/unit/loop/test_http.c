/*
 * Real requests over a real socket.  As it is built, one or the other file of platform/mhdwatch
 * tells when libmicrohttpd is due.
 */
#include "loop/http.h"

#include "base/mem.h"

#include <errno.h>

#include "../intake/place.h"

#define LARGE (4 * 1024 * 1024) /* more than a socket holds */
#define CONNECTIONS 30
#define CONNECTIONS_MAX 4

struct fixture {
	struct place place;
	struct http *http;
	struct http_request *later; /* not answered yet */
	unsigned came;
	unsigned gone;
};

static void answer(struct http_request *request, size_t size)
{
	buf_auto struct buf body;
	buf_init(&body);
	for (size_t i = 0; i < size; i++)
		buf_append(&body, "x", 1);
	http_answer(request, 200, "text/plain", &body);
}

static void on_gone(void *ctx)
{
	struct fixture *f = ctx;
	f->gone++;
}

static void on_came(void *ctx, struct http_request *request)
{
	struct fixture *f = ctx;
	f->came++;
	if (!strcmp(http_path(request), "/later")) {
		f->later = request;
		http_defer(request, on_gone, f);
	} else {
		answer(request, !strcmp(http_path(request), "/large") ? LARGE : 1);
	}
}

static int set_up(void **state)
{
	struct fixture *f = mem_alloc_zero(1, sizeof(*f));
	struct sockaddr_un address = {.sun_family = AF_UNIX};
	struct err err;
	place_init(&f->place);
	strcpy(address.sun_path, f->place.path);
	int listener = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	assert_int_equal(bind(listener, (struct sockaddr *)&address, sizeof(address)), 0);
	const struct http_settings settings = {.listener = listener,
		.connections_max = CONNECTIONS_MAX,
		.body_max = LARGE,
		.request_ms = PLACE_LIMIT_MS,
		.came = on_came,
		.ctx = f};
	if (http_new(&f->place.loop, &settings, &f->http, &err))
		fail_msg("%s", err.text);
	*state = f;
	return 0;
}

static int tear_down(void **state)
{
	struct fixture *f = *state;
	http_free(f->http);
	place_fini(&f->place);
	free(f);
	return 0;
}

static void say(int fd, const char *text)
{
	assert_int_equal(send(fd, text, strlen(text), MSG_NOSIGNAL), strlen(text));
}

static int ask(struct fixture *f, const char *request)
{
	int fd = place_connect(f->place.path, SOCK_STREAM);
	say(fd, request);
	return fd;
}

/* Takes what is there of the answer; has it ended? */
static bool has_ended(int fd, size_t *size)
{
	static char bytes[65536];
	ssize_t got = recv(fd, bytes, sizeof(bytes), MSG_DONTWAIT);
	if (got > 0 && !*size)
		assert_memory_equal(bytes, "HTTP/1.1 200 OK\r\n", 17);
	if (got > 0)
		*size += (size_t)got;
	else
		assert_true(got == 0 || errno == EAGAIN);
	return got == 0;
}

/* Returns how long the answer was; the connection ends with it. */
static size_t read_answer(struct fixture *f, int fd)
{
	size_t size = 0;
	place_spin_until(&f->place, has_ended(fd, &size));
	close(fd);
	return size;
}

static void a_request_is_answered_at_once(void **state)
{
	struct fixture *f = *state;
	int fd = ask(f, "GET /once HTTP/1.1\r\nHost: h\r\n\r\n");
	assert_int_in_range(read_answer(f, fd), 100, 1000);
	assert_int_equal(f->came, 1);
}

static void a_request_that_comes_in_parts_is_answered(void **state)
{
	struct fixture *f = *state;
	int fd = ask(f, "POST /parts HTTP/1.1\r\nHost: h\r\nConte");
	for (unsigned i = 0; i < 10; i++)
		uv_run(&f->place.loop, UV_RUN_NOWAIT);
	say(fd, "nt-Length: 4\r\n\r\nab");
	for (unsigned i = 0; i < 10; i++)
		uv_run(&f->place.loop, UV_RUN_NOWAIT);
	assert_int_equal(f->came, 0);
	say(fd, "cd");
	read_answer(f, fd);
	assert_int_equal(f->came, 1);
}

static void a_request_is_answered_later(void **state)
{
	struct fixture *f = *state;
	int fd = ask(f, "GET /later HTTP/1.1\r\nHost: h\r\n\r\n");
	place_run_until(&f->place, f->later);
	answer(f->later, 1);
	assert_int_in_range(read_answer(f, fd), 100, 1000);
}

static void an_answer_that_the_socket_does_not_hold_arrives_whole(void **state)
{
	struct fixture *f = *state;
	int fd = ask(f, "GET /large HTTP/1.1\r\nHost: h\r\n\r\n");
	assert_int_in_range(read_answer(f, fd), LARGE + 100, LARGE + 1000);
}

/* The numbers of their descriptors come again. */
static void connections_come_one_after_the_other(void **state)
{
	struct fixture *f = *state;
	for (unsigned i = 0; i < CONNECTIONS; i++)
		read_answer(f, ask(f, "GET /once HTTP/1.1\r\nHost: h\r\n\r\n"));
	assert_int_equal(f->came, CONNECTIONS);
}

static int ask_for_later(struct fixture *f)
{
	unsigned before = f->came;
	int fd = ask(f, "GET /later HTTP/1.1\r\nHost: h\r\n\r\n");
	place_run_until(&f->place, f->came > before);
	return fd;
}

static void clients_that_hung_up_while_they_waited_take_no_place(void **state)
{
	struct fixture *f = *state;
	for (unsigned i = 0; i < CONNECTIONS; i++)
		close(ask_for_later(f));
	assert_int_in_range(
		read_answer(f, ask(f, "GET /once HTTP/1.1\r\nHost: h\r\n\r\n")), 100, 1000);
	assert_true(f->gone >= CONNECTIONS - CONNECTIONS_MAX);
}

/* All are accepted in one turn, before the places of those that hung up are given back. */
static void several_that_come_at_once_find_the_places_of_those_that_hung_up(void **state)
{
	struct fixture *f = *state;
	int fds[CONNECTIONS_MAX / 2];
	size_t count = sizeof(fds) / sizeof(fds[0]);
	for (unsigned i = 0; i < CONNECTIONS_MAX; i++)
		close(ask_for_later(f));
	for (size_t i = 0; i < count; i++)
		fds[i] = ask(f, "GET /once HTTP/1.1\r\nHost: h\r\n\r\n");
	for (size_t i = 0; i < count; i++)
		assert_int_in_range(read_answer(f, fds[i]), 100, 1000);
}

static void who_still_waits_keeps_its_place_beside_those_that_hung_up(void **state)
{
	struct fixture *f = *state;
	int fd = ask_for_later(f);
	struct http_request *waiting = f->later;
	for (unsigned i = 0; i < CONNECTIONS; i++)
		close(ask_for_later(f));
	answer(waiting, 1);
	assert_int_in_range(read_answer(f, fd), 100, 1000);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(a_request_is_answered_at_once, set_up, tear_down),
		cmocka_unit_test_setup_teardown(
			a_request_that_comes_in_parts_is_answered, set_up, tear_down),
		cmocka_unit_test_setup_teardown(a_request_is_answered_later, set_up, tear_down),
		cmocka_unit_test_setup_teardown(
			an_answer_that_the_socket_does_not_hold_arrives_whole, set_up, tear_down),
		cmocka_unit_test_setup_teardown(
			connections_come_one_after_the_other, set_up, tear_down),
		cmocka_unit_test_setup_teardown(
			clients_that_hung_up_while_they_waited_take_no_place, set_up, tear_down),
		cmocka_unit_test_setup_teardown(
			several_that_come_at_once_find_the_places_of_those_that_hung_up, set_up,
			tear_down),
		cmocka_unit_test_setup_teardown(
			who_still_waits_keeps_its_place_beside_those_that_hung_up, set_up,
			tear_down),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}

#include "intake/forward_client.h"

#include "place.h"

#include "base/mem.h"

#include <errno.h>
#include <poll.h>

#define HELLO "hello\r\n"
#define LONG_MS 3600000
#define LARGE (1024 * 1024)

struct push_target {
	struct place place;
	struct forward_client *handoff;
	int fd;
	unsigned done;
	enum forward_client_result result;
	char why[ERR_TEXT_MAX];
};

static void on_done(void *ctx, enum forward_client_result result, const char *why)
{
	struct push_target *target = ctx;
	target->done++;
	target->result = result;
	snprintf(target->why, sizeof(target->why), "%s", why ? why : "");
}

static int listen_at(const char *path, int type)
{
	struct sockaddr_un address = {.sun_family = AF_UNIX};
	snprintf(address.sun_path, sizeof(address.sun_path), "%s", path);
	int fd = socket(AF_UNIX, type | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	assert_true(fd >= 0);
	assert_int_equal(bind(fd, (struct sockaddr *)&address, sizeof(address)), 0);
	if (type == SOCK_STREAM)
		assert_int_equal(listen(fd, 10), 0);
	return fd;
}

/* Times are an hour, so that nothing is late unless the test is about that. */
static void start(struct push_target *target, bool is_dlist, int64_t limit_ms)
{
	const struct forward_client_settings settings = {.path = target->place.path,
		.is_dlist = is_dlist,
		.room_ms = limit_ms,
		.answer_ms = limit_ms};
	target->handoff = forward_client_new(&target->place.loop, &settings, on_done, target);
}

static int set_up(void **state)
{
	struct push_target *target = calloc(1, sizeof(*target));
	place_init(&target->place);
	target->fd = -1;
	*state = target;
	return 0;
}

static int tear_down(void **state)
{
	struct push_target *target = *state;
	forward_client_free(target->handoff);
	if (target->fd >= 0)
		close(target->fd);
	place_fini(&target->place);
	free(target);
	return 0;
}

static enum forward_client_result send_text(struct push_target *target, const char *text)
{
	struct err err = {0};
	enum forward_client_result result =
		forward_client_send(target->handoff, text, strlen(text), &err);
	snprintf(target->why, sizeof(target->why), "%s", err.text);
	return result;
}

static void assert_done(struct push_target *target, enum forward_client_result result)
{
	unsigned before = target->done;
	place_spin_until(&target->place, target->done == before + 1);
	assert_int_equal(target->result, result);
}

static void assert_came(int fd, const char *wanted)
{
	char came[256];
	ssize_t n = recv(fd, came, sizeof(came), 0);
	assert_int_equal(n, strlen(wanted));
	assert_memory_equal(came, wanted, strlen(wanted));
}

/* Sends until the target's queue is full; returns how many it took. */
static unsigned fill(struct push_target *target)
{
	unsigned taken = 0;
	while (send_text(target, HELLO) == FORWARD_CLIENT_TAKEN)
		taken++;
	return taken;
}

/* ---- datagrams ---- */

static void a_datagram_is_given_as_it_is(void **state)
{
	struct push_target *target = *state;
	target->fd = listen_at(target->place.path, SOCK_DGRAM);
	start(target, false, LONG_MS);
	assert_int_equal(send_text(target, HELLO), FORWARD_CLIENT_TAKEN);
	assert_int_equal(send_text(target, "a"), FORWARD_CLIENT_TAKEN);
	assert_came(target->fd, HELLO);
	assert_came(target->fd, "a");
}

static void without_a_socket_the_target_is_away(void **state)
{
	struct push_target *target = *state;
	start(target, false, LONG_MS);
	assert_int_equal(send_text(target, HELLO), FORWARD_CLIENT_AWAY);
	assert_string_equal(target->why, strerror(ENOENT));
	target->fd = listen_at(target->place.path, SOCK_DGRAM);
	assert_int_equal(send_text(target, HELLO), FORWARD_CLIENT_TAKEN);
	assert_came(target->fd, HELLO);
}

static void a_target_that_was_replaced_is_found_again(void **state)
{
	struct push_target *target = *state;
	target->fd = listen_at(target->place.path, SOCK_DGRAM);
	start(target, false, LONG_MS);
	assert_int_equal(send_text(target, HELLO), FORWARD_CLIENT_TAKEN);
	close(target->fd);
	assert_int_equal(send_text(target, HELLO), FORWARD_CLIENT_AWAY);
	assert_string_equal(target->why, strerror(ECONNREFUSED));
	unlink(target->place.path);
	target->fd = listen_at(target->place.path, SOCK_DGRAM);
	assert_int_equal(send_text(target, HELLO), FORWARD_CLIENT_TAKEN);
	close(target->fd);
	unlink(target->place.path);
	target->fd = listen_at(target->place.path, SOCK_DGRAM);
	assert_int_equal(send_text(target, "new"), FORWARD_CLIENT_TAKEN);
	assert_came(target->fd, "new");
}

static void a_full_target_gets_the_rest_when_it_reads(void **state)
{
	struct push_target *target = *state;
	target->fd = listen_at(target->place.path, SOCK_DGRAM);
	start(target, false, LONG_MS);
	unsigned taken = fill(target);
	assert_true(taken > 0);
	uv_run(&target->place.loop, UV_RUN_NOWAIT);
	assert_int_equal(target->done, 0);
	for (unsigned i = 0; i < taken; i++)
		assert_came(target->fd, HELLO);
	assert_done(target, FORWARD_CLIENT_TAKEN);
	assert_came(target->fd, HELLO);
}

static void a_target_that_never_reads_is_away(void **state)
{
	struct push_target *target = *state;
	target->fd = listen_at(target->place.path, SOCK_DGRAM);
	start(target, false, 20);
	fill(target);
	assert_done(target, FORWARD_CLIENT_AWAY);
	assert_string_equal(target->why, "it does not read");
}

static void a_target_that_dies_unread_is_away(void **state)
{
	struct push_target *target = *state;
	target->fd = listen_at(target->place.path, SOCK_DGRAM);
	start(target, false, LONG_MS);
	fill(target);
	close(target->fd);
	target->fd = -1;
	assert_done(target, FORWARD_CLIENT_AWAY);
	assert_string_equal(target->why, strerror(ECONNREFUSED));
}

static void what_is_too_large_for_a_datagram_is_refused(void **state)
{
	struct push_target *target = *state;
	target->fd = listen_at(target->place.path, SOCK_DGRAM);
	start(target, false, LONG_MS);
	mem_auto char *large = mem_alloc(LARGE + 1);
	memset(large, 'x', LARGE);
	large[LARGE] = '\0';
	assert_int_equal(send_text(target, large), FORWARD_CLIENT_REFUSED);
	assert_non_null(strstr(target->why, "1048576 bytes are more"));
	assert_int_equal(send_text(target, HELLO), FORWARD_CLIENT_TAKEN);
}

static void the_other_kind_of_socket_is_hinted_at(void **state)
{
	struct push_target *target = *state;
	target->fd = listen_at(target->place.path, SOCK_STREAM);
	start(target, false, LONG_MS);
	assert_int_equal(send_text(target, HELLO), FORWARD_CLIENT_AWAY);
	assert_non_null(strstr(target->why, "write dlist: before its path"));
}

/* ---- dlist ---- */

static int accept_one(struct push_target *target)
{
	int fd = -1;
	place_spin_until(&target->place, (fd = accept(target->fd, NULL, NULL)) >= 0);
	return fd;
}

/* Accepts a request, reads it and answers. */
static void answer(struct push_target *target, const char *text)
{
	int fd = accept_one(target);
	struct pollfd readable = {.fd = fd, .events = POLLIN};
	place_spin_until(&target->place, poll(&readable, 1, 0) == 1);
	assert_came(fd, HELLO);
	assert_int_equal(send(fd, text, strlen(text), MSG_NOSIGNAL), strlen(text));
	close(fd);
}

static void start_dlist(struct push_target *target, int64_t limit_ms)
{
	target->fd = listen_at(target->place.path, SOCK_STREAM);
	start(target, true, limit_ms);
	assert_int_equal(send_text(target, HELLO), FORWARD_CLIENT_PENDING);
}

static void a_request_that_is_answered_ok_is_taken(void **state)
{
	static const char *const answers[] = {"OK ()\r\n", "OK\n", "OK NIL\r\nmore"};
	struct push_target *target = *state;
	start_dlist(target, LONG_MS);
	for (size_t i = 0; i < 3; i++) {
		if (i)
			assert_int_equal(send_text(target, HELLO), FORWARD_CLIENT_PENDING);
		answer(target, answers[i]);
		assert_done(target, FORWARD_CLIENT_TAKEN);
	}
}

static void a_request_that_is_answered_otherwise_is_refused(void **state)
{
	static const char *const answers[][2] = {
		{"NO \"full\"\r\n", "it was answered 'NO \"full\"'"},
		{"OKAY\r\n", "it was answered 'OKAY'"}, {"\n", "it was answered ''"},
		{"\x1b[2J\xff\n", "it was answered '?[2J?'"}};
	struct push_target *target = *state;
	start_dlist(target, LONG_MS);
	for (size_t i = 0; i < 4; i++) {
		if (i)
			assert_int_equal(send_text(target, HELLO), FORWARD_CLIENT_PENDING);
		answer(target, answers[i][0]);
		assert_done(target, FORWARD_CLIENT_REFUSED);
		assert_string_equal(target->why, answers[i][1]);
	}
}

static void an_endless_answer_is_none(void **state)
{
	struct push_target *target = *state;
	char text[400];
	memset(text, 'O', sizeof(text) - 1);
	text[sizeof(text) - 1] = '\0';
	start_dlist(target, LONG_MS);
	answer(target, text);
	assert_done(target, FORWARD_CLIENT_REFUSED);
	assert_true(strlen(target->why) < 120);
}

static void a_request_that_is_closed_unanswered_is_not_sent_again(void **state)
{
	struct push_target *target = *state;
	start_dlist(target, LONG_MS);
	answer(target, "O");
	assert_done(target, FORWARD_CLIENT_UNANSWERED);
}

static void a_target_that_does_not_answer_is_not_waited_for(void **state)
{
	struct push_target *target = *state;
	start_dlist(target, 20);
	assert_done(target, FORWARD_CLIENT_UNANSWERED);
	assert_string_equal(target->why, "it does not answer");
}

static void nobody_listens(void **state)
{
	struct push_target *target = *state;
	start(target, true, LONG_MS);
	assert_int_equal(send_text(target, HELLO), FORWARD_CLIENT_PENDING);
	assert_done(target, FORWARD_CLIENT_AWAY);
	assert_string_equal(target->why, strerror(ENOENT));
}

static void a_datagram_socket_is_hinted_at(void **state)
{
	struct push_target *target = *state;
	target->fd = listen_at(target->place.path, SOCK_DGRAM);
	start(target, true, LONG_MS);
	assert_int_equal(send_text(target, HELLO), FORWARD_CLIENT_PENDING);
	assert_done(target, FORWARD_CLIENT_AWAY);
	assert_non_null(strstr(target->why, "leave out dlist:"));
}

static void a_large_request_is_sent_as_it_is_read(void **state)
{
	struct push_target *target = *state;
	target->fd = listen_at(target->place.path, SOCK_STREAM);
	start(target, true, LONG_MS);
	mem_auto char *large = mem_alloc(LARGE);
	memset(large, 'x', LARGE);
	large[LARGE - 1] = '\n';
	struct err err;
	assert_int_equal(
		forward_client_send(target->handoff, large, LARGE, &err), FORWARD_CLIENT_PENDING);
	int fd = accept_one(target);
	mem_auto char *came = mem_alloc(LARGE);
	for (size_t size = 0; size < LARGE;) {
		ssize_t n = recv(fd, came + size, LARGE - size, MSG_DONTWAIT);
		if (n > 0)
			size += (size_t)n;
		uv_run(&target->place.loop, UV_RUN_NOWAIT);
	}
	assert_memory_equal(came, large, LARGE);
	assert_int_equal(send(fd, "OK ()\r\n", 7, 0), 7);
	assert_done(target, FORWARD_CLIENT_TAKEN);
	close(fd);
}

static void a_large_request_that_is_never_read_is_not_taken(void **state)
{
	struct push_target *target = *state;
	target->fd = listen_at(target->place.path, SOCK_STREAM);
	start(target, true, 20);
	mem_auto char *large = mem_alloc_zero(LARGE, 1);
	struct err err;
	assert_int_equal(
		forward_client_send(target->handoff, large, LARGE, &err), FORWARD_CLIENT_PENDING);
	assert_done(target, FORWARD_CLIENT_AWAY);
}

static void what_is_pending_can_be_given_up(void **state)
{
	struct push_target *target = *state;
	start_dlist(target, LONG_MS);
	close(accept_one(target));
	forward_client_free(mem_steal(target->handoff));
	uv_run(&target->place.loop, UV_RUN_NOWAIT);
	assert_int_equal(target->done, 0);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(a_datagram_is_given_as_it_is),
		TEST(without_a_socket_the_target_is_away),
		TEST(a_target_that_was_replaced_is_found_again),
		TEST(a_full_target_gets_the_rest_when_it_reads),
		TEST(a_target_that_never_reads_is_away),
		TEST(a_target_that_dies_unread_is_away),
		TEST(what_is_too_large_for_a_datagram_is_refused),
		TEST(the_other_kind_of_socket_is_hinted_at),
		TEST(a_request_that_is_answered_ok_is_taken),
		TEST(a_request_that_is_answered_otherwise_is_refused),
		TEST(an_endless_answer_is_none),
		TEST(a_request_that_is_closed_unanswered_is_not_sent_again),
		TEST(a_target_that_does_not_answer_is_not_waited_for),
		TEST(nobody_listens),
		TEST(a_datagram_socket_is_hinted_at),
		TEST(a_large_request_is_sent_as_it_is_read),
		TEST(a_large_request_that_is_never_read_is_not_taken),
		TEST(what_is_pending_can_be_given_up),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}

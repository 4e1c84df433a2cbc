#include "daemon/systemd.h"

#include <errno.h>
#include <stdbool.h>

#include "../intake/place.h"

/* A supervisor that hears what is said: one datagram a call. */
struct world {
	struct place place;
	struct systemd *supervisor;
	int fd;
	char heard[1024];
	unsigned pings;
	const char *status;
};

static void on_status_wanted(void *ctx, char *text, size_t size)
{
	struct world *world = ctx;
	snprintf(text, size, "%s", world->status);
}

static void listen_at(struct world *world, const struct sockaddr_un *address, socklen_t size)
{
	world->fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	assert_int_equal(bind(world->fd, (const struct sockaddr *)address, size), 0);
}

static int set_up(void **state)
{
	struct world *world = calloc(1, sizeof(*world));
	place_init(&world->place);
	world->status = "well";
	struct sockaddr_un address = {.sun_family = AF_UNIX};
	strcpy(address.sun_path, world->place.path);
	listen_at(world, &address, sizeof(address));
	setenv("NOTIFY_SOCKET", world->place.path, 1);
	unsetenv("WATCHDOG_USEC");
	unsetenv("WATCHDOG_PID");
	*state = world;
	return 0;
}

static int tear_down(void **state)
{
	struct world *world = *state;
	systemd_free(world->supervisor);
	close(world->fd);
	place_fini(&world->place);
	free(world);
	return 0;
}

static int start(struct world *world, struct err *err)
{
	return systemd_new(&world->place.loop, on_status_wanted, world, &world->supervisor, err);
}

static void start_well(struct world *world)
{
	struct err err;
	if (start(world, &err))
		fail_msg("%s", err.text);
	assert_non_null(world->supervisor);
}

/* What was said since the last time, without the pings; "" is nothing. */
static const char *hear(struct world *world)
{
	for (;;) {
		ssize_t n = recv(world->fd, world->heard, sizeof(world->heard) - 1, MSG_DONTWAIT);
		world->heard[n < 0 ? 0 : n] = '\0';
		if (strcmp(world->heard, "WATCHDOG=1\n") != 0)
			return world->heard;
		world->pings++;
	}
}

static void nothing_is_said_before_the_start_is_over(void **state)
{
	struct world *world = *state;
	start_well(world);
	assert_string_equal(hear(world), "");
	systemd_ready(world->supervisor);
	assert_string_equal(hear(world), "READY=1\nSTATUS=well\n");
}

static void a_name_in_the_abstract_space_is_a_socket_too(void **state)
{
	struct world *world = *state;
	close(world->fd);
	struct sockaddr_un address = {.sun_family = AF_UNIX};
	int length = snprintf(
		address.sun_path, sizeof(address.sun_path), "@mailpush-test-%d", (int)getpid());
	setenv("NOTIFY_SOCKET", address.sun_path, 1);
	address.sun_path[0] = '\0';
	listen_at(world, &address,
		(socklen_t)(offsetof(struct sockaddr_un, sun_path) + (size_t)length));
	start_well(world);
	systemd_ready(world->supervisor);
	assert_string_equal(hear(world), "READY=1\nSTATUS=well\n");
}

static void a_reload_has_a_begin_with_its_time_and_an_end(void **state)
{
	struct world *world = *state;
	start_well(world);
	systemd_ready(world->supervisor);
	hear(world);
	unsigned long long before = uv_hrtime() / 1000;
	systemd_reloading(world->supervisor);
	unsigned long long at = 0;
	assert_int_equal(
		sscanf(hear(world), "RELOADING=1\nMONOTONIC_USEC=%llu\nSTATUS=reloading\n", &at),
		1);
	assert_true(before <= at && at <= uv_hrtime() / 1000);
	systemd_ready(world->supervisor);
	assert_string_equal(hear(world), "READY=1\nSTATUS=well\n");
}

static void the_stop_is_said(void **state)
{
	struct world *world = *state;
	start_well(world);
	systemd_ready(world->supervisor);
	hear(world);
	systemd_stopping(world->supervisor);
	assert_string_equal(hear(world), "STOPPING=1\nSTATUS=stopping\n");
}

static void the_watchdog_is_fed_while_the_loop_turns_and_only_then(void **state)
{
	struct world *world = *state;
	setenv("WATCHDOG_USEC", "20000", 1);
	start_well(world);
	place_run_until(&world->place, (hear(world), world->pings >= 3));
	/* A loop that hangs for several times as long as the watchdog waits. */
	hear(world);
	unsigned before = world->pings;
	uint64_t until = uv_hrtime() + 100 * 1000000;
	while (uv_hrtime() < until)
		;
	hear(world);
	assert_int_equal(world->pings, before);
	place_run_until(&world->place, (hear(world), world->pings > before));
}

static void the_status_is_said_again_when_it_is_another(void **state)
{
	struct world *world = *state;
	setenv("WATCHDOG_USEC", "20000", 1);
	start_well(world);
	systemd_ready(world->supervisor);
	hear(world);
	place_run_until(&world->place, (*hear(world) || world->pings >= 3));
	assert_string_equal(world->heard, "");
	world->status = "so so";
	place_run_until(&world->place, *hear(world));
	assert_string_equal(world->heard, "STATUS=so so\n");
}

/* A single sender may run out of its own buffer before the receiver's queue is full. */
static void fill(struct world *world)
{
	int sent;
	do {
		int fd = place_connect(world->place.path, SOCK_DGRAM);
		for (sent = 0; send(fd, "full", 4, MSG_DONTWAIT) == 4; sent++)
			;
		assert_int_equal(errno, EAGAIN);
		close(fd);
	} while (sent > 0);
}

static void that_it_is_ready_is_said_again_until_it_could_be(void **state)
{
	struct world *world = *state;
	setenv("WATCHDOG_USEC", "20000", 1);
	start_well(world);
	fill(world);
	systemd_ready(world->supervisor);
	do
		hear(world);
	while (!strcmp(world->heard, "full"));
	assert_string_equal(world->heard, "");
	place_run_until(&world->place, *hear(world));
	assert_string_equal(world->heard, "READY=1\nSTATUS=well\n");
}

static void without_a_supervisor_nothing_happens(void **state)
{
	struct world *world = *state;
	unsetenv("NOTIFY_SOCKET");
	setenv("WATCHDOG_USEC", "20000", 1);
	struct err err;
	assert_int_equal(start(world, &err), 0);
	assert_null(world->supervisor);
	systemd_ready(world->supervisor);
	systemd_reloading(world->supervisor);
	systemd_stopping(world->supervisor);
	assert_string_equal(hear(world), "");
}

static void a_watchdog_for_another_process_is_ignored(void **state)
{
	struct world *world = *state;
	setenv("WATCHDOG_USEC", "1000", 1); /* would be refused */
	setenv("WATCHDOG_PID", "1", 1);
	start_well(world);
}

static void no_program_that_we_run_can_speak_for_us(void **state)
{
	struct world *world = *state;
	setenv("WATCHDOG_USEC", "20000", 1);
	setenv("WATCHDOG_PID", "1", 1);
	start_well(world);
	assert_null(getenv("NOTIFY_SOCKET"));
	assert_null(getenv("WATCHDOG_USEC"));
	assert_null(getenv("WATCHDOG_PID"));
}

static void what_makes_no_sense_is_named(void **state)
{
	struct world *world = *state;
	static const char *const sockets[] = {"notify", "@", "/", "vsock:2:1234",
		"/a/path/that/is/longer/than/the/hundred/and/seven/bytes/that/a/unix/socket/can/"
		"have/in/"
		"its/name/as/we/all/know"};
	struct err err;
	for (size_t i = 0; i < sizeof(sockets) / sizeof(sockets[0]); i++) {
		setenv("NOTIFY_SOCKET", sockets[i], 1);
		assert_int_equal(start(world, &err), -EINVAL);
		assert_non_null(strstr(err.text, "NOTIFY_SOCKET"));
		assert_non_null(strstr(err.text, sockets[i]));
	}
	static const char *const times[] = {"soon", "-1", "0", "1999"};
	for (size_t i = 0; i < sizeof(times) / sizeof(times[0]); i++) {
		setenv("NOTIFY_SOCKET", world->place.path, 1);
		setenv("WATCHDOG_USEC", times[i], 1);
		assert_int_equal(start(world, &err), -EINVAL);
		assert_non_null(strstr(err.text, "WATCHDOG_USEC"));
	}
	assert_null(world->supervisor);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(nothing_is_said_before_the_start_is_over),
		TEST(a_name_in_the_abstract_space_is_a_socket_too),
		TEST(a_reload_has_a_begin_with_its_time_and_an_end),
		TEST(the_stop_is_said),
		TEST(the_watchdog_is_fed_while_the_loop_turns_and_only_then),
		TEST(the_status_is_said_again_when_it_is_another),
		TEST(that_it_is_ready_is_said_again_until_it_could_be),
		TEST(without_a_supervisor_nothing_happens),
		TEST(a_watchdog_for_another_process_is_ignored),
		TEST(no_program_that_we_run_can_speak_for_us),
		TEST(what_makes_no_sense_is_named),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}

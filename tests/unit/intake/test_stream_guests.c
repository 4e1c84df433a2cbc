/* The stream that is open to every local user; as root alone, who can be any user. */
#include "intake/dlist.h"
#include "intake/stream.h"

#include "place.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <sys/stat.h>

#define REQUEST "NOTIFY %(CLASS DOVECOT MESSAGE a)\r\n"
#define BEGINNING "NOTIFY %(CLASS DOVECOT MESSAGE {1048000+}\r\n"
#define LONG_MS 3600000
#define GUEST 12345
#define OTHER_GUEST 12346
#define CONNECTIONS 40 /* of the stream */
#define CLIENTS_MAX 200

struct world {
	struct place place;
	struct peer_rules peers;
	struct stream *stream;
	bool answers_at_once;
	unsigned came;
	unsigned rejected;
	unsigned timed_out;
	uid_t sender; /* of the last one */
	struct stream_request *requests[CLIENTS_MAX];
	int clients[CLIENTS_MAX];
	unsigned client_count;
};

static void on_came(
	void *ctx, const struct notification *notification, struct stream_request *request)
{
	struct world *world = ctx;
	world->sender = notification->sender;
	if (world->answers_at_once)
		stream_answer(request, 0, "the topic");
	else
		world->requests[world->came] = request;
	world->came++;
}

static void on_rejected(
	void *ctx, enum notification_fault fault, const char *kind, const char *text)
{
	(void)fault;
	struct world *world = ctx;
	assert_true(*kind && *text);
	world->rejected++;
}

static void on_timed_out(void *ctx, struct stream_request *request)
{
	struct world *world = ctx;
	assert_non_null(request);
	world->timed_out++;
}

static void start_with(struct world *world, unsigned connections, int64_t ack_timeout_ms)
{
	static const struct stream_callbacks callbacks = {on_came, on_rejected, on_timed_out};
	struct stream_settings settings = {.path = world->place.path,
		.mode = 0666,
		.gid = (gid_t)-1,
		.has_guests = true,
		.ack_timeout_ms = ack_timeout_ms,
		.request_timeout_ms = LONG_MS};
	struct rlimit now;
	struct err err;
	assert_int_equal(getrlimit(RLIMIT_NOFILE, &now), 0);
	struct rlimit few = {.rlim_cur = 4 * connections, .rlim_max = now.rlim_max};
	assert_int_equal(setrlimit(RLIMIT_NOFILE, &few), 0);
	assert_int_equal(stream_new(&world->place.loop, &settings, &world->peers, &callbacks, world,
				 &world->stream, &err),
		0);
	assert_int_equal(setrlimit(RLIMIT_NOFILE, &now), 0);
}

static void start(struct world *world, int64_t ack_timeout_ms)
{
	start_with(world, CONNECTIONS, ack_timeout_ms);
}

static int set_up(void **state)
{
	struct world *world = calloc(1, sizeof(*world));
	place_init(&world->place);
	assert_int_equal(chmod(world->place.folder, 0755), 0);
	peer_allow(&world->peers, geteuid());
	*state = world;
	return 0;
}

static int tear_down(void **state)
{
	struct world *world = *state;
	for (unsigned i = 0; i < world->client_count; i++)
		close(world->clients[i]);
	stream_free(world->stream);
	place_fini(&world->place);
	free(world);
	return 0;
}

/* The kernel notes who connects. */
static int client_of(struct world *world, uid_t uid, const char *text)
{
	assert_int_equal(seteuid(uid), 0);
	int fd = place_connect(world->place.path, SOCK_STREAM);
	assert_int_equal(seteuid(0), 0);
	world->clients[world->client_count++] = fd;
	assert_int_equal(send(fd, text, strlen(text), MSG_NOSIGNAL), strlen(text));
	return fd;
}

static void say_much(struct world *world, int fd, size_t size)
{
	static const char filler[65536];
	assert_int_equal(fcntl(fd, F_SETFL, O_NONBLOCK), 0);
	while (size) {
		ssize_t n = send(
			fd, filler, size < sizeof(filler) ? size : sizeof(filler), MSG_NOSIGNAL);
		if (n > 0)
			size -= (size_t)n;
		else
			assert_int_equal(errno, EAGAIN);
		uv_run(&world->place.loop, UV_RUN_NOWAIT);
	}
}

static void take_turns(struct world *world)
{
	for (unsigned i = 0; i < 20; i++)
		uv_run(&world->place.loop, UV_RUN_NOWAIT);
}

static bool begins_with(int fd, const char *wanted)
{
	char answer[300] = "";
	ssize_t n = recv(fd, answer, sizeof(answer) - 1, MSG_PEEK | MSG_DONTWAIT);
	return n > 0 && strncmp(answer, wanted, strlen(wanted)) == 0;
}

static void the_notification_says_who_sends(void **state)
{
	struct world *world = *state;
	start(world, LONG_MS);
	world->answers_at_once = true;
	int guest = client_of(world, GUEST, REQUEST);
	place_run_until(&world->place, world->came == 1);
	assert_int_equal(world->sender, GUEST);
	assert_true(begins_with(guest, "OK \"the topic\"\r\n"));
	client_of(world, 0, REQUEST);
	place_run_until(&world->place, world->came == 2);
	assert_int_equal(world->sender, 0);
}

static void guests_take_half_of_the_places_at_most(void **state)
{
	enum { GUESTS = CONNECTIONS / 2 };
	struct world *world = *state;
	start(world, LONG_MS);
	for (unsigned i = 0; i < GUESTS; i++)
		client_of(world, i % 2 ? GUEST : OTHER_GUEST, REQUEST);
	place_run_until(&world->place, world->came == GUESTS);
	int more = client_of(world, GUEST, REQUEST);
	place_run_until(&world->place, world->rejected == 1);
	assert_true(begins_with(more, "NO \"too many connections\""));
	client_of(world, 0, REQUEST);
	place_run_until(&world->place, world->came == GUESTS + 1);
	/* One that is answered makes room. */
	stream_answer(world->requests[0], 0, NULL);
	client_of(world, GUEST, REQUEST);
	place_run_until(&world->place, world->came == GUESTS + 2);
	for (unsigned i = 1; i < GUESTS + 2; i++)
		stream_answer(world->requests[i], 0, NULL);
}

static void a_request_that_was_given_up_counts_until_it_is_answered(void **state)
{
	enum { GUESTS = CONNECTIONS / 2 };
	struct world *world = *state;
	start(world, 50);
	for (unsigned i = 0; i < GUESTS; i++)
		client_of(world, GUEST, REQUEST);
	place_run_until(&world->place, world->timed_out == GUESTS);
	client_of(world, GUEST, REQUEST);
	place_run_until(&world->place, world->rejected == 1);
	for (unsigned i = 0; i < GUESTS; i++)
		stream_answer(world->requests[i], 0, NULL);
	world->answers_at_once = true;
	client_of(world, GUEST, REQUEST);
	place_run_until(&world->place, world->came == GUESTS + 1);
}

static void silent_guests_make_room_for_others_first(void **state)
{
	enum { GUESTS = CONNECTIONS / 2, OWN = CONNECTIONS - GUESTS };
	struct world *world = *state;
	start(world, LONG_MS);
	world->answers_at_once = true;
	int own[OWN];
	for (unsigned i = 0; i < OWN; i++)
		own[i] = client_of(world, 0, "NOTIFY");
	int guests[GUESTS];
	for (unsigned i = 0; i < GUESTS; i++)
		guests[i] = client_of(world, GUEST, "NOTIFY");
	take_turns(world);
	assert_int_equal(world->rejected, 0);
	client_of(world, 0, REQUEST);
	place_run_until(&world->place, world->came == 1);
	assert_int_equal(world->rejected, 1);
	assert_true(begins_with(guests[0], "NO \"too many connections"));
	for (unsigned i = 0; i < OWN; i++)
		assert_false(begins_with(own[i], "NO"));
}

static void guests_are_refused_first_when_memory_runs_out(void **state)
{
	enum { SIZE = 1047000, GUESTS = 40, OWN = STREAM_UNFINISHED_MAX / DLIST_REQUEST_MAX };
	struct world *world = *state;
	start_with(world, 200, LONG_MS);
	int own[OWN];
	for (unsigned i = 0; i < OWN - GUESTS; i++) {
		own[i] = client_of(world, 0, BEGINNING);
		say_much(world, own[i], SIZE);
	}
	int guests[GUESTS];
	for (unsigned i = 0; i < GUESTS; i++) {
		guests[i] = client_of(world, GUEST, BEGINNING);
		say_much(world, guests[i], SIZE);
	}
	for (unsigned i = OWN - GUESTS; i < OWN; i++) {
		own[i] = client_of(world, 0, BEGINNING);
		say_much(world, own[i], SIZE);
	}
	take_turns(world);
	assert_true(world->rejected > 0);
	assert_true(begins_with(guests[0], "NO \"unfinished requests"));
	for (unsigned i = 0; i < OWN; i++)
		assert_false(begins_with(own[i], "NO"));
}

int main(void)
{
	if (geteuid() != 0)
		return 77; /* meson's word for skipped */
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(the_notification_says_who_sends, set_up, tear_down),
		cmocka_unit_test_setup_teardown(
			guests_take_half_of_the_places_at_most, set_up, tear_down),
		cmocka_unit_test_setup_teardown(
			a_request_that_was_given_up_counts_until_it_is_answered, set_up, tear_down),
		cmocka_unit_test_setup_teardown(
			silent_guests_make_room_for_others_first, set_up, tear_down),
		cmocka_unit_test_setup_teardown(
			guests_are_refused_first_when_memory_runs_out, set_up, tear_down),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}

/*
 * The states of a credential - open, held, probing, retired - over connections without sockets,
 * with a server of nghttp2 in memory that answers as each test says.
 */
#include "base/mem.h"
#include "wire.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>
#include <nghttp2/nghttp2.h>

#define PUSHES 8
#define HOLD_MS (5 * 60 * 1000) /* the default: a held credential is tried so often */
#define HURRY_MS (10 * 1000)
#define OUTAGE_MS (5 * 60 * 1000)

static struct {
	struct wire wire;
	nghttp2_session *server;
	unsigned connections; /* that the server has seen */
	uint32_t limit;	      /* of streams */
	bool is_leaving;      /* it leaves each connection as soon as it has said its settings */
	int32_t streams[PUSHES];
	size_t stream_count; /* requests that are not answered */
	struct sender_push pushes[PUSHES];
	struct apns_answer last;
	enum verdict_action action;
	unsigned answers, rooms, states;
	char trouble[ERR_TEXT_MAX];
} world;

static struct credential_connections *conns(void)
{
	return world.wire.conns;
}

static void on_answered(void *ctx, struct sender_push *push, const struct apns_answer *answer,
	const struct verdict *verdict)
{
	(void)ctx;
	(void)push;
	world.last = *answer;
	world.action = verdict->action;
	world.answers++;
	/* As delivery does. */
	if (verdict->action == VERDICT_HOLD && verdict->scope == VERDICT_CREDENTIAL)
		credential_connections_hold(conns(), answer->reason);
}

static void on_room(void *ctx, const char *topic)
{
	(void)ctx;
	assert_string_equal(topic, WIRE_TOPIC);
	world.rooms++;
}

static void on_state(void *ctx, const struct credential *credential, const char *text)
{
	(void)ctx;
	(void)credential;
	world.states++;
	snprintf(world.trouble, sizeof(world.trouble), "%s", text ? text : "");
}

static int on_frame(nghttp2_session *server, const nghttp2_frame *frame, void *ctx)
{
	(void)server;
	(void)ctx;
	if (frame->hd.type == NGHTTP2_DATA && (frame->hd.flags & NGHTTP2_FLAG_END_STREAM)) {
		assert_true(world.stream_count < PUSHES);
		world.streams[world.stream_count++] = frame->hd.stream_id;
	}
	return 0;
}

static void make_server(void)
{
	const nghttp2_settings_entry limit = {NGHTTP2_SETTINGS_MAX_CONCURRENT_STREAMS, world.limit};
	nghttp2_session_callbacks *callbacks;
	nghttp2_session_del(world.server);
	nghttp2_session_callbacks_new(&callbacks);
	nghttp2_session_callbacks_set_on_frame_recv_callback(callbacks, on_frame);
	nghttp2_session_server_new(&world.server, callbacks, NULL);
	nghttp2_session_callbacks_del(callbacks);
	nghttp2_submit_settings(world.server, NGHTTP2_FLAG_NONE, &limit, 1);
	if (world.is_leaving)
		nghttp2_submit_goaway(
			world.server, NGHTTP2_FLAG_NONE, 0, NGHTTP2_NO_ERROR, NULL, 0);
	world.connections = world.wire.connections;
	world.stream_count = 0;
}

/* Turns until neither side has anything to say. */
static void settle(void)
{
	const uint8_t *bytes;
	for (int i = 0; i < 6; i++) {
		wire_turn(&world.wire);
		if (!wire_is_open())
			continue;
		if (world.connections != world.wire.connections)
			make_server();
		struct buf *written = wire_written();
		if (written->used)
			assert_int_equal(nghttp2_session_mem_recv(
						 world.server, written->data, written->used),
				written->used);
		buf_consume(written, written->used);
		for (ssize_t n; (n = nghttp2_session_mem_send(world.server, &bytes)) > 0;)
			wire_say(bytes, (size_t)n);
	}
}

static ssize_t read_body(nghttp2_session *server, int32_t stream_id, uint8_t *to, size_t size,
	uint32_t *flags, nghttp2_data_source *source, void *ctx)
{
	(void)server;
	(void)stream_id;
	(void)ctx;
	int n = snprintf((char *)to, size, "{\"reason\":\"%s\"}", (const char *)source->ptr);
	*flags |= NGHTTP2_DATA_FLAG_EOF;
	return n;
}

/* The server answers the request that it has had for longest. */
static void answer(const char *status, const char *reason)
{
	assert_true(world.stream_count > 0);
	nghttp2_nv header = {(uint8_t *)(uintptr_t) ":status", (uint8_t *)(uintptr_t)status, 7, 3,
		NGHTTP2_NV_FLAG_NONE};
	nghttp2_data_provider body = {
		.source.ptr = (void *)(uintptr_t)reason, .read_callback = read_body};
	nghttp2_submit_response(world.server, world.streams[0], &header, 1, reason ? &body : NULL);
	world.stream_count--;
	memmove(world.streams, world.streams + 1, world.stream_count * sizeof(world.streams[0]));
	settle();
}

static bool push(size_t i)
{
	world.pushes[i] = (struct sender_push){
		.topic = WIRE_TOPIC, .token = "aa", .payload = "{}", .payload_size = 2};
	return credential_connections_push(conns(), &world.pushes[i]);
}

static size_t room(void)
{
	return credential_connections_room(conns());
}

/* As if `ms` had passed, and a turn came. */
static void pass(int64_t ms)
{
	wire_pass(&world.wire, ms);
	settle();
}

static int begin(void **state)
{
	static const struct sender_callbacks callbacks = {on_answered, on_room, on_state};
	(void)state;
	memset(&world, 0, sizeof(world));
	world.limit = 100;
	wire_start(&world.wire, &callbacks, NULL);
	assert_int_equal(room(), 0); /* asks for a connection */
	settle();
	assert_true(room() > 1);
	return 0;
}

static int end(void **state)
{
	(void)state;
	wire_stop(&world.wire);
	nghttp2_session_del(world.server);
	return 0;
}

/* Pushes one that Apple refuses. */
static void get_held(void)
{
	assert_true(push(0));
	settle();
	answer("403", "Forbidden");
	assert_int_equal(world.action, VERDICT_HOLD);
	assert_string_equal(world.trouble, "Forbidden");
}

/* Until the next push may be let through; then it is out. */
static void probe(size_t i)
{
	assert_int_equal(room(), 0);
	pass(HOLD_MS);
	assert_int_equal(room(), 1);
	assert_int_equal(world.wire.connections, 2); /* not over one that Apple has refused */
	assert_true(push(i));
	settle();
	assert_int_equal(room(), 0);
}

static void a_held_credential_lets_nothing_through_until_its_time(void **state)
{
	(void)state;
	get_held();
	assert_int_equal(room(), 0);
	assert_false(push(1));
	pass(HOLD_MS - 1);
	assert_int_equal(room(), 0);
	pass(1);
	assert_int_equal(room(), 1);
}

static void a_probe_that_is_taken_opens_it(void **state)
{
	(void)state;
	get_held();
	probe(1);
	answer("200", NULL);
	assert_string_equal(world.trouble, "");
	assert_true(room() > 1);
}

static void a_probe_whose_token_is_judged_opens_it(void **state)
{
	(void)state;
	get_held();
	probe(1);
	answer("410", "Unregistered");
	assert_string_equal(world.trouble, "");
	assert_true(room() > 1);
}

static void a_probe_that_is_refused_is_followed_by_another_as_much_later(void **state)
{
	(void)state;
	get_held();
	probe(1);
	answer("403", "Forbidden");
	assert_int_equal(room(), 0);
	pass(HOLD_MS - 1);
	assert_int_equal(room(), 0);
	pass(1);
	assert_int_equal(room(), 1);
	assert_int_equal(world.states, 1); /* told once */
}

static void a_probe_that_nobody_looked_at_is_made_again_at_once(void **state)
{
	(void)state;
	get_held();
	probe(1);
	nghttp2_submit_goaway(world.server, NGHTTP2_FLAG_NONE, 0, NGHTTP2_NO_ERROR, NULL, 0);
	settle();
	assert_int_equal(world.last.ending, APNS_NOT_PROCESSED);
	room();	    /* asks again */
	pass(1000); /* the back-off of a connection that was of no use */
	assert_int_equal(room(), 1);
}

static void one_that_was_in_flight_and_is_taken_opens_it(void **state)
{
	(void)state;
	assert_true(push(0));
	assert_true(push(1));
	settle();
	answer("403", "Forbidden");
	assert_int_equal(room(), 0);
	answer("200", NULL);
	assert_string_equal(world.trouble, "");
	room();
	pass(1000);
	assert_true(room() > 1);
}

static void who_asks_for_it_has_one_let_through_sooner(void **state)
{
	(void)state;
	get_held();
	credential_connections_hurry(conns());
	assert_int_equal(room(), 0); /* a connection must come first: the former one drains */
	settle();
	assert_int_equal(room(), 1);
	assert_true(push(1));
	settle();
	answer("403", "Forbidden");
	credential_connections_hurry(conns());
	room();
	pass(HURRY_MS - 1);
	assert_int_equal(room(), 0);
	pass(1);
	assert_int_equal(room(), 1);
}

static void a_retired_one_finishes_and_says_nothing(void **state)
{
	(void)state;
	assert_true(push(0));
	settle();
	credential_connections_retire(conns(), "another took its place");
	assert_int_equal(room(), 0);
	answer("403", "Forbidden");
	assert_int_equal(world.answers, 1);
	assert_int_equal(world.action, VERDICT_RETRY); /* it is about a credential that is over */
	credential_connections_hold(conns(), "too late");
	assert_int_equal(world.states, 0);
}

static void find_timer(uv_handle_t *handle, void *ret)
{
	if (uv_handle_get_type(handle) == UV_TIMER && uv_is_active(handle))
		*(uint64_t *)ret = uv_timer_get_due_in((const uv_timer_t *)handle);
}

/* Of its timer, in ms. */
static uint64_t due_in(void)
{
	uint64_t due = 0;
	uv_walk(&world.wire.loop, find_timer, &due);
	return due;
}

/* Two times are waited for: the later one does not take the place of the earlier one. */
static void the_timer_is_set_for_what_is_due_first(void **state)
{
	static const nghttp2_settings_entry none = {NGHTTP2_SETTINGS_MAX_CONCURRENT_STREAMS, 0};
	(void)state;
	nghttp2_submit_settings(world.server, NGHTTP2_FLAG_NONE, &none, 1);
	settle();
	assert_int_equal(room(), 0);
	settle();
	/* Another connection after a second; a starving one in minutes. */
	assert_int_in_range(due_in(), 1, 1000);
	world.wire.settings.connections = 1;
	settle();
	assert_int_equal(due_in(), OUTAGE_MS);
	pass(OUTAGE_MS);
	assert_non_null(strstr(world.trouble, "allowed no push for minutes"));
}

static void an_expired_credential_is_no_outage(void **state)
{
	(void)state;
	wire_expire(&world.wire, true);
	assert_int_equal(room(), 0);
	settle();
	pass(OUTAGE_MS);
	assert_int_equal(world.states, 0);
}

/* Until the outage is told, which it is not before its time. */
static void pass_outage(void)
{
	assert_int_equal(room(), 0);
	for (int64_t ms = 0; ms < OUTAGE_MS; ms += 1000)
		pass(1000);
	assert_int_equal(world.states, 0);
	for (int i = 0; i < 10; i++)
		pass(1000);
	assert_int_equal(world.states, 1);
	assert_non_null(strstr(world.trouble, "Apple ends connections without an answer"));
}

/* No push can fail on a connection that is left before one was sent. */
static void a_server_that_leaves_each_connection_is_an_outage(void **state)
{
	(void)state;
	world.is_leaving = true;
	wire_break();
	settle();
	pass_outage();
	world.is_leaving = false;
	while (room() == 0)
		pass(1000);
	assert_int_equal(world.states, 1); /* it works, but has taken nothing */
	assert_true(push(0));
	settle();
	answer("200", NULL);
	assert_string_equal(world.trouble, "");
}

static void break_each_minute(int64_t from_ms, int64_t to_ms)
{
	for (int64_t ms = from_ms; ms < to_ms; ms += 60000) {
		pass(60000);
		wire_break();
	}
}

static void a_server_that_allows_no_stream_and_breaks_each_connection_is_an_outage(void **state)
{
	(void)state;
	world.limit = 0;
	world.wire.settings.connections = 1;
	wire_break();
	settle();
	assert_int_equal(room(), 0);
	break_each_minute(0, OUTAGE_MS);
	assert_int_equal(world.states, 0);
	break_each_minute(OUTAGE_MS, 2 * OUTAGE_MS);
	assert_non_null(strstr(world.trouble, "Apple ends connections without an answer"));
}

/* Its connections are left then, but by us. */
static void a_server_that_allows_no_stream_goes_on_to_be_told_as_that(void **state)
{
	(void)state;
	world.limit = 0;
	world.wire.settings.connections = 1;
	wire_break();
	settle();
	assert_int_equal(room(), 0);
	for (int64_t ms = 0; ms < 4 * OUTAGE_MS; ms += 1000)
		pass(1000);
	assert_true(world.wire.connections >= 4);
	assert_int_equal(world.states, 1);
	assert_non_null(strstr(world.trouble, "allowed no push for minutes"));
}

/* Nobody wanted to push on it. */
static void an_idle_connection_that_is_left_is_no_failure(void **state)
{
	(void)state;
	nghttp2_submit_goaway(world.server, NGHTTP2_FLAG_NONE, 0, NGHTTP2_NO_ERROR, NULL, 0);
	settle();
	pass(OUTAGE_MS);
	world.is_leaving = true;
	assert_int_equal(room(), 0);
	settle();
	assert_int_equal(world.states, 0);
}

static void note_way(void *ctx, const struct sender_way *way)
{
	*(struct sender_way *)ctx = *way;
}

static int64_t try_in_ms(void)
{
	struct sender_way way = {0};
	credential_connections_describe(conns(), note_way, &way);
	return way.try_in_ms;
}

static void a_held_one_is_not_tried_while_it_is_out_of_its_dates(void **state)
{
	(void)state;
	get_held();
	assert_int_equal(try_in_ms(), HOLD_MS);
	wire_expire(&world.wire, true);
	pass(HOLD_MS);
	assert_int_equal(room(), 0);
	assert_int_equal(try_in_ms(), -1);
	wire_expire(&world.wire, false);
	assert_int_equal(try_in_ms(), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
#define TEST(name) cmocka_unit_test_setup_teardown(name, begin, end)
		TEST(a_held_credential_lets_nothing_through_until_its_time),
		TEST(a_probe_that_is_taken_opens_it),
		TEST(a_probe_whose_token_is_judged_opens_it),
		TEST(a_probe_that_is_refused_is_followed_by_another_as_much_later),
		TEST(a_probe_that_nobody_looked_at_is_made_again_at_once),
		TEST(one_that_was_in_flight_and_is_taken_opens_it),
		TEST(who_asks_for_it_has_one_let_through_sooner),
		TEST(a_retired_one_finishes_and_says_nothing),
		TEST(the_timer_is_set_for_what_is_due_first),
		TEST(an_expired_credential_is_no_outage),
		TEST(a_server_that_leaves_each_connection_is_an_outage),
		TEST(a_server_that_allows_no_stream_and_breaks_each_connection_is_an_outage),
		TEST(a_server_that_allows_no_stream_goes_on_to_be_told_as_that),
		TEST(an_idle_connection_that_is_left_is_no_failure),
		TEST(a_held_one_is_not_tried_while_it_is_out_of_its_dates),
	};
	return cmocka_run_group_tests_name("credential_connections", tests, NULL, NULL);
}

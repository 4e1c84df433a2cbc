/*
 * Flights of any size: pushes of 40 to 4096 bytes in every kind of order, to a server of nghttp2 in
 * memory with a window of 65,535 bytes that it opens, closes and shrinks as each test wants.
 *
 * In every case each push is told once, at most one body waits for a window that is used up, and no
 * more are in flight than the server allows.
 */
#include "apns/payload.h"
#include "base/mem.h"
#include "wire.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>
#include <nghttp2/nghttp2.h>

#define PUSHES 600
#define SMALL 40
#define LARGE PAYLOAD_MAX
#define WINDOW 65535
#define SHUFFLES 40

static struct {
	struct wire wire;
	nghttp2_session *server;
	size_t sizes[PUSHES];
	struct sender_push pushes[PUSHES];
	unsigned told[PUSHES];
	size_t next, answered; /* of the pushes */
	size_t most_in_flight;
	int64_t consumed; /* of the connection's window, and not given back */
	bool is_mute;	  /* the server answers later */
	int32_t unanswered[PUSHES];
	size_t unanswered_count;
	bool is_giving_up;
	uint64_t dice;
} world;

static char body[LARGE];

static uint32_t roll(uint32_t sides)
{
	world.dice = world.dice * 6364136223846793005u + 1442695040888963407u;
	return (uint32_t)(world.dice >> 33) % sides;
}

static void on_answered(void *ctx, struct sender_push *push, const struct apns_answer *answer,
	const struct verdict *verdict)
{
	(void)ctx;
	(void)verdict;
	assert_int_equal(answer->ending, world.is_giving_up ? APNS_SILENT : APNS_ANSWERED);
	assert_int_equal(answer->status, world.is_giving_up ? 0 : 200);
	world.told[push - world.pushes]++;
	world.answered++;
}

static void on_room(void *ctx, const char *topic)
{
	(void)ctx;
	(void)topic;
}

static void on_state(void *ctx, const struct credential *credential, const char *text)
{
	(void)ctx;
	(void)credential;
	(void)text;
}

static void answer_all(void)
{
	static const nghttp2_nv ok = {(uint8_t *)(uintptr_t) ":status",
		(uint8_t *)(uintptr_t) "200", 7, 3, NGHTTP2_NV_FLAG_NONE};
	for (size_t i = 0; i < world.unanswered_count; i++)
		nghttp2_submit_response(world.server, world.unanswered[i], &ok, 1, NULL);
	world.unanswered_count = 0;
	world.is_mute = false;
}

static int on_frame(nghttp2_session *server, const nghttp2_frame *frame, void *ctx)
{
	(void)server;
	(void)ctx;
	if (frame->hd.type == NGHTTP2_DATA && (frame->hd.flags & NGHTTP2_FLAG_END_STREAM))
		world.unanswered[world.unanswered_count++] = frame->hd.stream_id;
	if (!world.is_mute)
		answer_all();
	return 0;
}

static int on_data(nghttp2_session *server, uint8_t flags, int32_t stream_id, const uint8_t *bytes,
	size_t size, void *ctx)
{
	(void)flags;
	(void)stream_id;
	(void)bytes;
	(void)ctx;
	(void)server;
	world.consumed += (int64_t)size;
	return 0;
}

static void make_server(void)
{
	nghttp2_session_callbacks *callbacks;
	nghttp2_option *option;
	nghttp2_session_callbacks_new(&callbacks);
	nghttp2_session_callbacks_set_on_frame_recv_callback(callbacks, on_frame);
	nghttp2_session_callbacks_set_on_data_chunk_recv_callback(callbacks, on_data);
	nghttp2_option_new(&option);
	nghttp2_option_set_no_auto_window_update(option, 1);
	nghttp2_session_server_new2(&world.server, callbacks, NULL, option);
	nghttp2_option_del(option);
	nghttp2_session_callbacks_del(callbacks);
}

static void allow(uint32_t id, uint32_t value)
{
	const nghttp2_settings_entry entry = {(int32_t)id, value};
	assert_int_equal(nghttp2_submit_settings(world.server, NGHTTP2_FLAG_NONE, &entry, 1), 0);
}

static void allow_streams(uint32_t streams)
{
	allow(NGHTTP2_SETTINGS_MAX_CONCURRENT_STREAMS, streams);
}

static void allow_bytes_a_stream(uint32_t bytes)
{
	allow(NGHTTP2_SETTINGS_INITIAL_WINDOW_SIZE, bytes);
}

static void open_window(int64_t bytes)
{
	if (bytes > world.consumed)
		bytes = world.consumed;
	if (bytes > 0)
		assert_int_equal(nghttp2_submit_window_update(
					 world.server, NGHTTP2_FLAG_NONE, 0, (int32_t)bytes),
			0);
	world.consumed -= bytes;
}

static void server_says(void)
{
	const uint8_t *bytes;
	for (ssize_t n; (n = nghttp2_session_mem_send(world.server, &bytes)) > 0;)
		wire_say(bytes, (size_t)n);
}

static void exchange(void)
{
	wire_turn(&world.wire);
	if (!wire_is_open())
		return;
	struct buf *written = wire_written();
	if (written->used)
		assert_int_equal(
			nghttp2_session_mem_recv(world.server, written->data, written->used),
			written->used);
	buf_consume(written, written->used);
	server_says();
	wire_turn(&world.wire);
}

/* As delivery.c does: asks once, and hands over until one is not taken. */
static void hand_over(void)
{
	if (credential_connections_room(world.wire.conns) == 0)
		return;
	for (; world.next < PUSHES; world.next++) {
		struct sender_push *push = &world.pushes[world.next];
		*push = (struct sender_push){.topic = WIRE_TOPIC,
			.token = "aa",
			.payload = body,
			.payload_size = world.sizes[world.next]};
		if (!credential_connections_push(world.wire.conns, push))
			return;
		size_t in_flight = credential_connections_in_flight(world.wire.conns);
		if (in_flight > world.most_in_flight)
			world.most_in_flight = in_flight;
	}
}

static void begin(void)
{
	static const struct sender_callbacks callbacks = {on_answered, on_room, on_state};
	world.next = world.answered = world.most_in_flight = 0;
	world.consumed = 0;
	world.unanswered_count = 0;
	memset(world.told, 0, sizeof(world.told));
	wire_start(&world.wire, &callbacks, NULL);
	make_server();
	allow_streams(1000);
}

static void end(void)
{
	assert_int_equal(world.next, PUSHES);
	for (size_t i = 0; i < PUSHES; i++)
		assert_int_equal(world.told[i], 1);
	assert_int_equal(world.wire.connections, 1);
	wire_stop(&world.wire);
	nghttp2_session_del(world.server);
}

static int64_t single_byte(void)
{
	return 1;
}

static int64_t small_update(void)
{
	return 1 + roll(500);
}

static int64_t large_update(void)
{
	return INT64_MAX;
}

/* With updates of the size that `update` says, one a turn, until so many are told. */
static void fly_until(size_t answered, int64_t (*update)(void))
{
	while (world.answered < answered) {
		hand_over();
		exchange();
		open_window(update());
	}
}

static void fly(int64_t (*update)(void))
{
	begin();
	fly_until(PUSHES, update);
	end();
}

static void all_of(size_t size)
{
	for (size_t i = 0; i < PUSHES; i++)
		world.sizes[i] = size;
}

static void small_then_large(void)
{
	for (size_t i = 0; i < PUSHES; i++)
		world.sizes[i] = i < PUSHES / 2 ? SMALL : LARGE;
}

static void large_then_small(void)
{
	for (size_t i = 0; i < PUSHES; i++)
		world.sizes[i] = i < PUSHES / 2 ? LARGE : SMALL;
}

static void one_and_one(void)
{
	for (size_t i = 0; i < PUSHES; i++)
		world.sizes[i] = i % 2 ? LARGE : SMALL;
}

static void one_small_a_hundred_large(void)
{
	for (size_t i = 0; i < PUSHES; i++)
		world.sizes[i] = i % 101 ? LARGE : SMALL;
}

static void growing(void)
{
	for (size_t i = 0; i < PUSHES; i++)
		world.sizes[i] = SMALL + i * (LARGE - SMALL) / (PUSHES - 1);
}

static void shrinking(void)
{
	for (size_t i = 0; i < PUSHES; i++)
		world.sizes[i] = LARGE - i * (LARGE - SMALL) / (PUSHES - 1);
}

static void by_chance(void)
{
	for (size_t i = 0; i < PUSHES; i++)
		world.sizes[i] = SMALL + roll(LARGE - SMALL + 1);
}

static void mostly_small_by_chance(void)
{
	for (size_t i = 0; i < PUSHES; i++)
		world.sizes[i] = roll(10) ? SMALL : LARGE;
}

static void (*const orders[])(void) = {small_then_large, large_then_small, one_and_one,
	one_small_a_hundred_large, growing, shrinking, by_chance, mostly_small_by_chance};

#define ORDERS (sizeof(orders) / sizeof(orders[0]))

static void every_order_passes_a_window_that_opens_at_once(void **state)
{
	(void)state;
	for (size_t i = 0; i < ORDERS; i++) {
		orders[i]();
		fly(large_update);
	}
	all_of(SMALL);
	fly(large_update);
	all_of(LARGE);
	fly(large_update);
}

static void every_order_passes_a_window_that_opens_a_little(void **state)
{
	(void)state;
	for (size_t i = 0; i < ORDERS; i++) {
		orders[i]();
		fly(small_update);
	}
}

/* A byte a turn would take a turn for each byte: few pushes beyond the first window. */
static void a_window_that_opens_by_single_bytes_is_used_up_to_the_last(void **state)
{
	(void)state;
	for (size_t order = 0; order < ORDERS; order++) {
		orders[order]();
		int64_t bytes = 0;
		for (size_t i = 0; i < PUSHES; i++) {
			if (bytes + (int64_t)world.sizes[i] > WINDOW + 3000)
				world.sizes[i] = SMALL;
			bytes += (int64_t)world.sizes[i];
		}
		fly(single_byte);
	}
}

static void shuffled_orders_pass(void **state)
{
	(void)state;
	for (unsigned i = 0; i < SHUFFLES; i++) {
		orders[roll(ORDERS)]();
		for (size_t at = PUSHES - 1; at > 0; at--) {
			size_t with = roll((uint32_t)at + 1);
			size_t size = world.sizes[at];
			world.sizes[at] = world.sizes[with];
			world.sizes[with] = size;
		}
		fly(i % 2 ? large_update : small_update);
	}
}

/* The room that was said for small ones: the promise that could not be kept. */
static void what_is_handed_over_beyond_the_window_is_one_body_at_most(void **state)
{
	(void)state;
	all_of(LARGE);
	world.sizes[0] = world.sizes[1] = SMALL;
	begin();
	while (world.answered < 1) {
		hand_over();
		exchange();
	}
	for (hand_over(); world.next <= 2; hand_over())
		exchange();
	size_t beyond = 0;
	for (size_t i = 0; i < world.next; i++)
		beyond += world.sizes[i];
	assert_int_in_range(beyond, WINDOW - LARGE, WINDOW + LARGE);
	assert_int_equal(credential_connections_room(world.wire.conns), 0);
	fly_until(PUSHES, large_update);
	end();
}

static void streams_windows_that_shrink_below_zero_in_flight_lose_nothing(void **state)
{
	(void)state;
	for (size_t i = 0; i < ORDERS; i++) {
		orders[i]();
		begin();
		for (unsigned turn = 0; world.answered < PUSHES; turn++) {
			allow_bytes_a_stream(turn % 3 == 0 ? 0 : turn % 3 == 1 ? 100 : WINDOW);
			hand_over();
			exchange();
			open_window(INT64_MAX);
		}
		end();
	}
}

static void no_more_are_in_flight_than_the_streams_that_are_allowed(void **state)
{
	(void)state;
	for (size_t i = 0; i < ORDERS; i++) {
		orders[i]();
		begin();
		allow_streams(1);
		fly_until(PUSHES / 2, large_update);
		assert_int_equal(world.most_in_flight, 1);
		allow_streams(0);
		exchange();
		size_t next = world.next;
		for (unsigned turn = 0; turn < 3; turn++) {
			hand_over();
			exchange();
		}
		assert_int_equal(world.next, next);
		allow_streams(1000);
		fly_until(PUSHES, large_update);
		end();
	}
}

/* No more leave. */
static void allow_none(void)
{
	allow_streams(0);
	server_says();
	size_t next = world.next;
	for (unsigned turn = 0; turn < 5; turn++) {
		exchange();
		open_window(INT64_MAX);
		hand_over();
	}
	assert_int_equal(world.next, next);
	assert_int_equal(credential_connections_room(world.wire.conns), 0);
}

static void those_in_flight_end_when_no_stream_is_allowed_any_more(void **state)
{
	static const uint32_t before[] = {1, 100, 1000};
	(void)state;
	for (size_t i = 0; i < 3 * ORDERS; i++) {
		uint32_t most = before[i % 3] < PUSHES / 2 ? before[i % 3] : PUSHES / 2;
		orders[i / 3]();
		begin();
		allow_streams(before[i % 3]);
		world.is_mute = true;
		for (; world.unanswered_count < most; open_window(INT64_MAX)) {
			hand_over();
			exchange();
		}
		allow_none();
		assert_int_equal(world.answered, 0);
		size_t in_flight = world.next;
		answer_all();
		allow_none();
		assert_int_equal(world.answered, in_flight);
		world.most_in_flight = 0;
		allow_streams(1);
		fly_until(in_flight + (PUSHES - in_flight) / 2, large_update);
		assert_int_in_range(world.most_in_flight, in_flight < PUSHES, 1);
		allow_streams(1000);
		fly_until(PUSHES, large_update);
		end();
	}
}

/* Taken, and not on the wire yet when the server's word comes. */
static void those_not_begun_when_no_stream_is_allowed_any_more_begin_later(void **state)
{
	(void)state;
	for (size_t i = 0; i < ORDERS; i++) {
		orders[i]();
		begin();
		fly_until(1, large_update);
		hand_over();
		size_t taken = world.next;
		size_t answered = world.answered;
		assert_true(taken > answered);
		allow_none();
		assert_int_equal(world.answered, answered);
		assert_int_equal(
			credential_connections_in_flight(world.wire.conns), taken - answered);
		allow_streams(1000);
		fly_until(PUSHES, large_update);
		end();
	}
}

static void those_not_begun_can_be_given_up(void **state)
{
	(void)state;
	for (size_t i = 0; i < ORDERS; i++) {
		orders[i]();
		begin();
		fly_until(1, large_update);
		hand_over();
		size_t in_flight = world.next - world.answered;
		size_t left = in_flight > 2 ? in_flight - 2 : 0;
		allow_none();
		world.is_giving_up = true;
		wire_give_up_oldest();
		wire_give_up_oldest(); /* a third in a row would end the connection */
		wire_turn(&world.wire);
		world.is_giving_up = false;
		assert_int_equal(credential_connections_in_flight(world.wire.conns), left);
		allow_streams(1000);
		fly_until(PUSHES, large_update);
		end();
	}
}

static void streams_that_come_and_go_by_chance_lose_nothing(void **state)
{
	static const uint32_t streams[] = {0, 1, 1000};
	(void)state;
	for (unsigned i = 0; i < SHUFFLES; i++) {
		orders[roll(ORDERS)]();
		begin();
		while (world.answered < PUSHES) {
			allow_streams(streams[roll(3)]);
			if (!roll(5))
				allow_bytes_a_stream(roll(2) ? roll(200) : WINDOW);
			exchange(); /* else it refuses what it had allowed */
			hand_over();
			exchange();
			open_window(roll(3) ? INT64_MAX : (int64_t)roll(2000));
		}
		end();
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(every_order_passes_a_window_that_opens_at_once),
		cmocka_unit_test(every_order_passes_a_window_that_opens_a_little),
		cmocka_unit_test(a_window_that_opens_by_single_bytes_is_used_up_to_the_last),
		cmocka_unit_test(shuffled_orders_pass),
		cmocka_unit_test(what_is_handed_over_beyond_the_window_is_one_body_at_most),
		cmocka_unit_test(streams_windows_that_shrink_below_zero_in_flight_lose_nothing),
		cmocka_unit_test(no_more_are_in_flight_than_the_streams_that_are_allowed),
		cmocka_unit_test(those_in_flight_end_when_no_stream_is_allowed_any_more),
		cmocka_unit_test(those_not_begun_when_no_stream_is_allowed_any_more_begin_later),
		cmocka_unit_test(those_not_begun_can_be_given_up),
		cmocka_unit_test(streams_that_come_and_go_by_chance_lose_nothing),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}

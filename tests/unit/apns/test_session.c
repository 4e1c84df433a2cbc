/*
 * The sender's HTTP/2 against a server of nghttp2 in memory, whose every frame the test decides.
 */
#include "apns/session.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>
#include <nghttp2/nghttp2.h>

#define PUSHES 200
#define BODY_SIZE 4000
#define WINDOW 65535

static struct {
	struct session *session;
	nghttp2_session *server;
	int32_t streams[PUSHES]; /* complete ones, in order */
	size_t stream_count;
	size_t body_bytes;
	struct sender_push pushes[PUSHES];
	char body[BODY_SIZE];
} world;

static int on_frame(nghttp2_session *server, const nghttp2_frame *frame, void *ctx)
{
	(void)server;
	(void)ctx;
	if ((frame->hd.type == NGHTTP2_DATA || frame->hd.type == NGHTTP2_HEADERS) &&
		(frame->hd.flags & NGHTTP2_FLAG_END_STREAM))
		world.streams[world.stream_count++] = frame->hd.stream_id;
	return 0;
}

static int on_data(nghttp2_session *server, uint8_t flags, int32_t stream_id, const uint8_t *bytes,
	size_t size, void *ctx)
{
	(void)server;
	(void)flags;
	(void)stream_id;
	(void)bytes;
	(void)ctx;
	world.body_bytes += size;
	return 0;
}

/* The server opens windows only when the test says so. */
static int begin(void **state)
{
	nghttp2_session_callbacks *callbacks;
	nghttp2_option *option;
	(void)state;
	memset(&world, 0, sizeof(world));
	memset(world.body, 'x', sizeof(world.body));
	nghttp2_session_callbacks_new(&callbacks);
	nghttp2_session_callbacks_set_on_frame_recv_callback(callbacks, on_frame);
	nghttp2_session_callbacks_set_on_data_chunk_recv_callback(callbacks, on_data);
	nghttp2_option_new(&option);
	nghttp2_option_set_no_auto_window_update(option, 1);
	nghttp2_session_server_new2(&world.server, callbacks, NULL, option);
	nghttp2_option_del(option);
	nghttp2_session_callbacks_del(callbacks);
	world.session = session_new("api.push.apple.com", 0);
	return 0;
}

static int end(void **state)
{
	(void)state;
	session_lose(world.session);
	while (session_take_finished(world.session))
		;
	session_free(world.session);
	nghttp2_session_del(world.server);
	return 0;
}

static void to_server(void)
{
	struct buf buf_auto out = {0};
	struct err err;
	assert_int_equal(session_gather(world.session, &out, SIZE_MAX, &err), 0);
	if (out.used > 0)
		assert_int_equal(
			nghttp2_session_mem_recv(world.server, out.data, out.used), out.used);
}

static void to_client(void)
{
	const uint8_t *bytes;
	struct err err;
	ssize_t n;
	while ((n = nghttp2_session_mem_send(world.server, &bytes)) > 0)
		assert_int_equal(session_receive(world.session, bytes, (size_t)n, &err), 0);
	assert_int_equal(n, 0);
}

static void exchange(void)
{
	for (int i = 0; i < 4; i++) {
		to_server();
		to_client();
	}
}

static void server_allows(uint32_t streams)
{
	const nghttp2_settings_entry entry = {NGHTTP2_SETTINGS_MAX_CONCURRENT_STREAMS, streams};
	assert_int_equal(nghttp2_submit_settings(world.server, NGHTTP2_FLAG_NONE, &entry, 1), 0);
	exchange();
}

static void give(size_t i, size_t size)
{
	struct sender_push *push = &world.pushes[i];
	push->topic = "t";
	push->token = "aa";
	push->payload = world.body;
	push->payload_size = size;
	session_push(world.session, push);
}

static void server_answers(int32_t stream_id, const char *status)
{
	const nghttp2_nv fields[] = {{(uint8_t *)(uintptr_t) ":status",
		(uint8_t *)(uintptr_t)status, 7, 3, NGHTTP2_NV_FLAG_NONE}};
	assert_int_equal(nghttp2_submit_response(world.server, stream_id, fields, 1, NULL), 0);
}

static void one_is_in_flight_until_the_servers_settings_come(void **state)
{
	(void)state;
	assert_int_equal(session_room(world.session), 1);
	give(0, 10);
	assert_int_equal(session_room(world.session), 0);
	server_allows(100);
	assert_int_equal(session_room(world.session), 99);
	assert_true(session_is_acknowledged(world.session));
}

static void a_server_without_a_limit_leaves_the_one_of_the_session(void **state)
{
	(void)state;
	assert_int_equal(nghttp2_submit_settings(world.server, NGHTTP2_FLAG_NONE, NULL, 0), 0);
	exchange();
	assert_int_equal(session_limit(world.session), SESSION_STREAMS_MAX);
}

static void a_limit_of_nothing_is_honoured(void **state)
{
	(void)state;
	server_allows(0);
	assert_int_equal(session_room(world.session), 0);
}

static void no_more_is_sent_than_the_connection_window_holds(void **state)
{
	(void)state;
	server_allows(100);
	/* Seventeen bodies of 4000 bytes are more than 65 535. */
	for (size_t i = 0; i < 17; i++)
		give(i, BODY_SIZE);
	exchange();
	assert_int_equal(world.body_bytes, WINDOW);
	assert_int_equal(world.stream_count, 16);
	assert_int_equal(session_room(world.session), 0);
}

static void a_body_cut_by_the_window_goes_on_where_it_stopped(void **state)
{
	(void)state;
	server_allows(100);
	for (size_t i = 0; i < 17; i++)
		give(i, BODY_SIZE);
	exchange();
	nghttp2_submit_window_update(world.server, NGHTTP2_FLAG_NONE, 0, WINDOW);
	exchange();
	assert_int_equal(world.body_bytes, 17 * BODY_SIZE);
	assert_int_equal(world.stream_count, 17);
	assert_int_in_range(session_room(world.session), 1, 83);
}

static void a_full_window_leaves_room_for_one_when_nothing_is_in_flight(void **state)
{
	(void)state;
	server_allows(100);
	for (size_t i = 0; i < 16; i++)
		give(i, BODY_SIZE);
	give(16, WINDOW - 16 * BODY_SIZE);
	exchange();
	assert_int_equal(session_room(world.session), 0);
	for (size_t i = 0; i < 17; i++)
		server_answers(world.streams[i], "200");
	exchange();
	assert_int_equal(session_in_flight(world.session), 0);
	assert_int_equal(session_room(world.session), 1);
}

static void an_early_answer_ends_a_push_whose_body_waits(void **state)
{
	(void)state;
	server_allows(100);
	for (size_t i = 0; i < 17; i++)
		give(i, BODY_SIZE);
	exchange();
	server_answers(world.pushes[16].stream_id, "413");
	exchange();
	struct sender_push *push = session_take_finished(world.session);
	assert_ptr_equal(push, &world.pushes[16]);
	assert_int_equal(push->answer.ending, APNS_ANSWERED);
	assert_int_equal(push->answer.status, 413);
	assert_null(session_take_finished(world.session));
}

/* Two whose bodies wait for the window, answered; the resets of their streams have not left. */
static void get_answered_early(void)
{
	server_allows(100);
	for (size_t i = 0; i < 18; i++)
		give(i, BODY_SIZE);
	to_server();
	server_answers(world.pushes[16].stream_id, "410");
	server_answers(world.pushes[17].stream_id, "413");
	to_client();
	assert_null(session_take_finished(world.session));
}

static void assert_next_is_answered(size_t i, int status)
{
	struct sender_push *push = session_take_finished(world.session);
	assert_ptr_equal(push, &world.pushes[i]);
	assert_int_equal(push->answer.ending, APNS_ANSWERED);
	assert_int_equal(push->answer.status, status);
}

static void an_answer_that_came_counts_though_the_push_is_given_up(void **state)
{
	(void)state;
	get_answered_early();
	session_give_up(world.session, &world.pushes[17], APNS_SILENT);
	assert_next_is_answered(17, 413);
	exchange();
	assert_next_is_answered(16, 410);
	assert_null(session_take_finished(world.session));
	assert_false(session_is_over(world.session));
}

static void an_answer_that_came_counts_though_the_connection_is_lost(void **state)
{
	(void)state;
	get_answered_early();
	session_lose(world.session);
	for (size_t i = 0; i < 16; i++)
		assert_int_equal(session_take_finished(world.session)->answer.ending, APNS_LOST);
	assert_next_is_answered(16, 410);
	assert_next_is_answered(17, 413);
}

static void a_push_given_up_is_never_read_again(void **state)
{
	(void)state;
	server_allows(100);
	for (size_t i = 0; i < 17; i++)
		give(i, BODY_SIZE);
	exchange();
	session_give_up(world.session, &world.pushes[16], APNS_SILENT);
	memset(&world.pushes[16].payload, 0, sizeof(world.pushes[16].payload));
	nghttp2_submit_window_update(world.server, NGHTTP2_FLAG_NONE, 0, WINDOW);
	exchange();
	assert_ptr_equal(session_take_finished(world.session), &world.pushes[16]);
	assert_int_equal(world.pushes[16].answer.ending, APNS_SILENT);
	assert_int_equal(world.stream_count, 16);
	assert_int_equal(session_in_flight(world.session), 16);
}

static void one_given_up_before_it_was_sent_never_is(void **state)
{
	(void)state;
	server_allows(100);
	give(0, 10);
	session_give_up(world.session, &world.pushes[0], APNS_SILENT);
	exchange();
	assert_int_equal(world.stream_count, 0);
	assert_int_equal(session_in_flight(world.session), 0);
	assert_false(session_is_over(world.session));
}

static void a_goaway_gives_back_what_is_beyond_it_sent_or_not(void **state)
{
	static const char reason[] = "{\"reason\":\"Shutdown\"}";
	(void)state;
	server_allows(100);
	for (size_t i = 0; i < 5; i++)
		give(i, 10);
	exchange();
	give(5, 10); /* not sent yet */
	nghttp2_submit_goaway(world.server, NGHTTP2_FLAG_NONE, world.pushes[2].stream_id,
		NGHTTP2_NO_ERROR, (const uint8_t *)reason, sizeof(reason) - 1);
	to_client();
	assert_string_equal(session_goaway(world.session)->reason, "Shutdown");
	assert_int_equal(session_in_flight(world.session), 3);
	for (size_t i = 0; i < 3; i++)
		assert_int_equal(
			session_take_finished(world.session)->answer.ending, APNS_NOT_PROCESSED);
	assert_null(session_take_finished(world.session));
	assert_int_equal(session_room(world.session), 0);
	exchange();
	assert_int_equal(world.stream_count, 5);
}

static void a_refused_stream_lowers_the_limit_and_answers_raise_it(void **state)
{
	(void)state;
	server_allows(100);
	for (size_t i = 0; i < 4; i++)
		give(i, 10);
	exchange();
	nghttp2_submit_rst_stream(
		world.server, NGHTTP2_FLAG_NONE, world.pushes[3].stream_id, NGHTTP2_REFUSED_STREAM);
	exchange();
	assert_int_equal(session_take_finished(world.session)->answer.ending, APNS_NOT_PROCESSED);
	assert_int_equal(session_limit(world.session), 3);
	server_answers(world.pushes[0].stream_id, "200");
	exchange();
	assert_int_equal(session_limit(world.session), 4);
}

static void an_answer_cut_off_is_lost(void **state)
{
	(void)state;
	server_allows(100);
	give(0, 10);
	exchange();
	const nghttp2_nv status = {(uint8_t *)(uintptr_t) ":status", (uint8_t *)(uintptr_t) "410",
		7, 3, NGHTTP2_NV_FLAG_NONE};
	nghttp2_submit_headers(
		world.server, NGHTTP2_FLAG_NONE, world.pushes[0].stream_id, NULL, &status, 1, NULL);
	to_client();
	nghttp2_submit_rst_stream(
		world.server, NGHTTP2_FLAG_NONE, world.pushes[0].stream_id, NGHTTP2_INTERNAL_ERROR);
	exchange();
	assert_int_equal(session_take_finished(world.session)->answer.ending, APNS_LOST);
}

static void what_is_not_http2_ends_the_session(void **state)
{
	static const char words[] = "HTTP/1.1 400 Bad Request\r\nContent-Length: 0\r\n\r\n";
	struct err err;
	struct buf buf_auto out = {0};
	(void)state;
	to_server();
	int r = session_receive(world.session, (const uint8_t *)words, sizeof(words) - 1, &err);
	if (r == 0)
		assert_int_equal(session_gather(world.session, &out, SIZE_MAX, &err), 0);
	assert_true(r == -EPROTO || session_is_over(world.session));
}

#define T(name) cmocka_unit_test_setup_teardown(name, begin, end)

int main(void)
{
	const struct CMUnitTest tests[] = {
		T(one_is_in_flight_until_the_servers_settings_come),
		T(a_server_without_a_limit_leaves_the_one_of_the_session),
		T(a_limit_of_nothing_is_honoured),
		T(no_more_is_sent_than_the_connection_window_holds),
		T(a_body_cut_by_the_window_goes_on_where_it_stopped),
		T(a_full_window_leaves_room_for_one_when_nothing_is_in_flight),
		T(an_early_answer_ends_a_push_whose_body_waits),
		T(an_answer_that_came_counts_though_the_push_is_given_up),
		T(an_answer_that_came_counts_though_the_connection_is_lost),
		T(a_push_given_up_is_never_read_again),
		T(one_given_up_before_it_was_sent_never_is),
		T(a_goaway_gives_back_what_is_beyond_it_sent_or_not),
		T(a_refused_stream_lowers_the_limit_and_answers_raise_it),
		T(an_answer_cut_off_is_lost),
		T(what_is_not_http2_ends_the_session),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}

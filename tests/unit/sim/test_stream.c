#include "sim/stream.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

static struct stream_pool pool;

static int set_up(void **state)
{
	stream_pool_init(&pool);
	*state = stream_get(&pool);
	return 0;
}

static int tear_down(void **state)
{
	stream_put(&pool, *state);
	stream_pool_fini(&pool);
	return 0;
}

static void a_payload_in_pieces_is_one(void **state)
{
	struct stream *stream = *state;
	stream_add_payload(stream, (const uint8_t *)"{\"a\"", 4);
	stream_add_payload(stream, (const uint8_t *)":1}", 3);
	assert_int_equal(stream->request.payload_size, 7);
	assert_memory_equal(stream->payload, "{\"a\":1}", 7);
}

static void a_payload_too_large_is_counted_and_not_kept(void **state)
{
	struct stream *stream = *state;
	uint8_t bytes[4000] = {0};
	for (int i = 0; i < 5; i++)
		stream_add_payload(stream, bytes, sizeof(bytes));
	assert_int_equal(stream->request.payload_size, 20000);
}

static void ids_that_are_made_are_uuids_and_differ(void **state)
{
	struct stream *stream = *state;
	char before[37];
	stream_choose_id(stream, &pool);
	memcpy(before, stream->apns_id, sizeof(before));
	assert_int_equal(strlen(before), 36);
	assert_int_equal(before[14], '4');
	assert_non_null(strchr("89AB", before[19]));
	for (int i = 0; i < 36; i++) {
		bool is_dash = i == 8 || i == 13 || i == 18 || i == 23;
		assert_true(
			is_dash ? before[i] == '-' : strchr("0123456789ABCDEF", before[i]) != NULL);
	}
	stream_choose_id(stream, &pool);
	assert_string_not_equal(before, stream->apns_id);
}

static void the_requests_id_is_kept(void **state)
{
	struct stream *stream = *state;
	static const char id[] = "0715a26b-ca09-4730-a419-793000ca982e";
	stream->request.header[SERVICE_ID] = (struct text){id, 36};
	stream_choose_id(stream, &pool);
	assert_string_equal(stream->apns_id, id);
}

static void a_stream_comes_back_empty(void **state)
{
	struct stream *stream = *state;
	stream_add_payload(stream, (const uint8_t *)"{}", 2);
	stream->is_complete = true;
	stream_put(&pool, stream);
	struct stream *again = stream_get(&pool);
	*state = again;
	assert_ptr_equal(again, stream);
	assert_int_equal(again->request.payload_size, 0);
	assert_false(again->is_complete);
}

#define TEST(function) cmocka_unit_test_setup_teardown(function, set_up, tear_down)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(a_payload_in_pieces_is_one),
		TEST(a_payload_too_large_is_counted_and_not_kept),
		TEST(ids_that_are_made_are_uuids_and_differ),
		TEST(the_requests_id_is_kept),
		TEST(a_stream_comes_back_empty),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}

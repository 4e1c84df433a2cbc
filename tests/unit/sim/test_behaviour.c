#include "sim/behaviour.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#define DIGITS "0123456789abcdef"
#define TOKEN DIGITS DIGITS DIGITS DIGITS
#define ZEROS "0000000000000000000000000000000000000000000000000000000000000000"
#define UPPER_TOKEN "0123456789ABCDEF0123456789ABCDEF0123456789ABCDEF0123456789ABCDEF"

static const struct peer anybody = {.has_any_topic = true};
static const struct verdict gone = {.status = 410, .reason = "Unregistered"};
static const struct verdict busy = {.status = 503, .reason = "ServiceUnavailable"};

static int set_up(void **state)
{
	static struct behaviour behaviour;
	behaviour_init(&behaviour);
	*state = &behaviour;
	return 0;
}

static int tear_down(void **state)
{
	behaviour_fini(*state);
	return 0;
}

static int decide_for(struct behaviour *behaviour, const char *path)
{
	struct request request = {.payload_size = 2};
	request.header[SERVICE_METHOD] = (struct text){"POST", 4};
	request.header[SERVICE_PATH] = (struct text){path, strlen(path)};
	request.header[SERVICE_TOPIC] = (struct text){"a.b", 3};
	struct verdict verdict;
	behaviour_decide(behaviour, &request, &anybody, &verdict);
	return verdict.status;
}

static int decide(struct behaviour *behaviour)
{
	return decide_for(behaviour, "/3/device/" TOKEN);
}

static void a_good_day_answers_at_once(void **state)
{
	struct arrival arrival = behaviour_arrived(*state);
	assert_int_equal(arrival.what, ARRIVAL_ANSWER);
	assert_false(arrival.is_goaway);
	assert_false(behaviour_holds(*state));
	assert_int_equal(decide(*state), 200);
}

static void a_tokens_verdict_is_used_up(void **state)
{
	assert_true(behaviour_set_token(*state, UPPER_TOKEN, &gone, 2));
	assert_int_equal(decide(*state), 410);
	assert_int_equal(decide(*state), 410);
	assert_int_equal(decide(*state), 200);
}

static void a_permanent_verdict_stays(void **state)
{
	assert_true(behaviour_set_token(*state, TOKEN, &gone, BEHAVIOUR_FOREVER));
	for (int i = 0; i < 10; i++)
		assert_int_equal(decide(*state), 410);
}

static void a_topic_outlives_the_verdict(void **state)
{
	assert_true(behaviour_set_token(*state, TOKEN, &gone, 1));
	assert_true(behaviour_set_topic(*state, TOKEN, "x.y"));
	assert_int_equal(decide(*state), 410);
	assert_int_equal(decide(*state), 400);
	assert_true(behaviour_set_topic(*state, TOKEN, NULL));
	assert_int_equal(decide(*state), 200);
}

static void the_next_come_in_order_and_before_the_token(void **state)
{
	assert_true(behaviour_set_token(*state, TOKEN, &gone, 1));
	assert_true(behaviour_add_next(*state, &busy, 2));
	assert_true(behaviour_add_next(*state, &gone, 0));
	assert_true(behaviour_add_next(*state, &(struct verdict){.status = 500}, 1));
	const int expected[] = {503, 503, 500, 410, 200};
	for (size_t i = 0; i < sizeof(expected) / sizeof(expected[0]); i++)
		assert_int_equal(decide(*state), expected[i]);
}

static void a_trial_of_the_credential_does_not_use_up_the_next(void **state)
{
	static const char path[] = "/3/device/" ZEROS;
	assert_true(behaviour_add_next(*state, &busy, 1));
	assert_int_equal(decide_for(*state, path), 400);
	assert_int_equal(decide(*state), 503);
	assert_true(behaviour_set_token(*state, ZEROS, &busy, 1));
	assert_int_equal(decide_for(*state, path), 503);
}

static void only_so_many_can_come_next(void **state)
{
	for (int i = 0; i < BEHAVIOUR_NEXT_MAX; i++)
		assert_true(behaviour_add_next(*state, &busy, 1));
	assert_false(behaviour_add_next(*state, &busy, 1));
	assert_int_equal(decide(*state), 503);
	assert_true(behaviour_add_next(*state, &busy, 1));
}

static void goaway_and_reset_count_pushes(void **state)
{
	struct behaviour *behaviour = *state;
	behaviour->has_goaway = true;
	behaviour->goaway_after = 2;
	behaviour->has_reset = true;
	behaviour->reset_after = 3;
	assert_false(behaviour_arrived(behaviour).is_goaway);
	assert_true(behaviour_arrived(behaviour).is_goaway);
	assert_int_equal(behaviour_arrived(behaviour).what, ARRIVAL_RESET);
	struct arrival after = behaviour_arrived(behaviour);
	assert_int_equal(after.what, ARRIVAL_ANSWER);
	assert_false(after.is_goaway);
}

static void refused_streams_come_before_those_reset(void **state)
{
	struct behaviour *behaviour = *state;
	behaviour->rst_streams = 1;
	behaviour->rst_code = 11;
	behaviour->refuse_streams = 1;
	assert_int_equal(behaviour_arrived(behaviour).rst_code, 7);
	assert_int_equal(behaviour_arrived(behaviour).rst_code, 11);
	assert_int_equal(behaviour_arrived(behaviour).what, ARRIVAL_ANSWER);
}

static void clear_forgets_everything(void **state)
{
	struct behaviour *behaviour = *state;
	behaviour_set_token(behaviour, TOKEN, &gone, BEHAVIOUR_FOREVER);
	behaviour_add_next(behaviour, &busy, 1);
	behaviour->delay_ms = 5;
	behaviour->is_silent = true;
	behaviour->max_concurrent_streams = 1;
	behaviour_clear(behaviour);
	assert_int_equal(decide(behaviour), 200);
	assert_int_equal(behaviour->delay_ms, 0);
	assert_false(behaviour_holds(behaviour));
	assert_int_equal(behaviour->max_concurrent_streams, 1000);
	assert_int_equal(behaviour->initial_window_size, 65535);
}

#define TEST(function) cmocka_unit_test_setup_teardown(function, set_up, tear_down)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(a_good_day_answers_at_once),
		TEST(a_tokens_verdict_is_used_up),
		TEST(a_permanent_verdict_stays),
		TEST(a_topic_outlives_the_verdict),
		TEST(the_next_come_in_order_and_before_the_token),
		TEST(a_trial_of_the_credential_does_not_use_up_the_next),
		TEST(only_so_many_can_come_next),
		TEST(goaway_and_reset_count_pushes),
		TEST(refused_streams_come_before_those_reset),
		TEST(clear_forgets_everything),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}

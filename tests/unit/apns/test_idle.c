/*
 * Days without a push, and what falls due at the same moment: the real sender against apns-sim, on
 * a clock that stands still until the test lets time pass.
 */
#include "apns/sender.h"
#include "simulator.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>
#include <time.h>

#include <cmocka.h>

#include "../descriptors.h"

#define TOPIC "com.apple.mail.XServer.00000000-0000-0000-0000-000000000000"
#define TOKEN "0000000000000000000000000000000000000000000000000000000000000001"
#define PAYLOAD "{\"aps\":{\"account-id\":\"01234567-89AB-CDEF-0123-456789ABCDEF\"}}"
#define DAY_MS (24 * 60 * 60 * INT64_C(1000))

static struct simulator simulator;
static struct sender_settings settings;

static struct {
	int64_t now_ms;
	uv_loop_t loop;
	struct sender *sender;
	struct sender_push push;
	bool is_wanted, is_stopped, is_silent;
	unsigned told, not_told;
	json_int_t pings;
} world;

/* Instead of the C library's, for libuv as well. */
int clock_gettime(clockid_t id, struct timespec *ret)
{
	*ret = (struct timespec){.tv_sec = time(NULL)};
	if (id != CLOCK_REALTIME)
		*ret = (struct timespec){
			.tv_sec = world.now_ms / 1000, .tv_nsec = world.now_ms % 1000 * 1000000};
	return 0;
}

static void give_out(void)
{
	if (!world.is_wanted || sender_room(world.sender, TOPIC) == 0)
		return;
	world.push = (struct sender_push){.topic = TOPIC,
		.token = TOKEN,
		.payload = PAYLOAD,
		.payload_size = strlen(PAYLOAD)};
	world.is_wanted = !sender_push(world.sender, &world.push);
}

static void on_answered(void *ctx, struct sender_push *push, const struct apns_answer *answer,
	const struct verdict *verdict)
{
	(void)ctx;
	(void)push;
	(void)verdict;
	bool is_told = answer->ending == APNS_ANSWERED && answer->status == 200;
	world.told += is_told;
	world.not_told += !is_told;
	world.is_wanted = !is_told;
	give_out();
}

static void on_room(void *ctx, const char *topic)
{
	(void)ctx;
	(void)topic;
	give_out();
}

static void on_state(void *ctx, const struct credential *credential, const char *text)
{
	(void)ctx;
	(void)credential;
	(void)text;
}

/* Until nothing is left but to wait. */
static void settle(void)
{
	do
		uv_run(&world.loop, UV_RUN_NOWAIT);
	while (uv_loop_alive(&world.loop) && uv_backend_timeout(&world.loop) == 0);
}

/* Waits for what the server sends, while time stands still. */
#define until(condition)                                  \
	do {                                              \
		while (!(condition))                      \
			uv_run(&world.loop, UV_RUN_ONCE); \
		settle();                                 \
	} while (0)

/* The simulator has written it when it says so. */
static void wait_for_pong(void)
{
	world.pings++;
	while (simulator_stat(&simulator, "pings_answered") < world.pings)
		;
	settle();
}

/* From one timer to the next; a PING is answered before time goes on. */
static void let_pass(int64_t ms)
{
	int64_t until_ms = world.now_ms + ms;
	settle();
	while (world.now_ms < until_ms) {
		int64_t step_ms = uv_backend_timeout(&world.loop);
		if (step_ms <= 0 || step_ms > until_ms - world.now_ms)
			step_ms = until_ms - world.now_ms;
		world.now_ms += step_ms;
		settle();
		if (!world.is_silent && uv_backend_timeout(&world.loop) == settings.ping_timeout_ms)
			wait_for_pong();
	}
}

static unsigned connections(void)
{
	struct sender_counts counts;
	sender_count(world.sender, &counts);
	return counts.connections;
}

static void tell(void)
{
	unsigned told = world.told;
	world.is_wanted = true;
	give_out();
	until(world.told > told);
	/* All that the server had to say about it is here. */
	simulator_stat(&simulator, "pushes");
	settle();
}

static void be_silent(bool is_silent)
{
	world.is_silent = is_silent;
	simulator_do(&simulator,
		is_silent ? "{\"do\":\"silence\",\"on\":true}"
			  : "{\"do\":\"silence\",\"on\":false}");
}

static int begin(void **state)
{
	static const struct sender_callbacks callbacks = {on_answered, on_room, on_state};
	const struct credential_files files = {
		.name = "test", .certificate = simulator.certificate, .key = simulator.key};
	struct credential *credential;
	struct err err;
	(void)state;
	memset(&world, 0, sizeof(world));
	world.now_ms = DAY_MS;
	simulator_do(&simulator, "{\"do\":\"clear\",\"counters\":true}");
	sender_settings_init(&settings);
	settings.host = simulator.host;
	settings.port = simulator.port;
	settings.ca_file = simulator.ca;
	settings.connections = 1;
	settings.backoff_min_ms = settings.backoff_max_ms = 1;
	uv_loop_init(&world.loop);
	if (sender_new(&world.loop, &settings, &callbacks, &world, &world.sender, &err) < 0 ||
		credential_load(&files, &credential, &err) < 0)
		fail_msg("%s", err.text);
	sender_set_credentials(world.sender, &credential, 1);
	return 0;
}

static void on_stopped(void *ctx)
{
	bool *is_stopped = ctx;
	*is_stopped = true;
}

static int end(void **state)
{
	(void)state;
	sender_stop(world.sender, 0, on_stopped, &world.is_stopped);
	while (!world.is_stopped)
		uv_run(&world.loop, UV_RUN_NOWAIT);
	sender_free(world.sender);
	uv_run(&world.loop, UV_RUN_DEFAULT);
	return uv_loop_close(&world.loop);
}

static void a_connection_is_kept_for_days_and_used_again(void **state)
{
	(void)state;
	tell();
	unsigned before = descriptors_open();
	for (unsigned day = 0; day < 10; day++) {
		let_pass(DAY_MS);
		assert_int_equal(connections(), 1);
	}
	assert_int_equal(world.pings, 10 * DAY_MS / settings.ping_idle_ms);
	assert_int_equal(descriptors_open(), before);
	tell();
	assert_int_equal(world.not_told, 0);
	assert_int_equal(simulator_stat(&simulator, "connections_total"), 1);
}

static void a_peer_that_is_gone_after_days_is_noticed_without_a_push(void **state)
{
	(void)state;
	tell();
	unsigned before = descriptors_open();
	let_pass(3 * DAY_MS);
	be_silent(true);
	let_pass(settings.ping_idle_ms);
	assert_int_equal(connections(), 1);
	let_pass(settings.ping_timeout_ms);
	assert_int_equal(connections(), 0);
	assert_int_equal(descriptors_open(), before - 1);
	/* Nobody is connected to for nothing. */
	let_pass(3 * DAY_MS);
	assert_int_equal(simulator_stat(&simulator, "connections_total"), 1);
	be_silent(false);
	tell();
	assert_int_equal(world.not_told, 0);
	assert_int_equal(simulator_stat(&simulator, "connections_total"), 2);
}

static void a_peer_that_is_gone_when_the_push_comes_costs_seconds(void **state)
{
	(void)state;
	tell();
	let_pass(3 * DAY_MS + settings.ping_doubt_ms);
	be_silent(true);
	world.is_wanted = true;
	give_out();
	let_pass(settings.ping_timeout_ms);
	assert_int_equal(world.not_told, 1);
	be_silent(false);
	let_pass(1);
	until(world.told == 2);
	assert_int_equal(simulator_stat(&simulator, "connections_total"), 2);
}

static void count_links(void *ctx, const struct sender_way *way)
{
	*(size_t *)ctx += way->link_count;
}

static size_t links(void)
{
	size_t count = 0;
	sender_each_way(world.sender, count_links, &count);
	return count;
}

/* As an answer does that is read in the same turn, before or after the timers run. */
static void a_hold_that_is_repeated_when_the_probe_is_due_does_not_put_it_off(void **state)
{
	(void)state;
	tell();
	sender_hold(world.sender, TOPIC, "held by the test");
	settle();
	world.is_wanted = true;
	give_out();
	assert_int_equal(links(), 0);
	world.now_ms += settings.hold_probe_ms;
	uv_update_time(&world.loop);
	sender_hold(world.sender, TOPIC, "held by the test");
	settle();
	assert_int_equal(links(), 1);
	until(world.told == 2);
}

static void what_came_while_we_were_busy_is_read_before_time_is_up(void **state)
{
	(void)state;
	tell();
	world.now_ms += settings.ping_idle_ms;
	settle();
	world.pings++;
	while (simulator_stat(&simulator, "pings_answered") < world.pings)
		;
	/* The answer waits in the socket. */
	world.now_ms += settings.ping_timeout_ms;
	settle();
	assert_int_equal(connections(), 1);
	assert_int_equal(simulator_stat(&simulator, "connections_total"), 1);
}

/* What `answered` gave to others whose turn's end had come before is not left until something is.
 */
static void the_loop_turns_once_more_after_an_answer(void **state)
{
	(void)state;
	tell();
	world.is_wanted = true;
	give_out();
	while (world.told < 2)
		uv_run(&world.loop, UV_RUN_NOWAIT);
	assert_int_equal(uv_backend_timeout(&world.loop), 0);
}

#define T(name) cmocka_unit_test_setup_teardown(name, begin, end)

int main(void)
{
	const struct CMUnitTest tests[] = {
		T(a_connection_is_kept_for_days_and_used_again),
		T(a_peer_that_is_gone_after_days_is_noticed_without_a_push),
		T(a_peer_that_is_gone_when_the_push_comes_costs_seconds),
		T(a_hold_that_is_repeated_when_the_probe_is_due_does_not_put_it_off),
		T(what_came_while_we_were_busy_is_read_before_time_is_up),
		T(the_loop_turns_once_more_after_an_answer),
	};
	simulator_start(&simulator, "127.0.0.1");
	int failed = cmocka_run_group_tests(tests, NULL, NULL);
	simulator_stop(&simulator);
	simulator_remove(&simulator);
	return failed;
}

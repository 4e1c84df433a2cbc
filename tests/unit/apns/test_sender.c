/*
 * The real sender against apns-sim, which misbehaves as each test asks it to.  The loop is turned
 * until something is so; a guard ends a test in which it never comes.
 */
#include "apns/sender.h"

#include "base/clock.h"
#include "base/mem.h"
#include "simulator.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#define TOPIC "com.apple.mail.XServer.00000000-0000-0000-0000-000000000000"
#define OTHER_TOPIC "com.apple.mail.XServer.11111111-0000-0000-0000-000000000000"
#define PAYLOAD "{\"aps\":{\"account-id\":\"01234567-89AB-CDEF-0123-456789ABCDEF\"}}"
#define PHONES 3000
#define GUARD_MS 20000
#define TICK_MS 3 /* what the simulator alone knows is asked for again so often */

struct phone {
	struct sender_push push;
	char token[65];
	bool is_flying, is_waiting, was_proven;
	unsigned answers, told, not_processed, lost, silent;
	struct apns_answer last;
};

static struct simulator simulator;
static struct sender_settings settings;

static struct {
	uv_loop_t loop;
	uv_timer_t tick;
	struct sender *sender;
	bool is_stopped;

	const char *topic;
	bool sends_again; /* what was not told */
	bool holds;	  /* as verdict says */
	bool are_checks;  /* the pushes */
	struct phone phones[PHONES];
	size_t phone_count;
	size_t answers, told, not_processed, lost, silent, waiting;
	size_t largest_room;

	unsigned troubles, recoveries;
	char trouble[ERR_TEXT_MAX];
} world;

static void give_out(void)
{
	for (size_t i = 0; i < world.phone_count; i++) {
		struct phone *phone = &world.phones[i];
		if (!phone->is_waiting)
			continue;
		size_t room = sender_room(world.sender, world.topic);
		if (room > world.largest_room)
			world.largest_room = room;
		if (room == 0)
			return;
		phone->push.topic = world.topic;
		phone->push.token = phone->token;
		phone->push.is_check = world.are_checks;
		phone->push.payload = PAYLOAD;
		phone->push.payload_size = strlen(PAYLOAD);
		phone->push.expiration_unix_s = 1800000000;
		if (!sender_push(world.sender, &phone->push))
			fail_msg("there was room for it");
		phone->is_waiting = false;
		phone->is_flying = true;
		world.waiting--;
	}
}

static void on_answered(void *ctx, struct sender_push *push, const struct apns_answer *answer,
	const struct verdict *verdict)
{
	struct phone *phone = MEM_CONTAINER(push, struct phone, push);
	assert_ptr_equal(ctx, &world);
	assert_true(phone->is_flying);
	phone->is_flying = false;
	phone->last = *answer;
	phone->was_proven = verdict->is_proven;
	phone->answers++;
	world.answers++;
	bool is_told = answer->ending == APNS_ANSWERED && answer->status == 200;
	phone->told += is_told;
	world.told += is_told;
	world.not_processed += answer->ending == APNS_NOT_PROCESSED;
	world.lost += answer->ending == APNS_LOST;
	world.silent += answer->ending == APNS_SILENT;
	if (world.holds && verdict->action == VERDICT_HOLD)
		sender_hold(world.sender, push->topic, "held by the test");
	if (!is_told && world.sends_again) {
		phone->is_waiting = true;
		world.waiting++;
		give_out();
	}
}

static void on_room(void *ctx, const char *topic)
{
	assert_ptr_equal(ctx, &world);
	assert_string_equal(topic, world.topic);
	give_out();
}

static void on_state(void *ctx, const struct credential *credential, const char *text)
{
	assert_ptr_equal(ctx, &world);
	assert_non_null(credential);
	world.troubles += text != NULL;
	world.recoveries += text == NULL;
	snprintf(world.trouble, sizeof(world.trouble), "%s", text ? text : "");
}

static struct credential *load(const char *certificate, const char *key)
{
	const struct credential_files files = {
		.name = "test", .certificate = certificate, .key = key};
	struct credential *credential;
	struct err err;
	if (credential_load(&files, &credential, &err) < 0)
		fail_msg("%s", err.text);
	return credential;
}

static struct credential *load_other(const char *topic)
{
	char certificate[128], key[128];
	simulator_add_client(&simulator, "other", topic);
	snprintf(certificate, sizeof(certificate), "%s/other.pem", simulator.dir);
	snprintf(key, sizeof(key), "%s/other.key", simulator.dir);
	return load(certificate, key);
}

static void on_tick(uv_timer_t *timer)
{
	(void)timer;
}

/* With `settings`; a test changes them first. */
static void start(void)
{
	static const struct sender_callbacks callbacks = {on_answered, on_room, on_state};
	struct err err;
	if (sender_new(&world.loop, &settings, &callbacks, &world, &world.sender, &err) < 0)
		fail_msg("%s", err.text);
	struct credential *credential = load(simulator.certificate, simulator.key);
	sender_set_credentials(world.sender, &credential, 1);
}

static void want_pushes(size_t count)
{
	assert_true(world.phone_count + count <= PHONES);
	for (size_t i = 0; i < count; i++) {
		size_t n = world.phone_count++;
		struct phone *phone = &world.phones[n];
		snprintf(phone->token, sizeof(phone->token), "%064zx", n + 1);
		memset(phone->push.apns_id, (int)n, sizeof(phone->push.apns_id));
		phone->is_waiting = true;
		world.waiting++;
	}
	give_out();
}

/* Turns the loop until the condition holds. */
#define until(condition)                                                                       \
	do {                                                                                   \
		int64_t guard_ms = clock_monotonic_ms() + GUARD_MS;                            \
		uv_timer_start(&world.tick, on_tick, TICK_MS, TICK_MS);                        \
		while (!(condition)) {                                                         \
			if (clock_monotonic_ms() > guard_ms)                                   \
				fail_msg("never came: %s (%zu answers, %zu told, "             \
					 "trouble: %s)",                                       \
					#condition, world.answers, world.told, world.trouble); \
			uv_run(&world.loop, UV_RUN_ONCE);                                      \
		}                                                                              \
		uv_timer_stop(&world.tick);                                                    \
	} while (0)

/* Makes the simulator answer so to the next `count` pushes. */
static void next_answers(unsigned count, int status, const char *reason)
{
	mem_auto char *request =
		mem_printf("{\"do\":\"next\",\"count\":%u,\"status\":%d,\"reason\":\"%s\"}", count,
			status, reason);
	simulator_do(&simulator, request);
}

/* Pushes so many more, until `told` of all were accepted. */
static void push_until(size_t count, size_t told)
{
	want_pushes(count);
	until(world.told == told);
}

static void start_with(size_t pushes)
{
	start();
	push_until(pushes, pushes);
}

static int begin(void **state)
{
	(void)state;
	memset(&world, 0, sizeof(world));
	world.topic = TOPIC;
	uv_loop_init(&world.loop);
	uv_timer_init(&world.loop, &world.tick);
	sender_settings_init(&settings);
	settings.host = simulator.host;
	settings.port = simulator.port;
	settings.ca_file = simulator.ca;
	settings.connections = 1;
	settings.backoff_min_ms = 4;
	settings.backoff_max_ms = 20;
	settings.hold_probe_ms = 30;
	simulator_do(&simulator, "{\"do\":\"clear\",\"counters\":true}");
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
	if (world.sender) {
		if (!world.is_stopped) {
			world.sends_again = false;
			sender_stop(world.sender, 0, on_stopped, &world.is_stopped);
			until(world.is_stopped);
		}
		sender_free(world.sender);
	}
	uv_close((uv_handle_t *)&world.tick, NULL);
	uv_run(&world.loop, UV_RUN_DEFAULT);
	return uv_loop_close(&world.loop);
}

static size_t in_flight(void)
{
	struct sender_counts counts;
	sender_count(world.sender, &counts);
	return counts.in_flight;
}

static void each_was_answered_once_and_told(void)
{
	for (size_t i = 0; i < world.phone_count; i++) {
		assert_int_equal(world.phones[i].answers, 1);
		assert_int_equal(world.phones[i].told, 1);
	}
}

static void each_was_told_once(void)
{
	for (size_t i = 0; i < world.phone_count; i++)
		assert_int_equal(world.phones[i].told, 1);
}

static const char *header(const json_t *push, const char *name)
{
	const json_t *headers = json_object_get(push, "headers");
	return json_string_value(json_object_get(headers, name));
}

static void a_push_carries_what_apple_wants_to_know(void **state)
{
	(void)state;
	start_with(1);
	json_t *push = NULL;
	until((push = simulator_last_push(&simulator)));
	assert_string_equal(json_string_value(json_object_get(push, "token")),
		"0000000000000000000000000000000000000000000000000000000000000001");
	assert_string_equal(header(push, "apns-topic"), TOPIC);
	assert_string_equal(header(push, "apns-push-type"), "background");
	assert_string_equal(header(push, "apns-expiration"), "1800000000");
	assert_string_equal(header(push, "apns-id"), "00000000-0000-0000-0000-000000000000");
	assert_string_equal(header(push, "content-type"), "application/json");
	assert_null(header(push, "apns-priority"));
	json_t *payload = json_loads(PAYLOAD, 0, NULL);
	assert_true(json_equal(json_object_get(push, "payload"), payload));
	json_decref(payload);
	json_decref(push);
}

static void a_configured_priority_is_sent(void **state)
{
	(void)state;
	settings.priority = 5;
	start_with(2);
	json_t *push = NULL;
	until((push = simulator_last_push(&simulator)) && header(push, "apns-priority"));
	assert_string_equal(header(push, "apns-priority"), "5");
	json_decref(push);
}

static void localhost_is_a_host_too(void **state)
{
	(void)state;
	settings.host = "localhost";
	start_with(1);
}

static void thousands_keep_to_the_streams_and_the_window_of_the_server(void **state)
{
	(void)state;
	start();
	want_pushes(PHONES);
	until(world.answers == PHONES);
	each_was_answered_once_and_told();
	assert_int_in_range(simulator_stat(&simulator, "in_flight_max"), 2, 1000);
	assert_int_equal(simulator_stat(&simulator, "connections_total"), 1);
}

/* Room is said for as large ones as the last; larger ones use the window up before. */
static void larger_pushes_than_the_last_are_taken_as_far_as_the_window_goes(void **state)
{
	static const char large[PAYLOAD_MAX];
	static struct phone more[PHONES];
	(void)state;
	start_with(1);
	simulator_do(&simulator, "{\"do\":\"hold\",\"on\":true}");
	until(sender_room(world.sender, world.topic) > 100);
	size_t taken = 0;
	size_t room = sender_room(world.sender, world.topic);
	for (; taken < room; taken++) {
		more[taken].push = (struct sender_push){.topic = world.topic,
			.token = "00",
			.payload = large,
			.payload_size = sizeof(large)};
		if (!sender_push(world.sender, &more[taken].push))
			break;
		more[taken].is_flying = true;
	}
	assert_int_in_range(taken, 15, 16);
	assert_int_equal(in_flight(), taken);
	assert_int_equal(sender_room(world.sender, world.topic), 0);
	simulator_do(&simulator, "{\"do\":\"hold\",\"on\":false}");
	until(world.answers == 1 + taken);
	until(sender_room(world.sender, world.topic) > 0);
}

static void a_push_without_a_credential_is_not_taken(void **state)
{
	(void)state;
	start();
	struct sender_push push = {.topic = "com.example",
		.token = "00",
		.payload = PAYLOAD,
		.payload_size = strlen(PAYLOAD)};
	assert_false(sender_push(world.sender, &push));
}

static void small_stream_windows_delay_and_lose_nothing(void **state)
{
	(void)state;
	simulator_do(&simulator, "{\"do\":\"settings\",\"initial_window_size\":10}");
	start();
	want_pushes(200);
	until(world.answers == 200);
	each_was_answered_once_and_told();
}

static void a_lowered_limit_is_honoured_live(void **state)
{
	(void)state;
	start_with(50);
	simulator_do(&simulator, "{\"do\":\"settings\",\"max_concurrent_streams\":1}");
	/* The answer to this one comes behind the SETTINGS. */
	push_until(1, 51);
	simulator_do(&simulator, "{\"do\":\"hold\",\"on\":true}");
	want_pushes(20);
	until(simulator_stat(&simulator, "waiting") == 1);
	assert_int_equal(in_flight(), 1);
	assert_int_equal(world.waiting, 19);
	simulator_do(&simulator, "{\"do\":\"hold\",\"on\":false}");
	until(world.told == 71);
	each_was_answered_once_and_told();
}

static void what_a_goaway_leaves_out_goes_elsewhere_at_once(void **state)
{
	(void)state;
	simulator_do(&simulator, "{\"do\":\"goaway\",\"after\":10,\"last\":\"none\"}");
	world.sends_again = true;
	start_with(500);
	each_was_told_once();
	assert_true(world.not_processed > 0);
	assert_int_equal(world.lost + world.silent, 0);
	assert_int_equal(simulator_stat(&simulator, "connections_total"), 2);
}

static void what_a_goaway_includes_is_answered_first(void **state)
{
	(void)state;
	start_with(1);
	simulator_do(&simulator, "{\"do\":\"hold\",\"on\":true}");
	want_pushes(100);
	until(simulator_stat(&simulator, "waiting") == 100);
	simulator_do(&simulator, "{\"do\":\"goaway\",\"reason\":\"Shutdown\"}");
	simulator_do(&simulator, "{\"do\":\"hold\",\"on\":false}");
	until(world.answers == 101);
	each_was_answered_once_and_told();
	push_until(1, 102);
	assert_int_equal(simulator_stat(&simulator, "connections_total"), 2);
	assert_int_equal(world.troubles, 0);
}

static void a_server_that_says_goaway_and_answers_nothing_is_not_knocked_at_in_a_loop(void **state)
{
	(void)state;
	settings.backoff_min_ms = settings.backoff_max_ms = 2 * GUARD_MS;
	settings.push_deadline_ms = 1000;
	simulator_do(&simulator, "{\"do\":\"hold\",\"on\":true}");
	start();
	want_pushes(1);
	until(simulator_stat(&simulator, "waiting") == 1);
	simulator_do(&simulator, "{\"do\":\"goaway\"}");
	struct sender_counts counts = {.connections = 1};
	until((sender_count(world.sender, &counts), counts.connections == 0));
	want_pushes(1);
	until(world.silent == 1);
	assert_int_equal(simulator_stat(&simulator, "connections_total"), 1);
}

static void a_goaway_about_our_certificate_holds_and_is_probed(void **state)
{
	(void)state;
	start_with(1);
	world.sends_again = true;
	simulator_do(&simulator, "{\"do\":\"goaway\",\"reason\":\"BadCertificate\"}");
	until(world.troubles == 1);
	assert_non_null(strstr(world.trouble, "BadCertificate"));
	want_pushes(3);
	assert_int_equal(world.waiting, 3);
	until(world.told == 4);
	assert_int_equal(world.recoveries, 1);
	assert_int_equal(world.troubles, 1);
}

static void what_a_reset_takes_along_is_lost_and_said_so(void **state)
{
	(void)state;
	start_with(1);
	simulator_do(&simulator, "{\"do\":\"hold\",\"on\":true}");
	want_pushes(100);
	until(simulator_stat(&simulator, "waiting") == 100);
	simulator_do(&simulator, "{\"do\":\"reset\"}");
	until(world.answers == 101);
	assert_int_equal(world.lost, 100);
	simulator_do(&simulator, "{\"do\":\"hold\",\"on\":false}");
	push_until(1, 2);
	assert_int_equal(simulator_stat(&simulator, "connections_total"), 2);
}

static void a_refused_stream_is_sent_again_on_the_same_connection(void **state)
{
	(void)state;
	simulator_do(&simulator, "{\"do\":\"refuse_streams\",\"count\":40}");
	world.sends_again = true;
	start_with(300);
	each_was_told_once();
	assert_int_equal(world.not_processed, 40);
	assert_int_equal(world.lost + world.silent, 0);
}

static void a_server_that_refuses_every_stream_is_left_alone_for_a_while(void **state)
{
	(void)state;
	simulator_do(&simulator, "{\"do\":\"refuse_streams\",\"count\":30}");
	world.sends_again = true;
	start_with(1);
	assert_int_equal(world.not_processed, 30);
	assert_int_in_range(simulator_stat(&simulator, "connections_total"), 10, 12);
}

static void another_stream_error_is_an_unknown_end(void **state)
{
	(void)state;
	simulator_do(&simulator, "{\"do\":\"rst_streams\",\"count\":1,\"code\":2}");
	start();
	want_pushes(1);
	until(world.answers == 1);
	assert_int_equal(world.lost, 1);
}

static void a_push_that_gets_no_answer_is_given_up_and_the_connection_kept(void **state)
{
	(void)state;
	settings.push_deadline_ms = 30;
	simulator_do(&simulator, "{\"do\":\"hold\",\"on\":true}");
	start();
	want_pushes(2);
	until(world.answers == 2);
	assert_int_equal(world.silent, 2);
	simulator_do(&simulator, "{\"do\":\"hold\",\"on\":false}");
	assert_int_equal(simulator_stat(&simulator, "connections_total"), 1);
	assert_int_equal(simulator_stat(&simulator, "connections_open"), 1);
}

static void a_connection_that_answers_pings_but_no_push_is_replaced(void **state)
{
	(void)state;
	settings.push_deadline_ms = 30;
	world.sends_again = true;
	simulator_do(&simulator, "{\"do\":\"hold\",\"on\":true}");
	start();
	want_pushes(1);
	until(simulator_stat(&simulator, "connections_total") >= 2);
	assert_int_in_range(world.silent, 3, 4);
	assert_int_equal(world.lost, 0);
	simulator_do(&simulator, "{\"do\":\"hold\",\"on\":false}");
	until(world.told == 1);
}

static void a_connection_that_resets_push_after_push_is_replaced(void **state)
{
	(void)state;
	start_with(1);
	world.sends_again = true;
	simulator_do(&simulator, "{\"do\":\"rst_streams\",\"count\":3,\"code\":2}");
	push_until(1, 2);
	assert_int_equal(world.lost, 3);
	assert_int_equal(simulator_stat(&simulator, "connections_total"), 2);
}

/* On a connection that a slow machine may lose on the way. */
static void push_until_one_is_told(void)
{
	size_t told = world.told;
	world.sends_again = true;
	want_pushes(1);
	until(world.told == told + 1);
	world.sends_again = false;
}

static void a_missed_ping_replaces_the_connection(void **state)
{
	(void)state;
	settings.ping_silence_ms = 300;
	settings.ping_timeout_ms = 300;
	start();
	push_until_one_is_told();
	size_t answers = world.answers;
	size_t lost = world.lost;
	simulator_do(&simulator, "{\"do\":\"silence\",\"on\":true}");
	want_pushes(3);
	until(world.answers == answers + 3);
	assert_int_equal(world.lost, lost + 3);
	simulator_do(&simulator, "{\"do\":\"silence\",\"on\":false}");
	push_until_one_is_told();
	assert_true(simulator_stat(&simulator, "connections_total") >= 2);
}

static void an_answered_ping_keeps_the_connection(void **state)
{
	(void)state;
	settings.ping_silence_ms = 10;
	settings.push_deadline_ms = 120;
	simulator_do(&simulator, "{\"do\":\"hold\",\"on\":true}");
	start();
	want_pushes(1);
	until(world.answers == 1);
	assert_int_equal(world.silent, 1);
	assert_int_equal(simulator_stat(&simulator, "connections_total"), 1);
}

static void an_unreachable_server_is_reported_once_and_again_when_it_is_back(void **state)
{
	(void)state;
	simulator_do(&simulator, "{\"do\":\"refuse\",\"on\":true}");
	world.sends_again = true;
	start();
	want_pushes(3);
	until(world.troubles == 1);
	assert_non_null(strstr(world.trouble, "Connection refused"));
	assert_non_null(strstr(world.trouble, "firewall"));
	/* Some attempts later it is still said once. */
	int64_t until_ms = clock_monotonic_ms() + 100;
	until(clock_monotonic_ms() >= until_ms);
	assert_int_equal(world.troubles, 1);
	simulator_do(&simulator, "{\"do\":\"refuse\",\"on\":false}");
	until(world.told == 3);
	assert_int_equal(world.recoveries, 1);
}

static void nothing_is_connected_before_somebody_asks(void **state)
{
	(void)state;
	start();
	int64_t until_ms = clock_monotonic_ms() + 50;
	until(clock_monotonic_ms() >= until_ms);
	assert_int_equal(simulator_stat(&simulator, "connections_total"), 0);
}

static void an_answer_comes_with_status_reason_and_timestamp(void **state)
{
	(void)state;
	simulator_do(&simulator,
		"{\"do\":\"next\",\"count\":1,\"status\":410,"
		"\"reason\":\"Unregistered\",\"timestamp\":1700000000123}");
	start();
	want_pushes(1);
	until(world.answers == 1);
	assert_int_equal(world.phones[0].last.ending, APNS_ANSWERED);
	assert_int_equal(world.phones[0].last.status, 410);
	assert_string_equal(world.phones[0].last.reason, "Unregistered");
	assert_int_equal(world.phones[0].last.timestamp_unix_ms, INT64_C(1700000000123));
	assert_int_equal(world.phones[0].last.retry_after_ms, -1);
}

static void retry_after_comes_with_the_answer(void **state)
{
	(void)state;
	simulator_do(&simulator,
		"{\"do\":\"next\",\"count\":1,\"status\":503,"
		"\"reason\":\"ServiceUnavailable\",\"retry_after\":\"7\"}");
	start();
	want_pushes(1);
	until(world.answers == 1);
	assert_int_equal(world.phones[0].last.status, 503);
	assert_int_equal(world.phones[0].last.retry_after_ms, 7000);
}

static void retry_after_as_a_date_comes_with_the_answer(void **state)
{
	(void)state;
	simulator_do(&simulator,
		"{\"do\":\"next\",\"count\":1,\"status\":429,\"reason\":\"TooManyRequests\","
		"\"retry_after\":\"Sun, 06 Nov 1994 08:49:37 GMT\"}");
	start();
	want_pushes(1);
	until(world.answers == 1);
	assert_int_equal(world.phones[0].last.retry_after_ms, -1);
	assert_int_equal(world.phones[0].last.retry_at_unix_ms, INT64_C(784111777000));
}

/* The same answers, however they come. */
static void answers_are_understood(void)
{
	simulator_do(&simulator,
		"{\"do\":\"next\",\"count\":1,\"status\":410,"
		"\"reason\":\"Unregistered\",\"timestamp\":1700000000123}");
	start();
	want_pushes(1);
	until(world.answers == 1);
	assert_int_equal(world.phones[0].last.status, 410);
	assert_string_equal(world.phones[0].last.reason, "Unregistered");
	assert_int_equal(world.phones[0].last.timestamp_unix_ms, INT64_C(1700000000123));
	push_until(300, 300);
	assert_int_equal(simulator_stat(&simulator, "connections_total"), 1);
}

static void interim_responses_padding_and_trailers_change_nothing(void **state)
{
	(void)state;
	simulator_do(
		&simulator, "{\"do\":\"answers\",\"interim\":true,\"trailers\":true,\"pad\":200}");
	answers_are_understood();
}

static void headers_in_continuation_frames_change_nothing(void **state)
{
	(void)state;
	simulator_do(&simulator, "{\"do\":\"answers\",\"fields\":40000}");
	answers_are_understood();
}

static void a_body_without_end_is_cut(void **state)
{
	(void)state;
	simulator_do(&simulator, "{\"do\":\"answers\",\"body\":1000000}");
	answers_are_understood();
}

static void a_shutdown_in_two_steps_costs_no_push(void **state)
{
	(void)state;
	simulator_do(&simulator, "{\"do\":\"goaway\",\"after\":100,\"last\":\"graceful\"}");
	start();
	world.sends_again = true;
	push_until(2000, 2000);
	each_was_told_once();
	assert_int_equal(world.lost + world.silent, 0);
	assert_int_equal(simulator_stat(&simulator, "connections_total"), 2);
}

static void an_error_code_in_a_goaway_is_no_refusal(void **state)
{
	(void)state;
	start_with(1);
	simulator_do(&simulator, "{\"do\":\"goaway\",\"code\":11}");
	want_pushes(1);
	world.sends_again = true;
	until(world.told == 2);
	assert_int_equal(world.troubles, 0);
}

static void a_limit_that_goes_down_and_up_is_followed(void **state)
{
	static const struct {
		const char *settings;
		size_t limit, pushes;
	} steps[] = {
		{"{\"do\":\"settings\",\"max_concurrent_streams\":1}", 1, 20},
		{"{\"do\":\"settings\",\"max_concurrent_streams\":500}", 500, 700},
		{"{\"do\":\"settings\",\"max_concurrent_streams\":1000}", 1000, 1100},
	};
	(void)state;
	start_with(1);
	/* The window is 65 535 bytes, and there are to be more streams than fit. */
	simulator_do(&simulator, "{\"do\":\"hold\",\"on\":true}");
	want_pushes(1100);
	until(simulator_stat(&simulator, "waiting") == 1000);
	size_t wanted = 1101;
	for (size_t i = 0; i < 3; i++) {
		/* The SETTINGS come before the answers to what is in flight. */
		simulator_do(&simulator, steps[i].settings);
		simulator_do(&simulator, "{\"do\":\"hold\",\"on\":false}");
		until(world.told == wanted);
		simulator_do(&simulator, "{\"do\":\"hold\",\"on\":true}");
		want_pushes(steps[i].pushes);
		wanted += steps[i].pushes;
		until(simulator_stat(&simulator, "waiting") == (json_int_t)steps[i].limit);
		assert_int_equal(in_flight(), steps[i].limit);
	}
	simulator_do(&simulator, "{\"do\":\"hold\",\"on\":false}");
	until(world.told == wanted);
	each_was_answered_once_and_told();
	assert_int_equal(simulator_stat(&simulator, "connections_total"), 1);
}

static void odd_settings_are_followed(void **state)
{
	(void)state;
	start_with(1);
	simulator_do(&simulator,
		"{\"do\":\"settings\",\"header_table_size\":0,\"max_frame_size\":16777215,"
		"\"initial_window_size\":0}");
	/* Each of them on a stream without a window, then with one. */
	want_pushes(1);
	until(in_flight() == 1);
	simulator_do(&simulator,
		"{\"do\":\"settings\",\"initial_window_size\":1,\"header_table_size\":65536}");
	want_pushes(100);
	simulator_do(&simulator, "{\"do\":\"settings\",\"initial_window_size\":2147483647}");
	until(world.told == 102);
	each_was_answered_once_and_told();
	assert_int_equal(simulator_stat(&simulator, "connections_total"), 1);
}

static void frames_to_acknowledge_are_acknowledged(void **state)
{
	(void)state;
	start_with(1);
	simulator_do(&simulator, "{\"do\":\"flood\",\"count\":200}");
	simulator_do(&simulator, "{\"do\":\"flood\",\"count\":200,\"frames\":\"settings\"}");
	push_until(100, 101);
	assert_int_equal(simulator_stat(&simulator, "connections_total"), 1);
}

static void a_flood_of_frames_ends_the_connection_and_no_push_is_lost(void **state)
{
	(void)state;
	start_with(1);
	world.sends_again = true;
	simulator_do(&simulator, "{\"do\":\"flood\",\"count\":1000000}");
	push_until(100, 101);
	until(simulator_stat(&simulator, "connections_open") == 1);
	assert_int_equal(simulator_stat(&simulator, "connections_total"), 2);
}

static void connections_are_replaced_before_stream_ids_run_out(void **state)
{
	(void)state;
	settings.first_stream_id = INT32_MAX - 100000 - 2;
	world.sends_again = true;
	start_with(1);
	push_until(200, 201);
	push_until(1, 202);
	each_was_told_once();
	assert_int_equal(world.lost + world.silent, 0);
	assert_int_equal(simulator_stat(&simulator, "connections_total"), 2);
}

static void a_200_proves_for_a_while_only(void **state)
{
	(void)state;
	settings.proven_ms = 1;
	start_with(1);
	next_answers(1, 400, "BadDeviceToken");
	int64_t until_ms = clock_monotonic_ms() + 5;
	until(clock_monotonic_ms() >= until_ms);
	want_pushes(1);
	until(world.answers == 2);
	assert_false(world.phones[1].was_proven);
}

static void a_push_after_a_long_silence_takes_a_ping_along(void **state)
{
	(void)state;
	settings.ping_doubt_ms = 0;
	settings.ping_timeout_ms = 300;
	settings.ping_silence_ms = GUARD_MS;
	settings.push_deadline_ms = GUARD_MS;
	start();
	push_until_one_is_told();
	size_t lost = world.lost;
	simulator_do(&simulator, "{\"do\":\"silence\",\"on\":true}");
	want_pushes(1);
	until(world.lost == lost + 1);
	simulator_do(&simulator, "{\"do\":\"silence\",\"on\":false}");
}

static void a_tls_alert_about_our_certificate_holds(const char *fault, const char *alert)
{
	char request[64];
	snprintf(request, sizeof(request), "{\"do\":\"tls\",\"client\":\"%s\"}", fault);
	simulator_do(&simulator, request);
	settings.hold_probe_ms = GUARD_MS;
	world.sends_again = true;
	start();
	want_pushes(1);
	until(world.troubles == 1);
	assert_non_null(strstr(world.trouble, "refused our certificate"));
	if (!strstr(world.trouble, alert))
		fail_msg("'%s' should name '%s'", world.trouble, alert);
	assert_int_equal(sender_room(world.sender, TOPIC), 0);
	assert_int_equal(world.waiting, 1);
	assert_int_equal(simulator_stat(&simulator, "pushes"), 0);
}

static void a_bad_certificate_is_refused_and_held(void **state)
{
	(void)state;
	a_tls_alert_about_our_certificate_holds("bad", "bad certificate");
}

static void an_expired_certificate_is_refused_and_held(void **state)
{
	(void)state;
	a_tls_alert_about_our_certificate_holds("expired", "certificate expired");
}

static void a_revoked_certificate_is_refused_and_held(void **state)
{
	(void)state;
	a_tls_alert_about_our_certificate_holds("revoked", "certificate revoked");
}

static void a_certificate_of_an_unknown_authority_is_refused_and_held(void **state)
{
	(void)state;
	a_tls_alert_about_our_certificate_holds("stranger", "unknown ca");
}

static void a_refusal_in_the_handshake_is_probed_and_recovers(void **state)
{
	(void)state;
	simulator_do(&simulator, "{\"do\":\"tls\",\"client\":\"revoked\"}");
	world.sends_again = true;
	start();
	want_pushes(3);
	until(world.troubles == 1);
	until(simulator_stat(&simulator, "connections_total") >= 2);
	simulator_do(&simulator, "{\"do\":\"tls\"}");
	until(world.told == 3);
	assert_int_equal(world.troubles, 1);
	assert_int_equal(world.recoveries, 1);
}

static void a_server_without_http2_is_a_trouble(void **state)
{
	static const char *const faults[] = {
		"{\"do\":\"tls\",\"alpn\":\"none\"}", "{\"do\":\"tls\",\"alpn\":\"refuse\"}"};
	(void)state;
	start();
	for (size_t i = 0; i < 2; i++) {
		simulator_do(&simulator, faults[i]);
		want_pushes(1);
		until(world.troubles == i + 1);
		assert_non_null(strstr(world.trouble, "does not offer HTTP/2"));
		assert_int_equal(world.waiting, 1);
		simulator_do(&simulator, "{\"do\":\"tls\"}");
		until(world.told == i + 1);
		simulator_do(&simulator, "{\"do\":\"goaway\"}");
		until(simulator_stat(&simulator, "connections_open") == 0);
	}
}

static void only_a_200_proves_credential_and_host(void **state)
{
	(void)state;
	next_answers(1, 400, "BadDeviceToken");
	start();
	want_pushes(1);
	until(world.answers == 1);
	assert_false(world.phones[0].was_proven);
	want_pushes(1);
	until(world.answers == 2);
	assert_true(world.phones[1].was_proven);
	next_answers(1, 400, "BadDeviceToken");
	want_pushes(1);
	until(world.answers == 3);
	assert_true(world.phones[2].was_proven);
}

static void shutdown_moves_to_a_new_connection(void **state)
{
	(void)state;
	start_with(1);
	world.sends_again = true;
	next_answers(1, 503, "Shutdown");
	push_until(1, 2);
	assert_int_equal(simulator_stat(&simulator, "connections_total"), 2);
}

static void repeated_server_errors_replace_the_connection(void **state)
{
	(void)state;
	start_with(1);
	world.sends_again = true;
	next_answers(3, 500, "InternalServerError");
	push_until(1, 2);
	assert_int_equal(simulator_stat(&simulator, "connections_total"), 2);
}

static void a_held_credential_is_probed_until_it_is_good(void **state)
{
	(void)state;
	world.sends_again = true;
	world.holds = true;
	next_answers(3, 403, "Forbidden");
	start();
	want_pushes(1);
	until(world.answers == 1);
	assert_int_equal(sender_room(world.sender, TOPIC), 0);
	until(world.told == 1);
	assert_int_equal(world.answers, 4);
	assert_int_equal(world.troubles, 1);
	assert_int_equal(world.recoveries, 1);
	/* A connection of before the refusal is not probed with. */
	assert_int_equal(simulator_stat(&simulator, "connections_total"), 2);
}

static void held_by(const char *request)
{
	world.holds = true;
	next_answers(1, 403, "Forbidden");
	start();
	want_pushes(1);
	until(world.troubles == 1);
	simulator_do(&simulator, request);
}

static void a_service_that_fails_does_not_end_a_hold(void **state)
{
	(void)state;
	world.sends_again = true;
	held_by("{\"do\":\"next\",\"count\":3,\"status\":503,"
		"\"reason\":\"ServiceUnavailable\"}");
	want_pushes(10);
	until(world.answers == 4);
	assert_int_equal(world.recoveries, 0);
	until(world.told == 11);
	assert_int_equal(world.recoveries, 1);
	/* One at a time, and the last of the four was let through alone too. */
	assert_int_equal(world.answers, 1 + 3 + 11);
}

static void an_answer_about_the_push_ends_a_hold(void **state)
{
	(void)state;
	world.sends_again = true;
	held_by("{\"do\":\"next\",\"count\":1,\"status\":410,\"reason\":\"Unregistered\"}");
	until(world.recoveries == 1);
	assert_int_equal(world.told, 0);
}

static void a_probe_without_an_answer_is_not_repeated_at_once(void **state)
{
	(void)state;
	settings.hold_probe_ms = GUARD_MS;
	held_by("{\"do\":\"rst_streams\",\"count\":1}");
	world.phones[0].is_waiting = true;
	world.waiting++;
	simulator_do(&simulator, "{\"do\":\"clear\"}");
	give_out();
	assert_int_equal(sender_room(world.sender, TOPIC), 0);
	assert_int_equal(world.answers, 1);
}

/* It left before, and says nothing about what Apple thinks of the credential by now. */
static void what_was_in_flight_when_a_hold_began_does_not_end_it(void **state)
{
	(void)state;
	settings.hold_probe_ms = GUARD_MS;
	world.holds = true;
	start_with(1);
	simulator_do(&simulator, "{\"do\":\"hold\",\"on\":true}");
	want_pushes(3);
	until(simulator_stat(&simulator, "waiting") == 3);
	next_answers(1, 403, "Forbidden");
	next_answers(2, 410, "Unregistered");
	simulator_do(&simulator, "{\"do\":\"hold\",\"on\":false}");
	until(world.answers == 4);
	assert_int_equal(world.recoveries, 0);
	assert_int_equal(sender_room(world.sender, TOPIC), 0);
}

static void a_hold_that_is_asked_for_again_does_not_put_off_the_probe(void **state)
{
	(void)state;
	held_by("{\"do\":\"clear\"}");
	want_pushes(1);
	until(world.told || (sender_hold(world.sender, TOPIC, "held by the test"), false));
}

static void note_way(void *ctx, const struct sender_way *way)
{
	struct sender_way *seen = ctx;
	*seen = *way;
}

static struct sender_way way(void)
{
	struct sender_way seen = {0};
	sender_each_way(world.sender, note_way, &seen);
	return seen;
}

static void a_held_credential_is_probed_at_once_on_request(void **state)
{
	(void)state;
	settings.hold_probe_ms = GUARD_MS;
	world.sends_again = true;
	held_by("{\"do\":\"clear\"}");
	assert_true(way().is_held);
	assert_true(way().try_in_ms > 0);
	sender_hurry(world.sender);
	assert_int_equal(way().try_in_ms, 0);
	until(world.told == 1);
	assert_false(way().is_held);
}

static void requests_in_a_row_let_one_probe_go(void **state)
{
	(void)state;
	settings.hold_probe_ms = 4 * GUARD_MS;
	settings.hurry_least_ms = 2 * GUARD_MS;
	world.sends_again = true;
	held_by("{\"do\":\"next\",\"count\":1,\"status\":403,\"reason\":\"Forbidden\"}");
	sender_hurry(world.sender);
	until(world.answers == 2);
	int64_t next_ms = way().try_in_ms;
	assert_true(next_ms > 2 * GUARD_MS);
	sender_hurry(world.sender);
	sender_hurry(world.sender);
	/* Brought forward, but not to now. */
	assert_true(way().try_in_ms < next_ms && way().try_in_ms > 0);
	assert_int_equal(sender_room(world.sender, TOPIC), 0);
}

static void one_that_backs_off_connects_at_once_on_request(void **state)
{
	(void)state;
	settings.backoff_min_ms = settings.backoff_max_ms = 2 * GUARD_MS;
	world.sends_again = true;
	simulator_do(&simulator, "{\"do\":\"tls\",\"alpn\":\"none\"}");
	start();
	want_pushes(1);
	until(world.troubles == 1);
	assert_false(way().is_held);
	simulator_do(&simulator, "{\"do\":\"clear\"}");
	sender_hurry(world.sender);
	until(world.told == 1);
}

static void a_check_is_not_taken_for_a_push_to_a_phone(void **state)
{
	(void)state;
	start();
	assert_int_equal(way().served_ms, -1);
	world.are_checks = true;
	push_until(1, 1);
	assert_int_equal(way().served_ms, -1);
	world.are_checks = false;
	push_until(1, 2);
	assert_true(way().served_ms >= 0);
}

static void a_probe_is_a_single_push(void **state)
{
	(void)state;
	world.holds = true;
	next_answers(1, 403, "Forbidden");
	start();
	want_pushes(1);
	until(world.answers == 1);
	simulator_do(&simulator, "{\"do\":\"hold\",\"on\":true}");
	want_pushes(10);
	until(simulator_stat(&simulator, "waiting") == 1);
	assert_int_equal(in_flight(), 1);
	assert_int_equal(world.waiting, 9);
	simulator_do(&simulator, "{\"do\":\"hold\",\"on\":false}");
	until(world.told == 10);
}

static void a_topic_without_a_credential_has_no_room(void **state)
{
	(void)state;
	start();
	assert_false(sender_has_credential(world.sender, "com.example"));
	assert_true(sender_has_credential(world.sender, TOPIC));
	assert_int_equal(sender_room(world.sender, "com.example"), 0);
}

static void a_replaced_credential_finishes_what_it_has(void **state)
{
	(void)state;
	start_with(1);
	simulator_do(&simulator, "{\"do\":\"hold\",\"on\":true}");
	want_pushes(20);
	until(simulator_stat(&simulator, "waiting") == 20);

	struct credential *credential = load_other(OTHER_TOPIC);
	sender_set_credentials(world.sender, &credential, 1);
	assert_false(sender_has_credential(world.sender, TOPIC));
	world.topic = OTHER_TOPIC;
	want_pushes(1);
	simulator_do(&simulator, "{\"do\":\"hold\",\"on\":false}");
	until(world.told == 22);
	each_was_answered_once_and_told();
	until(simulator_stat(&simulator, "connections_open") == 1);
}

static void the_same_credential_again_keeps_its_connection(void **state)
{
	(void)state;
	start_with(1);
	struct credential *credential = load(simulator.certificate, simulator.key);
	sender_set_credentials(world.sender, &credential, 1);
	push_until(1, 2);
	assert_int_equal(simulator_stat(&simulator, "connections_total"), 1);
	assert_true(world.phones[1].was_proven);
}

static void a_second_connection_comes_when_the_first_stays_full(void **state)
{
	(void)state;
	settings.connections = 2;
	simulator_do(&simulator, "{\"do\":\"settings\",\"max_concurrent_streams\":2}");
	simulator_do(&simulator, "{\"do\":\"delay\",\"ms\":20}");
	start();
	want_pushes(PHONES);
	struct sender_counts counts = {0};
	until((sender_count(world.sender, &counts), counts.connections == 2));
	assert_int_equal(simulator_stat(&simulator, "connections_total"), 2);
}

static void a_second_connection_comes_also_when_nobody_is_answered(void **state)
{
	(void)state;
	settings.connections = 2;
	simulator_do(&simulator, "{\"do\":\"settings\",\"max_concurrent_streams\":1}");
	simulator_do(&simulator, "{\"do\":\"hold\",\"on\":true}");
	start();
	want_pushes(2);
	until(in_flight() == 1);
	struct sender_counts counts = {0};
	/* The loop alone, without a tick of the test. */
	uv_timer_stop(&world.tick);
	while (in_flight() < 2)
		uv_run(&world.loop, UV_RUN_ONCE);
	sender_count(world.sender, &counts);
	assert_int_equal(counts.connections, 2);
}

static void a_server_that_is_not_trusted_gets_nothing(void **state)
{
	(void)state;
	settings.ca_file = NULL;
	start();
	want_pushes(1);
	until(world.troubles == 1);
	assert_non_null(strstr(world.trouble, "not trusted"));
	assert_non_null(strstr(world.trouble, "apns_ca_file"));
	assert_int_equal(simulator_stat(&simulator, "pushes"), 0);
}

static void a_server_of_another_name_gets_nothing(void **state)
{
	(void)state;
	simulator_stop(&simulator);
	simulator_start(&simulator, "127.0.0.2");
	settings.port = simulator.port;
	start();
	want_pushes(1);
	until(world.troubles == 1);
	assert_non_null(strstr(world.trouble, "IP address mismatch"));
	assert_int_equal(simulator_stat(&simulator, "pushes"), 0);
	simulator_stop(&simulator);
	simulator_start(&simulator, "127.0.0.1");
}

static void a_client_certificate_of_a_stranger_is_refused_and_held(void **state)
{
	(void)state;
	struct simulator stranger = {0};
	simulator_start(&stranger, "127.0.0.1");
	simulator_stop(&stranger);
	settings.hold_probe_ms = 60000;
	world.sends_again = true; /* with TLS 1.3 it may fly before the refusal comes */
	start();
	struct credential *credential = load(stranger.certificate, stranger.key);
	sender_set_credentials(world.sender, &credential, 1);
	want_pushes(1);
	until(world.troubles == 1);
	assert_non_null(strstr(world.trouble, "refused our certificate"));
	assert_int_equal(sender_room(world.sender, TOPIC), 0);
	assert_int_equal(world.waiting, 1);
	simulator_remove(&stranger);
}

static void start_with_a_trouble(void)
{
	simulator_do(&simulator, "{\"do\":\"refuse\",\"on\":true}");
	start();
	want_pushes(1);
	until(world.troubles == 1);
}

static void the_trouble_of_a_replaced_credential_is_over(void **state)
{
	(void)state;
	start_with_a_trouble();
	simulator_do(&simulator, "{\"do\":\"refuse\",\"on\":false}");
	struct credential *credential = load_other(TOPIC);
	sender_set_credentials(world.sender, &credential, 1);
	assert_int_equal(world.recoveries, 1);
	give_out();
	until(world.told == 1);
	assert_int_equal(world.troubles, 1);
	assert_int_equal(world.recoveries, 1);
}

static void the_trouble_of_a_credential_that_is_removed_is_over(void **state)
{
	(void)state;
	start_with_a_trouble();
	sender_set_credentials(world.sender, NULL, 0);
	assert_int_equal(world.recoveries, 1);
	assert_false(sender_has_credential(world.sender, TOPIC));
}

static void a_replaced_credential_that_fails_again_is_a_new_trouble(void **state)
{
	(void)state;
	start_with_a_trouble();
	struct credential *credential = load_other(TOPIC);
	sender_set_credentials(world.sender, &credential, 1);
	give_out();
	until(world.troubles == 2);
	assert_int_equal(world.recoveries, 1);
	assert_string_not_equal(world.trouble, "");
}

static void a_trouble_is_not_said_to_be_over_because_the_sender_stops(void **state)
{
	(void)state;
	start_with_a_trouble();
	sender_stop(world.sender, GUARD_MS, on_stopped, &world.is_stopped);
	until(world.is_stopped);
	assert_int_equal(world.recoveries, 0);
}

static void a_credential_that_is_shared_outlives_its_lane(void **state)
{
	(void)state;
	start();
	struct credential *shared = load_other(OTHER_TOPIC);
	struct credential *given = credential_ref(shared);
	sender_set_credentials(world.sender, &given, 1);
	given = credential_ref(shared);
	sender_set_credentials(world.sender, &given, 1);
	assert_true(sender_has_credential(world.sender, OTHER_TOPIC));
	sender_set_credentials(world.sender, NULL, 0);
	sender_stop(world.sender, 0, on_stopped, &world.is_stopped);
	until(world.is_stopped);
	sender_free(mem_steal(world.sender));
	uv_run(&world.loop, UV_RUN_NOWAIT);
	uv_run(&world.loop, UV_RUN_NOWAIT);
	assert_string_equal(shared->topic, OTHER_TOPIC);
	credential_free(shared);
}

static void an_outage_is_a_trouble_until_a_push_is_taken(void **state)
{
	(void)state;
	settings.outage_ms = 40;
	world.sends_again = true;
	next_answers(1000000, 503, "ServiceUnavailable");
	start();
	want_pushes(1);
	until(world.troubles == 1);
	assert_non_null(strstr(world.trouble, "Apple answers 503 ServiceUnavailable"));
	/* It stands, although the connection works. */
	size_t answers = world.answers;
	until(world.answers >= answers + 5);
	assert_int_equal(world.recoveries, 0);
	simulator_do(&simulator, "{\"do\":\"clear\"}");
	until(world.told == 1);
	assert_int_equal(world.troubles, 1);
	assert_int_equal(world.recoveries, 1);
}

static void a_server_that_stays_silent_is_an_outage(void **state)
{
	(void)state;
	settings.push_deadline_ms = 10;
	settings.outage_ms = 40;
	world.sends_again = true;
	simulator_do(&simulator, "{\"do\":\"hold\",\"on\":true}");
	start();
	want_pushes(1);
	until(world.troubles == 1);
	assert_non_null(strstr(world.trouble, "does not answer"));
	simulator_do(&simulator, "{\"do\":\"hold\",\"on\":false}");
	until(world.told == 1);
	assert_int_equal(world.recoveries, 1);
}

static void a_server_that_allows_no_stream_is_an_outage(void **state)
{
	(void)state;
	settings.outage_ms = 40;
	simulator_do(&simulator, "{\"do\":\"settings\",\"max_concurrent_streams\":0}");
	start();
	want_pushes(1);
	/* It may fly before the SETTINGS come, and is refused then. */
	world.sends_again = true;
	until(world.told == 1 || world.troubles == 1);
	want_pushes(1);
	until(world.troubles == 1);
	assert_non_null(strstr(world.trouble, "allowed no push"));
	until(simulator_stat(&simulator, "connections_total") >= 2);
	assert_int_equal(world.recoveries, 0);
	simulator_do(&simulator, "{\"do\":\"clear\"}");
	until(world.told == 2);
	assert_int_equal(world.recoveries, 1);
}

static void a_connection_does_not_drain_without_end(void **state)
{
	(void)state;
	settings.push_deadline_ms = 1000;
	start();
	push_until_one_is_told();
	size_t silent = world.silent;
	simulator_do(&simulator, "{\"do\":\"hold\",\"on\":true}");
	want_pushes(5);
	until(simulator_stat(&simulator, "waiting") == 5 || world.silent > silent);
	simulator_do(&simulator, "{\"do\":\"goaway\"}");
	until(world.silent == silent + 5);
	until(simulator_stat(&simulator, "connections_open") == 0);
}

static void a_dead_connection_is_found_while_it_is_idle(void **state)
{
	(void)state;
	settings.ping_idle_ms = 300;
	settings.ping_timeout_ms = 300;
	start();
	push_until_one_is_told();
	size_t failed = world.lost + world.silent;
	simulator_do(&simulator, "{\"do\":\"silence\",\"on\":true}");
	struct sender_counts counts = {.connections = 1};
	until((sender_count(world.sender, &counts), counts.connections == 0));
	assert_int_equal(world.lost + world.silent, failed);
	simulator_do(&simulator, "{\"do\":\"silence\",\"on\":false}");
	push_until_one_is_told();
}

static void a_living_connection_is_kept_while_it_is_idle(void **state)
{
	(void)state;
	settings.ping_idle_ms = 5;
	settings.ping_timeout_ms = GUARD_MS;
	start_with(1);
	int64_t until_ms = clock_monotonic_ms() + 60;
	until(clock_monotonic_ms() >= until_ms);
	push_until(1, 2);
	assert_int_equal(simulator_stat(&simulator, "connections_total"), 1);
}

static void failures_that_pass_soon_are_no_outage(void **state)
{
	(void)state;
	world.sends_again = true;
	next_answers(20, 503, "ServiceUnavailable");
	start_with(1);
	assert_int_equal(world.answers, 21);
	assert_int_equal(world.troubles, 0);
}

static void a_push_taken_now_and_then_is_no_outage(void **state)
{
	(void)state;
	settings.outage_ms = 1;
	start();
	for (size_t round = 1; round <= 10; round++) {
		next_answers(1, 503, "ServiceUnavailable");
		want_pushes(1);
		until(world.answers == 2 * round - 1);
		want_pushes(1);
		until(world.told == round);
	}
	assert_int_equal(world.troubles, 0);
}

static void stopping_waits_for_answers(void **state)
{
	(void)state;
	simulator_do(&simulator, "{\"do\":\"hold\",\"on\":true}");
	start();
	want_pushes(10);
	until(in_flight() == 10);
	sender_stop(world.sender, GUARD_MS, on_stopped, &world.is_stopped);
	assert_int_equal(sender_room(world.sender, TOPIC), 0);
	simulator_do(&simulator, "{\"do\":\"hold\",\"on\":false}");
	until(world.is_stopped);
	assert_int_equal(world.told, 10);
}

static void credentials_that_come_while_stopping_are_let_go(void **state)
{
	(void)state;
	start();
	sender_stop(world.sender, GUARD_MS, on_stopped, &world.is_stopped);
	struct credential *credential = load(simulator.certificate, simulator.key);
	sender_set_credentials(world.sender, &credential, 1);
	assert_false(sender_has_credential(world.sender, TOPIC));
	until(world.is_stopped);
}

static void stopping_does_not_wait_without_end(void **state)
{
	(void)state;
	simulator_do(&simulator, "{\"do\":\"hold\",\"on\":true}");
	start();
	want_pushes(10);
	until(in_flight() == 10);
	sender_stop(world.sender, 30, on_stopped, &world.is_stopped);
	until(world.is_stopped);
	assert_int_equal(world.lost, 10);
}

static void stopping_without_connections_is_done_at_once(void **state)
{
	(void)state;
	start();
	sender_stop(world.sender, GUARD_MS, on_stopped, &world.is_stopped);
	assert_false(world.is_stopped);
	uv_run(&world.loop, UV_RUN_NOWAIT);
	assert_true(world.is_stopped);
}

static void assert_ca_file_is_refused(
	const char *path, int code, const char *what, const char *remedy)
{
	static const struct sender_callbacks callbacks = {on_answered, on_room, on_state};
	struct err err = {""};
	settings.ca_file = path;
	assert_int_equal(
		sender_new(&world.loop, &settings, &callbacks, &world, &world.sender, &err), code);
	if (!strstr(err.text, path) || !strstr(err.text, what) || !strstr(err.text, remedy))
		fail_msg("'%s' should name '%s', '%s' and '%s'", err.text, path, what, remedy);
}

static void a_missing_ca_file_is_said_at_once(void **state)
{
	(void)state;
	assert_ca_file_is_refused(
		"/nonexistent/ca.pem", -ENOENT, "No such file or directory", "check the path");
}

static void a_ca_file_without_a_certificate_is_said_at_once(void **state)
{
	(void)state;
	assert_ca_file_is_refused("/dev/null", -EINVAL, "it is not a file", "in PEM form");
	assert_ca_file_is_refused("/", -EINVAL, "it is not a file", "in PEM form");
	assert_ca_file_is_refused(simulator.key, -EINVAL, "no certificate", "in PEM form");
}

static int begin_group(void **state)
{
	(void)state;
	simulator_start(&simulator, "127.0.0.1");
	return 0;
}

static int end_group(void **state)
{
	(void)state;
	simulator_stop(&simulator);
	simulator_remove(&simulator);
	return 0;
}

/* Provider tokens */

static struct credential *load_p8(const char *topic)
{
	char p8[128];
	snprintf(p8, sizeof(p8), "%s/AuthKey_SIMKEY0001.p8", simulator.dir);
	const struct credential_files files = {.name = "test",
		.p8 = p8,
		.key_id = "SIMKEY0001",
		.team_id = "SIMTEAM001",
		.topic = topic};
	struct credential *credential;
	struct err err;
	if (credential_load(&files, &credential, &err) < 0)
		fail_msg("%s", err.text);
	return credential;
}

static void start_with_token(void)
{
	start();
	struct credential *credential = load_p8(TOPIC);
	sender_set_credentials(world.sender, &credential, 1);
}

static void a_provider_token_says_who_we_are_without_a_certificate(void **state)
{
	(void)state;
	start_with_token();
	push_until(1, 1);
	json_t *push = NULL;
	until((push = simulator_last_push(&simulator)));
	json_int_t issued_s = json_integer_value(json_object_get(push, "provider_iat"));
	assert_true(issued_s > clock_unix_ms() / 1000 - 60);
	json_decref(push);
}

static void one_push_with_a_token_opens_the_way_for_the_others(void **state)
{
	(void)state;
	start_with_token();
	simulator_do(&simulator, "{\"do\":\"hold\",\"on\":true}");
	want_pushes(100);
	until(simulator_stat(&simulator, "waiting") == 1);
	assert_int_equal(in_flight(), 1);
	simulator_do(&simulator, "{\"do\":\"hold\",\"on\":false}");
	until(world.told == 100);
	each_was_answered_once_and_told();
	assert_true(world.largest_room > 1);
}

static void all_connections_share_one_token(void **state)
{
	(void)state;
	settings.connections = 3;
	start_with_token();
	simulator_do(&simulator, "{\"do\":\"delay\",\"ms\":2}");
	simulator_do(&simulator, "{\"do\":\"settings\",\"max_concurrent_streams\":2}");
	push_until(1, 1);
	struct credential *both[] = {load_p8(TOPIC), load_p8(OTHER_TOPIC)};
	sender_set_credentials(world.sender, both, 2);
	world.topic = OTHER_TOPIC;
	/* A second token on a connection would be refused. */
	push_until(100, 101);
	each_was_answered_once_and_told();
}

static void a_token_is_renewed_when_its_time_has_come(void **state)
{
	(void)state;
	settings.token_renew_ms = 0;
	simulator_do(&simulator, "{\"do\":\"provider\",\"update_least_ms\":0}");
	start_with_token();
	for (size_t i = 1; i <= 3; i++) {
		want_pushes(1);
		until(world.told == i);
	}
}

static void an_expired_token_is_replaced_and_the_push_sent_again(void **state)
{
	(void)state;
	settings.token_least_ms = 0;
	world.holds = world.sends_again = true;
	start_with_token();
	simulator_do(&simulator, "{\"do\":\"provider\",\"update_least_ms\":0}");
	next_answers(1, 403, "ExpiredProviderToken");
	push_until(1, 1);
	assert_int_equal(world.phones[0].answers, 2);
	assert_int_equal(world.troubles, 0);
}

static void a_token_that_expired_too_early_holds_the_credential(void **state)
{
	(void)state;
	world.holds = world.sends_again = true;
	start_with_token();
	next_answers(1, 403, "ExpiredProviderToken");
	want_pushes(1);
	until(world.troubles == 1);
	until(world.told == 1);
	assert_int_equal(world.recoveries, 1);
}

static void a_token_that_was_changed_too_often_is_used_again(void **state)
{
	(void)state;
	world.holds = world.sends_again = true;
	start_with_token();
	next_answers(1, 429, "TooManyProviderTokenUpdates");
	want_pushes(1);
	until(world.troubles == 1);
	/* Another one would be refused by the simulator's own rule. */
	until(world.told == 1);
}

static void another_key_has_a_connection_of_its_own(void **state)
{
	(void)state;
	start_with_token();
	push_until(1, 1);
	struct credential *certificate = load(simulator.certificate, simulator.key);
	sender_set_credentials(world.sender, &certificate, 1);
	push_until(1, 2);
	struct credential *token = load_p8(TOPIC);
	sender_set_credentials(world.sender, &token, 1);
	push_until(1, 3);
	assert_int_equal(simulator_stat(&simulator, "connections_total"), 3);
}

/* What Apple says of a credential that was replaced. */

static void a_refusal_of_the_former_certificate_does_not_hold_the_new_one(void **state)
{
	(void)state;
	world.holds = world.sends_again = true;
	settings.hold_probe_ms = GUARD_MS * 10;
	start();
	simulator_do(&simulator, "{\"do\":\"hold\",\"on\":true}");
	want_pushes(3);
	until(simulator_stat(&simulator, "waiting") == 3);
	struct credential *renewed = load_other(TOPIC);
	sender_set_credentials(world.sender, &renewed, 1);
	simulator_do(&simulator,
		"{\"do\":\"next\",\"status\":403,\"reason\":\"BadCertificate\",\"count\":3}");
	simulator_do(&simulator, "{\"do\":\"hold\",\"on\":false}");
	until(world.told == 3);
	each_was_told_once();
	assert_int_equal(world.troubles, 0);
}

static void copy_trouble(void *ctx, const struct sender_way *way)
{
	char *text = ctx;
	strncpy(text, way->trouble ? way->trouble : "", ERR_TEXT_MAX - 1);
}

static void the_dates_of_a_credential_that_is_not_valid_now_are_its_trouble(void **state)
{
	(void)state;
	char text[ERR_TEXT_MAX] = "";
	start();
	struct credential *expired = load_other(TOPIC);
	expired->not_after_unix_ms = clock_unix_ms() - 1;
	sender_set_credentials(world.sender, &expired, 1);
	sender_each_way(world.sender, copy_trouble, text);
	assert_non_null(strstr(text, "expired on"));
	struct credential *early = load_other(TOPIC);
	early->not_before_unix_ms = clock_unix_ms() + 3600 * 1000;
	sender_set_credentials(world.sender, &early, 1);
	sender_each_way(world.sender, copy_trouble, text);
	assert_non_null(strstr(text, "is not valid before"));
	assert_int_equal(world.troubles, 0);
}

static void a_credential_that_is_not_valid_now_waits_without_a_connection(void **state)
{
	(void)state;
	start();
	struct credential *expired = load_other(TOPIC);
	expired->not_after_unix_ms = clock_unix_ms() - 1;
	sender_set_credentials(world.sender, &expired, 1);
	want_pushes(1);
	struct credential *early = load_other(TOPIC);
	early->not_before_unix_ms = clock_unix_ms() + 3600 * 1000;
	sender_set_credentials(world.sender, &early, 1);
	give_out();
	assert_int_equal(world.waiting, 1);
	struct credential *valid = load(simulator.certificate, simulator.key);
	sender_set_credentials(world.sender, &valid, 1);
	give_out();
	until(world.told == 1);
	assert_int_equal(simulator_stat(&simulator, "connections_total"), 1);
	assert_int_equal(simulator_stat(&simulator, "handshakes_failed"), 0);
}

#define T(name) cmocka_unit_test_setup_teardown(name, begin, end)

int main(void)
{
	const struct CMUnitTest tests[] = {
		T(a_push_carries_what_apple_wants_to_know),
		T(a_configured_priority_is_sent),
		T(localhost_is_a_host_too),
		T(thousands_keep_to_the_streams_and_the_window_of_the_server),
		T(larger_pushes_than_the_last_are_taken_as_far_as_the_window_goes),
		T(a_push_without_a_credential_is_not_taken),
		T(small_stream_windows_delay_and_lose_nothing),
		T(a_lowered_limit_is_honoured_live),
		T(what_a_goaway_leaves_out_goes_elsewhere_at_once),
		T(what_a_goaway_includes_is_answered_first),
		T(a_server_that_says_goaway_and_answers_nothing_is_not_knocked_at_in_a_loop),
		T(a_goaway_about_our_certificate_holds_and_is_probed),
		T(what_a_reset_takes_along_is_lost_and_said_so),
		T(a_refused_stream_is_sent_again_on_the_same_connection),
		T(a_server_that_refuses_every_stream_is_left_alone_for_a_while),
		T(another_stream_error_is_an_unknown_end),
		T(a_push_that_gets_no_answer_is_given_up_and_the_connection_kept),
		T(a_connection_that_answers_pings_but_no_push_is_replaced),
		T(a_connection_that_resets_push_after_push_is_replaced),
		T(a_missed_ping_replaces_the_connection),
		T(an_answered_ping_keeps_the_connection),
		T(an_unreachable_server_is_reported_once_and_again_when_it_is_back),
		T(nothing_is_connected_before_somebody_asks),
		T(an_answer_comes_with_status_reason_and_timestamp),
		T(retry_after_comes_with_the_answer),
		T(retry_after_as_a_date_comes_with_the_answer),
		T(interim_responses_padding_and_trailers_change_nothing),
		T(headers_in_continuation_frames_change_nothing),
		T(a_body_without_end_is_cut),
		T(a_shutdown_in_two_steps_costs_no_push),
		T(an_error_code_in_a_goaway_is_no_refusal),
		T(a_limit_that_goes_down_and_up_is_followed),
		T(odd_settings_are_followed),
		T(frames_to_acknowledge_are_acknowledged),
		T(a_flood_of_frames_ends_the_connection_and_no_push_is_lost),
		T(connections_are_replaced_before_stream_ids_run_out),
		T(a_200_proves_for_a_while_only),
		T(a_push_after_a_long_silence_takes_a_ping_along),
		T(a_bad_certificate_is_refused_and_held),
		T(an_expired_certificate_is_refused_and_held),
		T(a_revoked_certificate_is_refused_and_held),
		T(a_certificate_of_an_unknown_authority_is_refused_and_held),
		T(a_refusal_in_the_handshake_is_probed_and_recovers),
		T(a_server_without_http2_is_a_trouble),
		T(only_a_200_proves_credential_and_host),
		T(shutdown_moves_to_a_new_connection),
		T(repeated_server_errors_replace_the_connection),
		T(a_held_credential_is_probed_until_it_is_good),
		T(a_service_that_fails_does_not_end_a_hold),
		T(an_answer_about_the_push_ends_a_hold),
		T(a_probe_without_an_answer_is_not_repeated_at_once),
		T(what_was_in_flight_when_a_hold_began_does_not_end_it),
		T(a_hold_that_is_asked_for_again_does_not_put_off_the_probe),
		T(a_probe_is_a_single_push),
		T(a_held_credential_is_probed_at_once_on_request),
		T(requests_in_a_row_let_one_probe_go),
		T(one_that_backs_off_connects_at_once_on_request),
		T(a_check_is_not_taken_for_a_push_to_a_phone),
		T(a_topic_without_a_credential_has_no_room),
		T(a_replaced_credential_finishes_what_it_has),
		T(the_same_credential_again_keeps_its_connection),
		T(a_second_connection_comes_when_the_first_stays_full),
		T(a_second_connection_comes_also_when_nobody_is_answered),
		T(a_server_that_is_not_trusted_gets_nothing),
		T(a_server_of_another_name_gets_nothing),
		T(a_client_certificate_of_a_stranger_is_refused_and_held),
		T(the_trouble_of_a_replaced_credential_is_over),
		T(the_trouble_of_a_credential_that_is_removed_is_over),
		T(a_replaced_credential_that_fails_again_is_a_new_trouble),
		T(a_trouble_is_not_said_to_be_over_because_the_sender_stops),
		T(a_credential_that_is_shared_outlives_its_lane),
		T(an_outage_is_a_trouble_until_a_push_is_taken),
		T(a_server_that_stays_silent_is_an_outage),
		T(a_server_that_allows_no_stream_is_an_outage),
		T(a_connection_does_not_drain_without_end),
		T(a_dead_connection_is_found_while_it_is_idle),
		T(a_living_connection_is_kept_while_it_is_idle),
		T(failures_that_pass_soon_are_no_outage),
		T(a_push_taken_now_and_then_is_no_outage),
		T(stopping_waits_for_answers),
		T(credentials_that_come_while_stopping_are_let_go),
		T(stopping_does_not_wait_without_end),
		T(stopping_without_connections_is_done_at_once),
		T(a_missing_ca_file_is_said_at_once),
		T(a_ca_file_without_a_certificate_is_said_at_once),
		T(a_provider_token_says_who_we_are_without_a_certificate),
		T(one_push_with_a_token_opens_the_way_for_the_others),
		T(all_connections_share_one_token),
		T(a_token_is_renewed_when_its_time_has_come),
		T(an_expired_token_is_replaced_and_the_push_sent_again),
		T(a_token_that_expired_too_early_holds_the_credential),
		T(a_token_that_was_changed_too_often_is_used_again),
		T(another_key_has_a_connection_of_its_own),
		T(a_refusal_of_the_former_certificate_does_not_hold_the_new_one),
		T(the_dates_of_a_credential_that_is_not_valid_now_are_its_trouble),
		T(a_credential_that_is_not_valid_now_waits_without_a_connection),
	};
	return cmocka_run_group_tests(tests, begin_group, end_group);
}

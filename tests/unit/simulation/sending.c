#include "sending.h"

#include "base/clock.h"
#include "base/mem.h"
#include "dice.h"
#include "flow/pipeline.h"
#include "judge/judge.h"
#include "server.h"
#include "virtual.h"
#include "weather.h"
#include "wire.h"

#include <openssl/evp.h>
#include <openssl/x509.h>
#include <stdio.h>
#include <string.h>
#include <sys/random.h>

/* How long after the last trouble or push the next push must leave: back-off, PING, a probe. */
#define RECOVERY_MS (7 * CLOCK_MINUTE_MS)
#define LOOK_MS (20 * CLOCK_SECOND_MS) /* between two looks of the judge */

static struct sender *sender;
static struct delivery *delivery;	/* is woken when credentials change */
static struct sender_callbacks daemons; /* the daemon's callbacks */
static struct flight *flights;
static EVP_PKEY *key;
static unsigned serials[APPLE_TOPICS];
static bool is_stopping;
static bool is_stopped;
static void (*on_all_answered)(void);
static int64_t looked_ms;
static uint64_t not_taken;
static bool is_refusing; /* the current answer refuses the credential */
static struct topic {
	int64_t trouble_ms; /* the last trouble, or the last push */
	bool was_open;
	int64_t open_since_ms;
	int64_t held_ms;    /* when it was last seen on hold */
	int64_t refused_ms; /* when Apple last refused the credential */
	int64_t proven_ms;  /* when a push with it was last accepted */
	int64_t renewed_ms; /* since when it is in force */
	int64_t taken_ms;   /* the last 200 */
} topics[APPLE_TOPICS];

/* From the dice, so that a seed repeats a run: random_seed takes its seeds from here. */
int getentropy(void *bytes, size_t size)
{
	for (size_t i = 0; i < size; i++)
		((uint8_t *)bytes)[i] = (uint8_t)dice_roll(256);
	return 0;
}

/* Credentials: the first topic has a certificate, the second a signing key. */

static X509 *make_certificate(unsigned serial)
{
	X509 *certificate = X509_new();
	ASN1_INTEGER_set(X509_get_serialNumber(certificate), serial);
	X509_gmtime_adj(X509_getm_notBefore(certificate), 0);
	X509_gmtime_adj(X509_getm_notAfter(certificate), 0);
	X509_set_pubkey(certificate, key);
	X509_sign(certificate, key, EVP_sha256());
	return certificate;
}

static struct credential *make_credential(unsigned topic)
{
	struct credential *credential = mem_alloc_zero(1, sizeof(*credential));
	credential->shares = 1;
	credential->name = mem_dup(apple_topics[topic]);
	credential->file = mem_dup("a file");
	credential->topic = mem_dup(apple_topics[topic]);
	credential->not_before_unix_ms = INT64_MIN;
	credential->not_after_unix_ms = INT64_MAX;
	if (topic == 0) {
		credential->certificate = make_certificate(serials[topic]);
	} else {
		EVP_PKEY_up_ref(key);
		credential->key = key;
		snprintf(credential->key_id, sizeof(credential->key_id), "K%09u",
			serials[topic] % 1000000);
		memcpy(credential->team_id, "TEAM123456", sizeof(credential->team_id));
	}
	return credential;
}

static void set_credentials(void)
{
	struct credential *credentials[APPLE_TOPICS];
	size_t count = 0;
	if (!sender || is_stopping)
		return;
	for (unsigned topic = 0; topic < APPLE_TOPICS; topic++) {
		if (weather_of(topic) != WEATHER_MISSING)
			credentials[count++] = make_credential(topic);
	}
	sender_set_credentials(sender, credentials, count);
	/* As keyring.c does. */
	delivery_wake(delivery);
}

void sending_weather_changed(unsigned topic)
{
	sending_note_trouble(topic);
	topics[topic].renewed_ms = virtual_now_ms();
	set_credentials();
	if (weather_of(topic) == WEATHER_DOWN)
		wires_break(topic);
	for (struct wire *wire = NULL; (wire = wire_next(wire));) {
		if (wire_topic(wire) == topic && wire_server(wire))
			server_weather_changed(wire_server(wire));
	}
	virtual_wake();
}

void sending_renew_credential(unsigned topic)
{
	serials[topic]++;
	topics[topic].renewed_ms = virtual_now_ms();
	sending_note_trouble(topic);
	set_credentials();
	virtual_wake();
}

/* Pushes in flight. */

struct flight *sending_find(const void *near_end, int32_t stream_id)
{
	struct flight *flight = flights;
	while (flight &&
		(flight->push->connection != near_end || flight->push->stream_id != stream_id))
		flight = flight->next;
	return flight;
}

struct flight *sending_next(const struct flight *flight)
{
	return flight ? flight->next : flights;
}

bool __real_sender_push(struct sender *of, struct sender_push *push);
bool __wrap_sender_push(struct sender *of, struct sender_push *push);

bool __wrap_sender_push(struct sender *of, struct sender_push *push)
{
	if (!__real_sender_push(of, push)) {
		not_taken++;
		return false;
	}
	struct flight *flight = mem_alloc_zero(1, sizeof(*flight));
	*flight = (struct flight){.next = flights,
		.push = push,
		.sent_unix_ms = clock_unix_ms(),
		.topic = apple_topic_of(push->topic)};
	flights = flight;
	topics[flight->topic].trouble_ms = virtual_now_ms();
	judge_takeoff(push);
	return true;
}

void __real_sender_hold(struct sender *of, const char *topic, const char *why);
void __wrap_sender_hold(struct sender *of, const char *topic, const char *why);

void __wrap_sender_hold(struct sender *of, const char *topic, const char *why)
{
	judge_rule(is_refusing, "a credential is held when Apple refuses it, and only then");
	__real_sender_hold(of, topic, why);
}

static struct flight *take_flight(const struct sender_push *push)
{
	struct flight **at = &flights;
	while (*at && (*at)->push != push)
		at = &(*at)->next;
	struct flight *flight = *at;
	judge_rule(flight != NULL, "each push that was given is answered once");
	*at = flight->next;
	return flight;
}

static void check_answer(const struct flight *flight, const struct apns_answer *answer)
{
	const struct apns_answer *said = &flight->said;
	judge_rule(flight->is_answered && answer->status == said->status &&
			!strcmp(answer->reason, said->reason) &&
			answer->timestamp_unix_ms == said->timestamp_unix_ms &&
			answer->retry_after_ms == said->retry_after_ms,
		"an answer is the one that Apple gave to that push");
}

static bool is_about_token(enum apple_meaning meaning)
{
	return meaning == APPLE_ACCEPTED || meaning == APPLE_GONE || meaning == APPLE_BAD ||
		meaning == APPLE_MISROUTED || meaning == APPLE_THROTTLED;
}

/* An answer to a push with a former credential says nothing about the present one. */
static void note_taken(struct topic *topic, const struct sender_push *push)
{
	topic->taken_ms = virtual_now_ms();
	if (push->sent_ms > topic->renewed_ms)
		topic->proven_ms = virtual_now_ms();
}

static void on_answered(void *ctx, struct sender_push *push, const struct apns_answer *answer,
	const struct verdict *verdict)
{
	struct flight *flight = take_flight(push);
	struct topic *topic = &topics[flight->topic];
	if (answer->ending == APNS_ANSWERED) {
		check_answer(flight, answer);
		if (flight->meaning == APPLE_ACCEPTED)
			note_taken(topic, push);
		if (flight->meaning == APPLE_REFUSED)
			sending_note_refusal(flight->topic);
		judge_rule(!verdict->is_proven ||
				(topic->taken_ms &&
					virtual_now_ms() - topic->taken_ms < CLOCK_DAY_MS),
			"what proves a credential is a push that was taken within a day");
	} else {
		flight->meaning = APPLE_FAILED;
	}
	apple_heard(flight, verdict->is_proven);
	if (!is_about_token(flight->meaning))
		sending_note_trouble(flight->topic);
	judge_answered(push, answer, flight->meaning);
	is_refusing = flight->meaning == APPLE_REFUSED;
	free(flight);
	daemons.answered(ctx, push, answer, verdict);
	is_refusing = false;
}

static void on_room(void *ctx, const char *topic)
{
	daemons.room(ctx, topic);
}

static void on_state(void *ctx, const struct credential *credential, const char *text)
{
	daemons.state(ctx, credential, text);
}

uint64_t sending_not_taken(void)
{
	return not_taken;
}

/* Start and stop. */

int __real_sender_new(uv_loop_t *loop, const struct sender_settings *settings,
	const struct sender_callbacks *callbacks, void *ctx, struct sender **ret, struct err *err);
int __wrap_sender_new(uv_loop_t *loop, const struct sender_settings *settings,
	const struct sender_callbacks *callbacks, void *ctx, struct sender **ret, struct err *err);

int __wrap_sender_new(uv_loop_t *loop, const struct sender_settings *settings,
	const struct sender_callbacks *callbacks, void *ctx, struct sender **ret, struct err *err)
{
	static const struct sender_callbacks ours = {on_answered, on_room, on_state};
	daemons = *callbacks;
	return __real_sender_new(loop, settings, &ours, ctx, ret, err);
}

void sending_start(const struct pipeline *of)
{
	if (!key)
		key = EVP_EC_gen("P-256");
	delivery = of->delivery;
	sender = delivery_sender(delivery);
	is_stopping = is_stopped = false;
	set_credentials();
	for (unsigned topic = 0; topic < APPLE_TOPICS; topic++)
		sending_note_trouble(topic);
}

static void on_stopped(void *ctx)
{
	(void)ctx;
	is_stopped = true;
	if (on_all_answered)
		on_all_answered();
}

void sending_stop(int64_t within_ms, void (*stopped)(void))
{
	is_stopping = true;
	on_all_answered = stopped;
	sender_stop(sender, within_ms, on_stopped, NULL);
}

void sending_end(void)
{
	on_all_answered = NULL;
	wires_end();
	if (!is_stopping)
		sending_stop(0, NULL);
	while (!is_stopped && virtual_is_busy())
		virtual_prepare();
	judge_rule(is_stopped, "a sender whose connections are gone is stopped");
	judge_rule(!flights, "each push that was given is answered");
	sender = NULL;
}

void sending_free(void)
{
	EVP_PKEY_free(key);
	key = NULL;
}

/* Can pushes on a topic leave? */

void sending_note_trouble(unsigned topic)
{
	topics[topic].trouble_ms = virtual_now_ms();
}

void sending_note_refusal(unsigned topic)
{
	topics[topic].refused_ms = virtual_now_ms();
}

static void note_hold(void *ctx, const struct sender_way *way)
{
	(void)ctx;
	struct topic *topic = &topics[apple_topic_of(way->credential->topic)];
	if (!way->is_held)
		return;
	topic->held_ms = virtual_now_ms();
	judge_rule(topic->proven_ms <= topic->refused_ms, "a push that is taken ends a hold");
}

static void describe_way(void *ctx, const struct sender_way *way)
{
	(void)ctx;
	fprintf(stderr, "simulation: %s%s: %s\n", way->credential->topic,
		way->is_held ? " (held)" : "", way->trouble ? way->trouble : "no trouble");
	for (size_t i = 0; i < way->link_count; i++)
		fprintf(stderr, "simulation:   %s, %zu of %zu in flight\n", way->links[i].state,
			way->links[i].in_flight, way->links[i].limit);
}

void sending_describe(void)
{
	if (sender)
		sender_each_way(sender, describe_way, NULL);
	for (unsigned at = 0; at < APPLE_TOPICS; at++)
		fprintf(stderr, "simulation: %s: trouble or a push %lld ms ago, %s since %lld ms\n",
			apple_topics[at], (long long)(virtual_now_ms() - topics[at].trouble_ms),
			topics[at].was_open ? "open" : "not open",
			(long long)(virtual_now_ms() - topics[at].open_since_ms));
}

static bool is_reachable(unsigned topic)
{
	return weather_of(topic) == WEATHER_FINE || weather_of(topic) == WEATHER_SLOW;
}

void sending_turn(void)
{
	bool is_open[APPLE_TOPICS] = {false};
	for (struct wire *wire = NULL; sender && (wire = wire_next(wire));) {
		const struct server *server = wire_server(wire);
		unsigned topic = wire_topic(wire);
		if (server && server_is_open(server))
			is_open[topic] = true;
		else if (server && !server_is_kind(server))
			sending_note_trouble(topic);
	}
	for (unsigned at = 0; at < APPLE_TOPICS; at++) {
		struct topic *topic = &topics[at];
		is_open[at] = is_open[at] && is_reachable(at);
		if (is_open[at] && !topic->was_open)
			topic->open_since_ms = virtual_now_ms();
		topic->was_open = is_open[at];
		if (!is_reachable(at))
			sending_note_trouble(at);
	}
}

int64_t sending_open_since_ms(const char *name)
{
	unsigned at = apple_topic_of(name);
	if (!sender || !is_reachable(at))
		return INT64_MAX;
	if (looked_ms != virtual_now_ms())
		sender_each_way(sender, note_hold, NULL);
	looked_ms = virtual_now_ms();
	const struct topic *topic = &topics[at];
	int64_t recovered_ms = topic->trouble_ms + RECOVERY_MS;
	/* A hold may have ended at any time since it was last seen. */
	int64_t free_ms = topic->held_ms + LOOK_MS;
	int64_t open_ms = topic->open_since_ms > free_ms ? topic->open_since_ms : free_ms;
	bool is_held = topic->held_ms == virtual_now_ms();
	return topic->was_open && !is_held && open_ms < recovered_ms ? open_ms : recovered_ms;
}

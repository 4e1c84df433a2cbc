#include "apple.h"

#include "base/clock.h"
#include "base/mem.h"
#include "daemon/core.h"
#include "dice.h"
#include "judge.h"
#include "people.h"
#include "virtual.h"
#include "weather.h"

#include <assert.h>
#include <string.h>

#define ROOM 60
#define PROBE_MS (5 * CLOCK_MINUTE_MS)
#define DEADLINE_MS 20000

const char *const apple_topics[APPLE_TOPICS] = {
	"com.apple.mail.XServer.one", "com.apple.mail.XServer.two"};

struct flight {
	struct flight *next;
	struct sender_push *push;
	uint64_t number;
	unsigned topic;
	int64_t sent_unix_ms;
};

struct topic {
	unsigned in_flight;
	bool is_asked;
	bool is_held;
	int64_t probe_ms;
	struct sender_push *probe;
	int64_t proven_ms; /* of the last 200; INT64_MIN: none */
	bool was_open;
	int64_t open_since_ms;
};

static int64_t missing_ms[APPLE_TOPICS] = {INT64_MIN, INT64_MIN};

enum trouble { GOOD, GONE, BAD, MISROUTED, THROTTLED };

struct token {
	struct token *next;
	enum trouble trouble;
	int64_t until_ms;		      /* monotonic */
	int64_t gone_unix_ms;		      /* GONE: since */
	int64_t gone_before_ms[APPLE_TOPICS]; /* as apple_condemned_before_ms */
	int64_t stop_before_ms[APPLE_TOPICS];
	char text[];
};

/* Apple's table, with what each row means. */
static const struct row {
	int status;
	const char *reason;
	enum apple_meaning meaning;
} rows[] = {
	{400, "MissingDeviceToken", APPLE_DROPPED},
	{400, "BadCollapseId", APPLE_DROPPED},
	{400, "BadExpirationDate", APPLE_DROPPED},
	{400, "BadMessageId", APPLE_DROPPED},
	{400, "BadPriority", APPLE_DROPPED},
	{400, "DuplicateHeaders", APPLE_DROPPED},
	{400, "InvalidPushType", APPLE_DROPPED},
	{400, "PayloadEmpty", APPLE_DROPPED},
	{404, "BadPath", APPLE_DROPPED},
	{405, "MethodNotAllowed", APPLE_DROPPED},
	{413, "PayloadTooLarge", APPLE_DROPPED},
	{418, "NeverHeardOf", APPLE_DROPPED},
	{400, "BadTopic", APPLE_REFUSED},
	{400, "MissingTopic", APPLE_REFUSED},
	{400, "TopicDisallowed", APPLE_REFUSED},
	{403, "BadCertificate", APPLE_REFUSED},
	{403, "BadCertificateEnvironment", APPLE_REFUSED},
	{403, "Forbidden", APPLE_REFUSED},
	{403, "ExpiredProviderToken", APPLE_REFUSED},
	{403, "InvalidProviderToken", APPLE_REFUSED},
	{403, "MissingProviderToken", APPLE_REFUSED},
	{403, "", APPLE_REFUSED},
	{429, "TooManyProviderTokenUpdates", APPLE_REFUSED},
	{400, "IdleTimeout", APPLE_FAILED},
	{500, "InternalServerError", APPLE_FAILED},
	{503, "ServiceUnavailable", APPLE_FAILED},
	{503, "Shutdown", APPLE_FAILED},
	{502, "", APPLE_FAILED},
	{599, "NeverHeardOf", APPLE_FAILED},
};

static struct core *core;
static const struct sender_callbacks *callbacks;
static struct topic topics[APPLE_TOPICS];
static struct flight *flights;
static uint64_t numbers;
static struct token *tokens;
static uint64_t answers[APPLE_MEANINGS];
static bool is_refusing; /* what is being told is that the credential is refused */

static unsigned topic_of(const char *name)
{
	for (unsigned i = 0; i < APPLE_TOPICS; i++) {
		if (!strcmp(apple_topics[i], name))
			return i;
	}
	judge_rule(false, "a topic is one of those that Cyrus told the phones");
	return 0;
}

static struct token *token_of(const char *text)
{
	struct token *token = tokens;
	while (token && strcmp(token->text, text) != 0)
		token = token->next;
	if (token)
		return token;
	token = mem_alloc_zero(1, sizeof(*token) + strlen(text) + 1);
	strcpy(token->text, text);
	token->next = tokens;
	tokens = token;
	return token;
}

struct sender *apple_start(struct core *of, const struct sender_callbacks *to_call)
{
	core = of;
	callbacks = to_call;
	for (unsigned i = 0; i < APPLE_TOPICS; i++)
		topics[i] =
			(struct topic){.proven_ms = INT64_MIN, .open_since_ms = virtual_now_ms()};
	return (struct sender *)topics; /* never looked into */
}

static size_t room(unsigned at)
{
	const struct topic *topic = &topics[at];
	enum weather weather = weather_of(at);
	if (weather == WEATHER_MISSING || weather == WEATHER_DOWN || topic->in_flight >= ROOM)
		return 0;
	if (topic->is_held)
		return !topic->probe && topic->probe_ms <= virtual_now_ms() ? 1 : 0;
	return ROOM - topic->in_flight;
}

size_t sender_room(struct sender *sender, const char *name)
{
	(void)sender;
	unsigned at = topic_of(name);
	size_t n = room(at);
	if (n == 0)
		topics[at].is_asked = true;
	return n;
}

bool sender_has_credential(const struct sender *sender, const char *name)
{
	(void)sender;
	return weather_of(topic_of(name)) != WEATHER_MISSING;
}

static void nothing(void *ctx, uint64_t number)
{
	(void)ctx;
	(void)number;
}

void sender_hold(struct sender *sender, const char *name, const char *why)
{
	(void)sender;
	(void)why;
	struct topic *topic = &topics[topic_of(name)];
	judge_rule(is_refusing, "a credential is held when Apple refuses it, and only then");
	if (!topic->is_held || (!topic->probe && topic->probe_ms <= virtual_now_ms()))
		topic->probe_ms = virtual_now_ms() + PROBE_MS;
	topic->is_held = true;
	virtual_in(topic->probe_ms - virtual_now_ms(), nothing, NULL, 0);
}

static int64_t answer_time_ms(unsigned topic)
{
	if (dice_once_in(2000))
		return DEADLINE_MS;
	return weather_of(topic) == WEATHER_SLOW ? dice_between(1000, DEADLINE_MS)
						 : dice_between(20, 400);
}

static void choose_row(
	enum apple_meaning meaning, struct apns_answer *ret, enum apple_meaning *ret_meaning)
{
	const struct row *row;
	do
		row = &rows[dice_roll(sizeof(rows) / sizeof(rows[0]))];
	while (meaning != APPLE_MEANINGS && row->meaning != meaning);
	ret->status = row->status;
	strcpy(ret->reason, row->reason);
	*ret_meaning = row->meaning;
	if (row->meaning == APPLE_FAILED && row->status != 400 && dice_once_in(4))
		ret->retry_after_ms = dice_between(1, 120) * 1000;
}

static void end_without_answer(struct apns_answer *ret)
{
	static const enum apns_ending endings[] = {APNS_NOT_PROCESSED, APNS_LOST, APNS_SILENT};
	ret->ending = endings[dice_roll(3)];
}

static bool is_proven(unsigned topic)
{
	return topics[topic].proven_ms != INT64_MIN &&
		virtual_now_ms() - topics[topic].proven_ms < CLOCK_DAY_MS;
}

static void raise_to(int64_t *ms, int64_t at_least_ms)
{
	if (*ms < at_least_ms)
		*ms = at_least_ms;
}

static enum apple_meaning answer_gone(
	struct token *token, const struct flight *flight, struct apns_answer *ret)
{
	static const char *const reasons[] = {"Unregistered", "ExpiredToken", "", "NeverHeardOf"};
	ret->status = 410;
	strcpy(ret->reason, reasons[dice_roll(4)]);
	if (!dice_once_in(4))
		ret->timestamp_unix_ms = token->gone_unix_ms;
	raise_to(&token->gone_before_ms[flight->topic],
		ret->timestamp_unix_ms ? ret->timestamp_unix_ms : flight->sent_unix_ms);
	return APPLE_GONE;
}

static enum apple_meaning answer_token(
	struct token *token, const struct flight *flight, struct apns_answer *ret)
{
	switch (token->trouble) {
	case GONE:
		return answer_gone(token, flight, ret);
	case BAD:
		ret->status = 400;
		strcpy(ret->reason, "BadDeviceToken");
		if (is_proven(flight->topic))
			raise_to(&token->gone_before_ms[flight->topic], flight->sent_unix_ms);
		return APPLE_BAD;
	case MISROUTED:
		ret->status = 400;
		strcpy(ret->reason, "DeviceTokenNotForTopic");
		raise_to(&token->stop_before_ms[flight->topic], flight->sent_unix_ms);
		return APPLE_MISROUTED;
	case THROTTLED:
		ret->status = 429;
		strcpy(ret->reason, dice_roll(2) ? "TooManyRequests" : "");
		/* So long that a day passes with few attempts. */
		if (dice_once_in(20))
			ret->retry_after_ms = dice_between(1, 24 * 60 * 60) * 1000;
		else if (dice_once_in(3))
			ret->retry_after_ms = dice_between(1, 600) * 1000;
		return APPLE_THROTTLED;
	case GOOD:
		break;
	}
	ret->status = 200;
	return APPLE_TOLD;
}

static enum apple_meaning decide(const struct flight *flight, struct apns_answer *ret)
{
	struct token *token = token_of(flight->push->token);
	enum apple_meaning meaning = APPLE_FAILED;
	if (token->trouble != GOOD && token->until_ms <= virtual_now_ms())
		token->trouble = GOOD;
	switch (weather_of(flight->topic)) {
	case WEATHER_FAILING:
		choose_row(APPLE_FAILED, ret, &meaning);
		return meaning;
	case WEATHER_DOWN:
	case WEATHER_LOSING:
		end_without_answer(ret);
		return meaning;
	case WEATHER_REFUSED:
		choose_row(APPLE_REFUSED, ret, &meaning);
		return meaning;
	case WEATHER_FINE:
	case WEATHER_SLOW:
	case WEATHER_MISSING:
	case WEATHERS:
		break;
	}
	if (virtual_now_ms() - flight->push->sent_ms >= DEADLINE_MS) {
		ret->ending = APNS_SILENT;
		return meaning;
	}
	if (dice_once_in(1000)) {
		choose_row(APPLE_MEANINGS, ret, &meaning);
		return meaning;
	}
	if (dice_once_in(500)) {
		end_without_answer(ret);
		return meaning;
	}
	return answer_token(token, flight, ret);
}

static void land(struct flight *flight)
{
	struct flight **at = &flights;
	while (*at != flight)
		at = &(*at)->next;
	*at = flight->next;
	topics[flight->topic].in_flight--;
}

/* What the sender does about a hold before it tells. */
static void judge_hold(struct topic *topic, bool is_probe, enum apple_meaning meaning)
{
	if (!topic->is_held)
		return;
	if (meaning == APPLE_TOLD || (is_probe && meaning != APPLE_REFUSED)) {
		topic->is_held = false;
	} else if (is_probe) {
		topic->probe_ms = virtual_now_ms() + PROBE_MS;
		virtual_in(PROBE_MS, nothing, NULL, 0);
	}
}

static void answer(
	struct flight *flight, const struct apns_answer *said, enum apple_meaning meaning)
{
	struct topic *topic = &topics[flight->topic];
	struct sender_push *push = flight->push;
	bool is_probe = push == topic->probe;
	land(flight);
	if (is_probe)
		topic->probe = NULL;
	if (meaning == APPLE_TOLD)
		topic->proven_ms = virtual_now_ms();
	if (said->ending == APNS_ANSWERED)
		judge_hold(topic, is_probe, meaning);
	answers[meaning]++;
	judge_answered(push, said, meaning);
	/* The phone looks, and may show itself while it is at it. */
	if (meaning == APPLE_TOLD)
		people_told(push->token);
	bool proven = is_proven(flight->topic);
	free(flight);
	is_refusing = meaning == APPLE_REFUSED;
	callbacks->answered(core, push, said, proven);
	is_refusing = false;
}

static void on_answer(void *ctx, uint64_t number)
{
	(void)ctx;
	struct flight *flight = flights;
	while (flight && flight->number != number)
		flight = flight->next;
	if (!flight)
		return;
	struct apns_answer said = {.ending = APNS_ANSWERED, .retry_after_ms = -1};
	enum apple_meaning meaning = decide(flight, &said);
	answer(flight, &said, meaning);
}

bool sender_push(struct sender *sender, struct sender_push *push)
{
	unsigned at = topic_of(push->topic);
	if (sender_room(sender, push->topic) == 0)
		return false;
	struct flight *flight = mem_alloc_zero(1, sizeof(*flight));
	push->sent_ms = virtual_now_ms();
	*flight = (struct flight){
		.next = flights,
		.push = push,
		.number = ++numbers,
		.topic = at,
		.sent_unix_ms = clock_unix_ms(),
	};
	flights = flight;
	topics[at].in_flight++;
	if (topics[at].is_held)
		topics[at].probe = push;
	judge_takeoff(push);
	virtual_in(answer_time_ms(at), on_answer, NULL, flight->number);
	return true;
}

void apple_end(void)
{
	const struct apns_answer lost = {.ending = APNS_LOST, .retry_after_ms = -1};
	while (flights)
		answer(flights, &lost, APPLE_FAILED);
	core = NULL;
}

void apple_turn(void)
{
	for (unsigned at = 0; at < APPLE_TOPICS; at++) {
		struct topic *topic = &topics[at];
		if (weather_of(at) == WEATHER_MISSING)
			missing_ms[at] = virtual_now_ms();
		bool is_open = room(at) > 0;
		if (is_open && !topic->was_open)
			topic->open_since_ms = virtual_now_ms();
		topic->was_open = is_open;
		if (!core || !is_open || !topic->is_asked)
			continue;
		topic->is_asked = false;
		callbacks->room(core, apple_topics[at]);
	}
}

void apple_free(void)
{
	while (tokens) {
		struct token *token = tokens;
		tokens = token->next;
		free(token);
	}
}

void apple_weather_changed(unsigned at)
{
	/* A turn follows, also when nothing else happens. */
	virtual_in(0, nothing, NULL, 0);
	while (weather_of(at) == WEATHER_DOWN) {
		struct flight *flight = flights;
		while (flight && flight->topic != at)
			flight = flight->next;
		if (!flight)
			break;
		struct apns_answer said = {.retry_after_ms = -1};
		end_without_answer(&said);
		answer(flight, &said, APPLE_FAILED);
	}
}

void apple_trouble_token(void)
{
	static const enum trouble troubles[] = {GONE, GONE, GONE, BAD, MISROUTED, THROTTLED};
	struct token *token = token_of(people_some_token());
	token->trouble = troubles[dice_roll(6)];
	token->gone_unix_ms = clock_unix_ms();
	int64_t mean_ms = token->trouble == THROTTLED ? CLOCK_DAY_MS : 2 * CLOCK_DAY_MS;
	if (dice_roll(2))
		mean_ms = CLOCK_HOUR_MS;
	token->until_ms = virtual_now_ms() + dice_wait_ms(mean_ms);
}

void apple_forgive_tokens(void)
{
	for (struct token *token = tokens; token; token = token->next)
		token->trouble = GOOD;
}

void apple_phone_came(const char *text)
{
	struct token *token = token_of(text);
	if (token->trouble != THROTTLED && !dice_once_in(4))
		token->trouble = GOOD;
}

int64_t apple_open_since_ms(const char *name)
{
	unsigned at = topic_of(name);
	return room(at) > 0 && !topics[at].is_held ? topics[at].open_since_ms : INT64_MAX;
}

int64_t apple_condemned_before_ms(const char *text, const char *topic, bool is_stop)
{
	const struct token *token = token_of(text);
	unsigned at = topic_of(topic);
	return is_stop ? token->stop_before_ms[at] : token->gone_before_ms[at];
}

int64_t apple_missing_ms(const char *topic)
{
	return missing_ms[topic_of(topic)];
}

uint64_t apple_answers(enum apple_meaning meaning)
{
	return answers[meaning];
}

#include "apple.h"

#include "base/clock.h"
#include "base/mem.h"
#include "dice.h"
#include "judge/judge.h"
#include "people.h"
#include "sending.h"
#include "virtual.h"
#include "weather.h"

#include <string.h>

#define DEADLINE_MS 20000

const char *const apple_topics[APPLE_TOPICS] = {
	"com.apple.mail.XServer.one", "com.apple.mail.XServer.two"};

enum trouble { GOOD, GONE, BAD, MISROUTED, THROTTLED };

struct token {
	struct token *next;
	enum trouble trouble;
	int64_t until_ms;		      /* monotonic */
	int64_t gone_unix_ms;		      /* GONE: from this time on */
	int64_t gone_before_ms[APPLE_TOPICS]; /* as apple_condemned_before_ms */
	int64_t stop_before_ms[APPLE_TOPICS];
	char text[];
};

/* The rows of Apple's table, and what each means. */
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

static struct token *tokens;
static uint64_t answers[APPLE_MEANINGS];

unsigned apple_topic_of(const char *name)
{
	for (unsigned i = 0; i < APPLE_TOPICS; i++) {
		if (!strcmp(apple_topics[i], name))
			return i;
	}
	judge_rule(false, "a push is on a topic that Cyrus gave to phones");
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

int64_t apple_takes_ms(unsigned topic)
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
		return APPLE_BAD;
	case MISROUTED:
		ret->status = 400;
		strcpy(ret->reason, "DeviceTokenNotForTopic");
		raise_to(&token->stop_before_ms[flight->topic], flight->sent_unix_ms);
		return APPLE_MISROUTED;
	case THROTTLED:
		ret->status = 429;
		strcpy(ret->reason, dice_roll(2) ? "TooManyRequests" : "");
		/* Long enough that a day passes with few attempts. */
		if (dice_once_in(20))
			ret->retry_after_ms = dice_between(1, 24 * 60 * 60) * 1000;
		else if (dice_once_in(3))
			ret->retry_after_ms = dice_between(1, 600) * 1000;
		return APPLE_THROTTLED;
	case GOOD:
		break;
	}
	ret->status = 200;
	return APPLE_ACCEPTED;
}

bool apple_decide(
	const struct flight *flight, struct apns_answer *ret, enum apple_meaning *ret_meaning)
{
	struct token *token = token_of(flight->push->token);
	if (token->trouble != GOOD && token->until_ms <= virtual_now_ms())
		token->trouble = GOOD;
	switch (weather_of(flight->topic)) {
	case WEATHER_FAILING:
		choose_row(APPLE_FAILED, ret, ret_meaning);
		return true;
	case WEATHER_REFUSED:
		choose_row(APPLE_REFUSED, ret, ret_meaning);
		return true;
	case WEATHER_DOWN:
	case WEATHER_LOSING:
	case WEATHER_SILENT:
		return false;
	case WEATHER_FINE:
	case WEATHER_SLOW:
	case WEATHER_STINGY:
	case WEATHER_MISSING:
	case WEATHERS:
		break;
	}
	if (dice_once_in(1000))
		choose_row(APPLE_MEANINGS, ret, ret_meaning);
	else if (dice_once_in(500))
		return false;
	else
		*ret_meaning = answer_token(token, flight, ret);
	return true;
}

void apple_heard(const struct flight *flight, bool is_proven)
{
	struct token *token = token_of(flight->push->token);
	answers[flight->meaning]++;
	if (flight->meaning == APPLE_BAD && is_proven)
		raise_to(&token->gone_before_ms[flight->topic], flight->sent_unix_ms);
	/* The phone looks for mail, and may log in. */
	if (flight->meaning == APPLE_ACCEPTED)
		people_got_push(flight->push->token);
}

void apple_free(void)
{
	while (tokens) {
		struct token *token = tokens;
		tokens = token->next;
		free(token);
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

int64_t apple_condemned_before_ms(const char *text, const char *topic, bool is_stop)
{
	const struct token *token = token_of(text);
	unsigned at = apple_topic_of(topic);
	return is_stop ? token->stop_before_ms[at] : token->gone_before_ms[at];
}

uint64_t apple_answers(enum apple_meaning meaning)
{
	return answers[meaning];
}

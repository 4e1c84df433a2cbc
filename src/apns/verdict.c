#include "apns/verdict.h"

#include <stddef.h>
#include <string.h>

#define AT_ONCE 0
#define BACK_OFF (-1)

struct row {
	int status;
	const char *reason; /* "": none came, or it was not readable */
	struct verdict verdict;
};

#define DROP                                                      \
	{                                                         \
		.action = VERDICT_DROP, .scope = VERDICT_REQUEST, \
	}
#define HOLD                                                         \
	{                                                            \
		.action = VERDICT_HOLD, .scope = VERDICT_CREDENTIAL, \
	}
#define HOLD_ON_NEW_CONNECTION                                                                   \
	{                                                                                        \
		.action = VERDICT_HOLD, .scope = VERDICT_CREDENTIAL, .replace_connection = true, \
	}
#define FORGET                                                    \
	{                                                         \
		.action = VERDICT_FORGET, .scope = VERDICT_TOKEN, \
	}
#define RETRY(whose, when)                                                                     \
	{                                                                                      \
		.action = VERDICT_RETRY, .scope = (whose), .delay_ms = (when), .counts = true, \
	}

static const struct row rows[] = {
	{200, "", {.action = VERDICT_DONE, .scope = VERDICT_TOKEN}},

	{400, "BadDeviceToken", FORGET},
	{400, "DeviceTokenNotForTopic", {.action = VERDICT_STOP, .scope = VERDICT_TOKEN}},
	{400, "MissingDeviceToken", DROP},
	{400, "BadTopic", HOLD},
	{400, "MissingTopic", HOLD},
	{400, "TopicDisallowed", HOLD},
	{400, "BadCollapseId", DROP},
	{400, "BadExpirationDate", DROP},
	{400, "BadMessageId", DROP},
	{400, "BadPriority", DROP},
	{400, "DuplicateHeaders", DROP},
	{400, "InvalidPushType", DROP},
	{400, "PayloadEmpty", DROP},
	{400, "IdleTimeout",
		{.action = VERDICT_RETRY,
			.scope = VERDICT_SERVICE,
			.delay_ms = AT_ONCE,
			.counts = true,
			.replace_connection = true}},

	{403, "BadCertificate", HOLD_ON_NEW_CONNECTION},
	{403, "BadCertificateEnvironment", HOLD_ON_NEW_CONNECTION},
	{403, "Forbidden", HOLD},
	/* A new token is still called outdated: our clock may be wrong. */
	{403, "ExpiredProviderToken", HOLD},
	{403, "InvalidProviderToken", HOLD_ON_NEW_CONNECTION},
	{403, "MissingProviderToken", HOLD_ON_NEW_CONNECTION},
	{403, "UnrelatedKeyIdInToken", HOLD_ON_NEW_CONNECTION},
	{403, "UnrelatedKeyInToken", HOLD_ON_NEW_CONNECTION},
	{403, "BadEnvironmentKeyIdInToken", HOLD_ON_NEW_CONNECTION},
	{403, "BadEnvironmentKeyInToken", HOLD_ON_NEW_CONNECTION},
	/*
	 * A 403 is about the credential even without a reason: dropping would lose everybody's
	 * news.
	 */
	{403, "", HOLD},

	{404, "BadPath", DROP},
	{405, "MethodNotAllowed", DROP},

	{410, "Unregistered", FORGET},
	{410, "ExpiredToken", FORGET},
	{410, "", FORGET},

	{413, "PayloadTooLarge", DROP},

	{429, "TooManyRequests", RETRY(VERDICT_TOKEN, BACK_OFF)},
	/* The next try uses the same token again. */
	{429, "TooManyProviderTokenUpdates", HOLD},
	{429, "", RETRY(VERDICT_TOKEN, BACK_OFF)},

	{500, "InternalServerError", RETRY(VERDICT_SERVICE, BACK_OFF)},
	{503, "ServiceUnavailable", RETRY(VERDICT_SERVICE, BACK_OFF)},
	{503, "Shutdown",
		{.action = VERDICT_RETRY,
			.scope = VERDICT_SERVICE,
			.delay_ms = AT_ONCE,
			.counts = true,
			.replace_connection = true}},
};

/*
 * A wrong host or topic makes every token bad, so only after a 200 the answer is about the
 * token.  Until then this push alone waits, so that others can get the 200.
 */
static const struct verdict doubted = {.action = VERDICT_HOLD,
	.scope = VERDICT_TOKEN,
	.delay_ms = VERDICT_DOUBTED_RETRY_MS,
	.counts = true};

static const struct row *row_of(int status, const char *reason)
{
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		if (rows[i].status == status && strcmp(rows[i].reason, reason) == 0)
			return &rows[i];
	}
	return NULL;
}

static struct verdict of_status(int status, const char *reason)
{
	/* Also answers that Apple never gives, such as a redirection: another server answers. */
	static const struct verdict not_apple = RETRY(VERDICT_SERVICE, BACK_OFF);
	static const struct verdict any_4xx = DROP;

	const struct row *row = row_of(status, reason);
	if (!row)
		row = row_of(status >= 200 && status <= 299 ? 200 : status, "");
	if (row)
		return row->verdict;
	return status >= 400 && status <= 499 ? any_4xx : not_apple;
}

static struct verdict of_ending(enum apns_ending ending, unsigned attempts)
{
	if (ending == APNS_NOT_PROCESSED)
		return (struct verdict){.action = VERDICT_RETRY,
			.scope = VERDICT_SERVICE,
			.delay_ms = AT_ONCE,
			.counts = false};
	/* Only a push shows that a connection died while idle. */
	if (ending == APNS_LOST && attempts == 0)
		return (struct verdict)RETRY(VERDICT_SERVICE, AT_ONCE);
	return (struct verdict)RETRY(VERDICT_SERVICE, BACK_OFF);
}

/* Negative: Apple names no time, or a past one. */
static int64_t retry_after_ms(const struct apns_answer *answer, int64_t now_unix_ms)
{
	int64_t delay_ms = answer->retry_after_ms;
	if (answer->retry_at_unix_ms > now_unix_ms)
		delay_ms = answer->retry_at_unix_ms - now_unix_ms;
	if (delay_ms <= 0)
		return BACK_OFF;
	return delay_ms < VERDICT_RETRY_AFTER_MAX_MS ? delay_ms : VERDICT_RETRY_AFTER_MAX_MS;
}

/*
 * Apple's answer does not concern a phone that registered while the push was in flight, whatever
 * the timestamp, as Apple's clock may differ from the daemon's.
 */
static int64_t forget_before(
	const struct apns_answer *answer, const struct verdict_context *context)
{
	int64_t timestamp_ms = answer->status == 410 ? answer->timestamp_unix_ms : 0;
	return timestamp_ms > 0 && timestamp_ms < context->sent_unix_ms ? timestamp_ms
									: context->sent_unix_ms;
}

struct verdict verdict_of(const struct apns_answer *answer, const struct verdict_context *context)
{
	if (answer->ending != APNS_ANSWERED)
		return of_ending(answer->ending, context->attempts);

	struct verdict verdict = of_status(answer->status, answer->reason);
	if (verdict.scope == VERDICT_CREDENTIAL && answer->is_outdated)
		verdict = (struct verdict)RETRY(VERDICT_SERVICE, AT_ONCE);
	switch (verdict.action) {
	case VERDICT_FORGET:
		if (answer->status == 400 && !context->is_proven)
			return doubted;
		verdict.forget_before_unix_ms = forget_before(answer, context);
		break;
	case VERDICT_STOP:
		verdict.forget_before_unix_ms = context->sent_unix_ms;
		break;
	case VERDICT_RETRY:
		if (verdict.delay_ms == AT_ONCE && context->attempts > 0)
			verdict.delay_ms = BACK_OFF;
		if (verdict.delay_ms == BACK_OFF)
			verdict.delay_ms = retry_after_ms(answer, context->now_unix_ms);
		break;
	case VERDICT_DONE:
	case VERDICT_DROP:
	case VERDICT_HOLD:
		break;
	}
	return verdict;
}

bool verdict_is_refusal(const char *goaway_reason)
{
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		if (rows[i].verdict.scope == VERDICT_CREDENTIAL && rows[i].reason[0] &&
			strcmp(rows[i].reason, goaway_reason) == 0)
			return true;
	}
	return false;
}

const char *verdict_remedy(const char *reason)
{
	static const struct {
		const char *beginning, *remedy;
	} remedies[] = {
		{"BadCertificateEnvironment",
			"the certificate is for another apns_host; use a production certificate "
			"with api.push.apple.com"},
		{"BadCertificate",
			"check that the certificate is Apple's for this service and not revoked, "
			"and renew it if necessary"},
		{"BadEnvironmentKey", "the key is not for the environment of apns_host"},
		{"TooManyProviderTokenUpdates",
			"several programs create tokens with this key; give each its own key"},
		{"MissingProviderToken",
			"Apple received no client certificate: is a TLS proxy in between?"},
		{"TopicDisallowed", "the certificate is not for this topic; check its topic"},
		{"BadTopic", "check the topic of the credential"},
		{"MissingTopic", "check the topic of the credential"},
		{"", "check that the credential is valid in Apple's portal, and apns_host"},
	};
	size_t i = 0;
	while (strncmp(reason, remedies[i].beginning, strlen(remedies[i].beginning)) != 0)
		i++;
	return remedies[i].remedy;
}

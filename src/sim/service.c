#include "sim/service.h"

#include <stdio.h>
#include <string.h>

#define DEVICE_PATH "/3/device/"

static bool is(struct text text, const char *other)
{
	return text.bytes && text.size == strlen(other) && !memcmp(text.bytes, other, text.size);
}

static bool is_digit(char c)
{
	return c >= '0' && c <= '9';
}

static bool is_hex(char c)
{
	return is_digit(c) || (c >= 'a' && c <= 'f') || (c >= 'A' && c <= 'F');
}

static bool is_letter(char c)
{
	return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
}

enum service_header service_header_of(const char *name, size_t size)
{
	/* The length distinguishes nearly all fields; this runs for each field of each push. */
	switch (size) {
	case 5:
		return memcmp(name, ":path", 5) ? SERVICE_HEADERS : SERVICE_PATH;
	case 7:
		if (!memcmp(name, ":method", 7))
			return SERVICE_METHOD;
		return memcmp(name, "apns-id", 7) ? SERVICE_HEADERS : SERVICE_ID;
	case 10:
		return memcmp(name, "apns-topic", 10) ? SERVICE_HEADERS : SERVICE_TOPIC;
	case 13:
		if (!memcmp(name, "apns-priority", 13))
			return SERVICE_PRIORITY;
		return memcmp(name, "authorization", 13) ? SERVICE_HEADERS : SERVICE_AUTHORIZATION;
	case 14:
		return memcmp(name, "apns-push-type", 14) ? SERVICE_HEADERS : SERVICE_PUSH_TYPE;
	case 15:
		return memcmp(name, "apns-expiration", 15) ? SERVICE_HEADERS : SERVICE_EXPIRATION;
	case 16:
		return memcmp(name, "apns-collapse-id", 16) ? SERVICE_HEADERS : SERVICE_COLLAPSE_ID;
	default:
		return SERVICE_HEADERS;
	}
}

struct text service_token(const struct request *request)
{
	struct text path = request->header[SERVICE_PATH];
	size_t prefix = strlen(DEVICE_PATH);
	if (!path.bytes || path.size < prefix || memcmp(path.bytes, DEVICE_PATH, prefix) ||
		memchr(path.bytes + prefix, '/', path.size - prefix))
		return (struct text){0};
	return (struct text){path.bytes + prefix, path.size - prefix};
}

static bool is_uuid(struct text text)
{
	if (text.size != 36)
		return false;
	for (size_t i = 0; i < text.size; i++) {
		bool dash = i == 8 || i == 13 || i == 18 || i == 23;
		if (dash ? text.bytes[i] != '-' : !is_hex(text.bytes[i]))
			return false;
	}
	return true;
}

static bool is_topic(struct text text)
{
	if (!text.size || text.size > SERVICE_TOPIC_MAX)
		return false;
	for (size_t i = 0; i < text.size; i++) {
		char c = text.bytes[i];
		if (!is_letter(c) && !is_digit(c) && c != '.' && c != '-' && c != '_')
			return false;
	}
	return true;
}

static bool is_number(struct text text)
{
	if (!text.size || text.size > 18)
		return false;
	for (size_t i = 0; i < text.size; i++) {
		if (!is_digit(text.bytes[i]))
			return false;
	}
	return true;
}

static bool is_push_type(struct text text)
{
	static const char *const types[] = {"background", "alert", "voip", "complication",
		"fileprovider", "mdm", "location", "liveactivity", "pushtotalk", "widgets",
		"controls"};
	for (size_t i = 0; i < sizeof(types) / sizeof(types[0]); i++) {
		if (is(text, types[i]))
			return true;
	}
	return false;
}

/* Apple refuses background pushes with priority 10. */
static bool is_priority(struct text text, struct text push_type)
{
	if (is(text, "10"))
		return !is(push_type, "background");
	return is(text, "5") || is(text, "1");
}

static bool is_token(struct text text)
{
	if (text.size < SERVICE_TOKEN_MIN || text.size > SERVICE_TOKEN_MAX)
		return false;
	for (size_t i = 0; i < text.size; i++) {
		if (!is_hex(text.bytes[i]))
			return false;
	}
	return true;
}

/* The token for trying a certificate: well-formed, and of no phone. */
static bool is_zeros(struct text text)
{
	return text.bytes[0] == '0' && !memcmp(text.bytes, text.bytes + 1, text.size - 1);
}

bool service_is_trial(const struct request *request)
{
	struct text device = service_token(request);
	return device.size && is_zeros(device) && is_token(device);
}

static bool allows(const struct peer *peer, struct text topic)
{
	if (peer->has_any_topic)
		return true;
	for (size_t i = 0; i < peer->topics; i++) {
		if (is(topic, peer->topic[i]))
			return true;
	}
	return false;
}

static bool give(struct verdict *ret, int status, const char *reason)
{
	ret->status = status;
	ret->timestamp_ms = 0;
	ret->retry_after[0] = '\0';
	snprintf(ret->reason, sizeof(ret->reason), "%s", reason);
	return false;
}

bool service_check(const struct request *request, const struct peer *peer,
	const struct token_state *token, struct verdict *ret)
{
	const struct text *header = request->header;
	if (!peer->has_certificate && request->provider_status)
		return give(ret, request->provider_status, request->provider_reason);
	if (!peer->has_certificate && !peer->has_any_topic && !request->is_authorized)
		return give(ret, 403, "MissingProviderToken");
	if (request->header_list_size > SERVICE_HEADER_LIST_MAX)
		return give(ret, 431, "");
	if (!is(header[SERVICE_METHOD], "POST"))
		return give(ret, 405, "MethodNotAllowed");

	struct text device = service_token(request);
	if (!device.bytes)
		return give(ret, 404, "BadPath");
	if (!device.size)
		return give(ret, 400, "MissingDeviceToken");
	if (request->has_duplicate)
		return give(ret, 400, "DuplicateHeaders");
	if (header[SERVICE_ID].bytes && !is_uuid(header[SERVICE_ID]))
		return give(ret, 400, "BadMessageId");
	if (!header[SERVICE_TOPIC].bytes)
		return give(ret, 400, "MissingTopic");
	if (!is_topic(header[SERVICE_TOPIC]))
		return give(ret, 400, "BadTopic");
	if (header[SERVICE_COLLAPSE_ID].size > SERVICE_COLLAPSE_ID_MAX)
		return give(ret, 400, "BadCollapseId");
	if (header[SERVICE_PRIORITY].bytes &&
		!is_priority(header[SERVICE_PRIORITY], header[SERVICE_PUSH_TYPE]))
		return give(ret, 400, "BadPriority");
	if (header[SERVICE_EXPIRATION].bytes && !is_number(header[SERVICE_EXPIRATION]))
		return give(ret, 400, "BadExpirationDate");
	if (header[SERVICE_PUSH_TYPE].bytes && !is_push_type(header[SERVICE_PUSH_TYPE]))
		return give(ret, 400, "InvalidPushType");
	if (!is_token(device))
		return give(ret, 400, "BadDeviceToken");
	if (token && token->has_verdict) {
		*ret = token->verdict;
		return true;
	}
	if (token && token->topic && !is(header[SERVICE_TOPIC], token->topic))
		return give(ret, 400, "DeviceTokenNotForTopic");
	/* A token key is its team's, for all topics of it. */
	if (!request->is_authorized && !allows(peer, header[SERVICE_TOPIC]))
		return give(ret, 400, "TopicDisallowed");
	if (is_zeros(device))
		return give(ret, 400, "BadDeviceToken");
	if (!request->payload_size)
		return give(ret, 400, "PayloadEmpty");
	size_t limit = is(header[SERVICE_PUSH_TYPE], "voip") ? SERVICE_PAYLOAD_MAX_VOIP
							     : SERVICE_PAYLOAD_MAX;
	if (request->payload_size > limit)
		return give(ret, 413, "PayloadTooLarge");

	ret->status = 200;
	ret->reason[0] = '\0';
	ret->timestamp_ms = 0;
	ret->retry_after[0] = '\0';
	return false;
}

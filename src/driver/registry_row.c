#include "driver/registry_row.h"

#include "base/digest.h"
#include "event/event.h"

#include <string.h>

struct registry_key registry_key_make(const char *site, const char *user, const char *token,
	const char *account_id, const char *subtopic)
{
	/* The NUL separates, so that "ab" "c" and "a" "bc" are two registrations. */
	const struct digest_part parts[] = {{site, strlen(site) + 1}, {user, strlen(user) + 1},
		{token, strlen(token) + 1}, {account_id, strlen(account_id) + 1},
		{subtopic, strlen(subtopic)}};
	uint8_t digest[DIGEST_SHA256_SIZE];
	digest_sha256(parts, sizeof(parts) / sizeof(parts[0]), digest);

	struct registry_key key;
	memcpy(key.bytes, digest, sizeof(key.bytes));
	return key;
}

static bool consists_of(const char *text, const char *allowed, size_t most)
{
	size_t size = strspn(text, allowed);
	return size >= 1 && size <= most && !text[size];
}

bool registry_row_is_possible(const char *token, const char *account_id)
{
	static const char allowed[] = "-0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZ"
				      "abcdefghijklmnopqrstuvwxyz";
	return consists_of(token, "0123456789abcdefABCDEF", EVENT_TOKEN_MAX) &&
		consists_of(account_id, allowed, EVENT_ACCOUNT_ID_MAX);
}

bool registry_hash_is_possible(const char *hash)
{
	return consists_of(hash, "0123456789abcdef", MAILBOX_HASH_SIZE - 1) &&
		strlen(hash) == MAILBOX_HASH_SIZE - 1;
}

const char *const registry_state_names[REGISTRY_STATES] = {
	[REGISTRY_ACTIVE] = "active",
	[REGISTRY_SUPERSEDED] = "superseded",
	[REGISTRY_SUSPENDED] = "suspended",
	[REGISTRY_STOPPED] = "stopped",
};

enum registry_state registry_state_of(
	const char *stopped_reason, int64_t suspended_ms, int64_t superseded_ms)
{
	if (stopped_reason)
		return REGISTRY_STOPPED;
	if (suspended_ms > 0)
		return REGISTRY_SUSPENDED;
	return superseded_ms > 0 ? REGISTRY_SUPERSEDED : REGISTRY_ACTIVE;
}

const char *const registry_why_names[REGISTRY_WHYS] = {
	[REGISTRY_WHY_APPLE] = "apple",
	[REGISTRY_WHY_EXPIRED] = "expired",
	[REGISTRY_WHY_SUPERSEDED] = "superseded",
	[REGISTRY_WHY_LIMIT] = "limit",
	[REGISTRY_WHY_DELETED] = "deleted",
	[REGISTRY_WHY_REMOVED] = "removed",
};

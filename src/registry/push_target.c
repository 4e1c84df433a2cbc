#include "registry/push_target.h"

#include "event/event.h"

#include <assert.h>
#include <openssl/evp.h>
#include <string.h>

static const char *pack(char **memory, const char *text, size_t size)
{
	char *copy = memcpy(*memory, text, size);
	*memory += size;
	return copy;
}

static bool consists_of(const char *text, const char *allowed, size_t most)
{
	size_t size = strspn(text, allowed);
	return size >= 1 && size <= most && !text[size];
}

bool push_target_is_possible(const char *token, const char *account_id)
{
	static const char allowed[] = "-0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZ"
				      "abcdefghijklmnopqrstuvwxyz";
	return consists_of(token, "0123456789abcdefABCDEF", EVENT_TOKEN_MAX) &&
		consists_of(account_id, allowed, EVENT_ACCOUNT_ID_MAX);
}

struct push_target *push_target_new(const struct registry_key *key, const char *user,
	const char *token, const char *account_id, const char *topic, int aps_version,
	bool confirmed, bool inbox_only, int64_t renewed_ms)
{
	size_t user_size = strlen(user) + 1;
	size_t token_size = strlen(token) + 1;
	size_t account_id_size = strlen(account_id) + 1;
	size_t topic_size = strlen(topic) + 1;
	struct push_target *target =
		mem_alloc(sizeof(*target) + user_size + token_size + account_id_size + topic_size);
	char *memory = target->memory;
	target->key = *key;
	target->user = pack(&memory, user, user_size);
	target->token = pack(&memory, token, token_size);
	target->account_id = pack(&memory, account_id, account_id_size);
	target->topic = pack(&memory, topic, topic_size);
	target->aps_version = aps_version;
	target->confirmed = confirmed;
	target->inbox_only = inbox_only;
	target->renewed_ms = renewed_ms;
	atomic_init(&target->references, 1);
	return target;
}

struct push_target *push_target_ref(struct push_target *target)
{
	atomic_fetch_add_explicit(&target->references, 1, memory_order_relaxed);
	return target;
}

void push_target_free(struct push_target *target)
{
	/* Whoever frees it comes after all reading by the others. */
	if (target && atomic_fetch_sub_explicit(&target->references, 1, memory_order_acq_rel) == 1)
		free(target);
}

struct registry_key registry_key_make(const char *site, const char *user, const char *token,
	const char *account_id, const char *subtopic)
{
	const char *const parts[] = {site, user, token, account_id, subtopic};
	const size_t count = sizeof(parts) / sizeof(parts[0]);
	uint8_t digest[EVP_MAX_MD_SIZE];
	EVP_MD_CTX *sha = EVP_MD_CTX_new();
	int fine = sha && EVP_DigestInit_ex(sha, EVP_sha256(), NULL);
	for (size_t i = 0; i < count; i++) {
		/* The NUL separates, so that "ab" "c" and "a" "bc" are two registrations. */
		size_t size = strlen(parts[i]) + (i + 1 < count ? 1 : 0);
		fine = fine && EVP_DigestUpdate(sha, parts[i], size);
	}
	fine = fine && EVP_DigestFinal_ex(sha, digest, NULL);
	EVP_MD_CTX_free(sha);
	assert(fine); /* SHA-256 is always there, and only memory can fail */

	struct registry_key key;
	memcpy(key.bytes, digest, sizeof(key.bytes));
	return key;
}

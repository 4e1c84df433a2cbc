#include "registry/push_target.h"

#include <string.h>

static const char *pack(char **memory, const char *text, size_t size)
{
	char *copy = memcpy(*memory, text, size);
	*memory += size;
	return copy;
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

#include "flow/bad_tokens.h"

#include "base/mem.h"

#include <string.h>

struct topic {
	char *name;
	struct registry_key keys[BAD_TOKENS_KNOWN_MAX];
	unsigned key_count;
};

struct bad_tokens {
	bad_tokens_changed_fn *changed;
	void *ctx;
	struct topic topics[BAD_TOKENS_TOPICS_MAX];
	unsigned topic_count;
};

struct bad_tokens *bad_tokens_new(bad_tokens_changed_fn *changed, void *ctx)
{
	struct bad_tokens *bad_tokens = mem_alloc_zero(1, sizeof(*bad_tokens));
	bad_tokens->changed = changed;
	bad_tokens->ctx = ctx;
	return bad_tokens;
}

void bad_tokens_free(struct bad_tokens *bad_tokens)
{
	if (!bad_tokens)
		return;
	for (unsigned i = 0; i < bad_tokens->topic_count; i++)
		free(bad_tokens->topics[i].name);
	free(bad_tokens);
}

static struct topic *find(struct bad_tokens *bad_tokens, const char *name)
{
	for (unsigned i = 0; i < bad_tokens->topic_count; i++) {
		if (!strcmp(bad_tokens->topics[i].name, name))
			return &bad_tokens->topics[i];
	}
	return NULL;
}

static void end(struct bad_tokens *bad_tokens, struct topic *topic)
{
	bad_tokens->changed(bad_tokens->ctx, topic->name, false);
	free(topic->name);
	*topic = bad_tokens->topics[--bad_tokens->topic_count];
}

static bool remove_key(struct topic *topic, const struct registry_key *key)
{
	for (unsigned i = 0; i < topic->key_count; i++) {
		if (memcmp(&topic->keys[i], key, sizeof(*key)) != 0)
			continue;
		topic->keys[i] = topic->keys[--topic->key_count];
		return true;
	}
	return false;
}

void bad_tokens_refused(struct bad_tokens *bad_tokens, const struct push_target *target)
{
	struct topic *topic = find(bad_tokens, target->topic);
	if (!topic) {
		if (bad_tokens->topic_count == BAD_TOKENS_TOPICS_MAX)
			return;
		topic = &bad_tokens->topics[bad_tokens->topic_count++];
		*topic = (struct topic){.name = mem_dup(target->topic)};
		bad_tokens->changed(bad_tokens->ctx, topic->name, true);
	}
	remove_key(topic, &target->key);
	if (topic->key_count < BAD_TOKENS_KNOWN_MAX)
		topic->keys[topic->key_count++] = target->key;
}

void bad_tokens_taken(struct bad_tokens *bad_tokens, const struct push_target *target)
{
	struct topic *topic = find(bad_tokens, target->topic);
	if (topic)
		end(bad_tokens, topic);
}

void bad_tokens_gone(struct bad_tokens *bad_tokens, const struct registry_key *key)
{
	for (unsigned i = bad_tokens->topic_count; i-- > 0;) {
		struct topic *topic = &bad_tokens->topics[i];
		if (remove_key(topic, key) && !topic->key_count)
			end(bad_tokens, topic);
	}
}

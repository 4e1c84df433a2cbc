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
	struct bad_tokens *doubts = mem_alloc_zero(1, sizeof(*doubts));
	doubts->changed = changed;
	doubts->ctx = ctx;
	return doubts;
}

void bad_tokens_free(struct bad_tokens *doubts)
{
	if (!doubts)
		return;
	for (unsigned i = 0; i < doubts->topic_count; i++)
		free(doubts->topics[i].name);
	free(doubts);
}

static struct topic *find(struct bad_tokens *doubts, const char *name)
{
	for (unsigned i = 0; i < doubts->topic_count; i++) {
		if (!strcmp(doubts->topics[i].name, name))
			return &doubts->topics[i];
	}
	return NULL;
}

static void end(struct bad_tokens *doubts, struct topic *topic)
{
	doubts->changed(doubts->ctx, topic->name, false);
	free(topic->name);
	*topic = doubts->topics[--doubts->topic_count];
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

void bad_tokens_refused(struct bad_tokens *doubts, const struct push_target *target)
{
	struct topic *topic = find(doubts, target->topic);
	if (!topic) {
		if (doubts->topic_count == BAD_TOKENS_TOPICS_MAX)
			return;
		topic = &doubts->topics[doubts->topic_count++];
		*topic = (struct topic){.name = mem_dup(target->topic)};
		doubts->changed(doubts->ctx, topic->name, true);
	}
	remove_key(topic, &target->key);
	if (topic->key_count < BAD_TOKENS_KNOWN_MAX)
		topic->keys[topic->key_count++] = target->key;
}

void bad_tokens_taken(struct bad_tokens *doubts, const struct push_target *target)
{
	struct topic *topic = find(doubts, target->topic);
	if (topic)
		end(doubts, topic);
}

void bad_tokens_gone(struct bad_tokens *doubts, const struct registry_key *key)
{
	for (unsigned i = doubts->topic_count; i-- > 0;) {
		struct topic *topic = &doubts->topics[i];
		if (remove_key(topic, key) && !topic->key_count)
			end(doubts, topic);
	}
}

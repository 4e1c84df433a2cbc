#include "daemon/doubts.h"

#include "base/mem.h"

#include <string.h>

struct topic {
	char *name;
	struct registry_key keys[DOUBTS_KNOWN_MAX];
	unsigned key_count;
};

struct doubts {
	doubts_changed_fn *changed;
	void *ctx;
	struct topic topics[DOUBTS_TOPICS_MAX];
	unsigned topic_count;
};

struct doubts *doubts_new(doubts_changed_fn *changed, void *ctx)
{
	struct doubts *doubts = mem_alloc_zero(1, sizeof(*doubts));
	doubts->changed = changed;
	doubts->ctx = ctx;
	return doubts;
}

void doubts_free(struct doubts *doubts)
{
	if (!doubts)
		return;
	for (unsigned i = 0; i < doubts->topic_count; i++)
		free(doubts->topics[i].name);
	free(doubts);
}

static struct topic *find(struct doubts *doubts, const char *name)
{
	for (unsigned i = 0; i < doubts->topic_count; i++) {
		if (!strcmp(doubts->topics[i].name, name))
			return &doubts->topics[i];
	}
	return NULL;
}

static void end(struct doubts *doubts, struct topic *topic)
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

void doubts_refused(struct doubts *doubts, const struct target *target)
{
	struct topic *topic = find(doubts, target->topic);
	if (!topic) {
		if (doubts->topic_count == DOUBTS_TOPICS_MAX)
			return;
		topic = &doubts->topics[doubts->topic_count++];
		*topic = (struct topic){.name = mem_dup(target->topic)};
		doubts->changed(doubts->ctx, topic->name, true);
	}
	remove_key(topic, &target->key);
	if (topic->key_count < DOUBTS_KNOWN_MAX)
		topic->keys[topic->key_count++] = target->key;
}

void doubts_taken(struct doubts *doubts, const struct target *target)
{
	struct topic *topic = find(doubts, target->topic);
	if (topic)
		end(doubts, topic);
}

void doubts_gone(struct doubts *doubts, const struct registry_key *key)
{
	for (unsigned i = doubts->topic_count; i-- > 0;) {
		struct topic *topic = &doubts->topics[i];
		if (remove_key(topic, key) && !topic->key_count)
			end(doubts, topic);
	}
}

#include "flow/wrong_topic.h"

#include "base/map.h"
#include "base/mem.h"
#include "base/random.h"

#include <string.h>
#include <sys/queue.h>

struct phone {
	TAILQ_ENTRY(phone) place; /* in its topic's list, the newest last */
	struct registry_key key;
	struct topic *topic;
	int64_t at_ms;
	bool is_refused;
};

TAILQ_HEAD(phone_list, phone);

struct topic {
	char *name;
	char *user;	/* the last one that was refused; NULL: a push was taken since */
	unsigned users; /* in a row */
	struct phone_list taken, refused;
	unsigned taken_count, refused_count;
	unsigned sample_bits; /* with which a key must begin to count, all of them zero */
	bool are_many;
};

struct wrong_topic {
	wrong_topic_changed_fn *changed;
	void *ctx;
	struct map *phones;
	struct topic *topics[WRONG_TOPIC_TOPICS_MAX];
	unsigned topic_count;
};

struct wrong_topic *wrong_topic_new(wrong_topic_changed_fn *changed, void *ctx)
{
	uint8_t seed[RANDOM_SEED_SIZE];
	random_seed(seed);
	struct wrong_topic *wrong_topic = mem_alloc_zero(1, sizeof(*wrong_topic));
	wrong_topic->changed = changed;
	wrong_topic->ctx = ctx;
	wrong_topic->phones = map_new(seed);
	return wrong_topic;
}

static void enter(struct phone *phone, bool is_refused, int64_t now_ms)
{
	struct topic *topic = phone->topic;
	phone->is_refused = is_refused;
	phone->at_ms = now_ms;
	if (is_refused) {
		TAILQ_INSERT_TAIL(&topic->refused, phone, place);
		topic->refused_count++;
	} else {
		TAILQ_INSERT_TAIL(&topic->taken, phone, place);
		topic->taken_count++;
	}
}

static void leave(struct phone *phone)
{
	struct topic *topic = phone->topic;
	if (phone->is_refused) {
		TAILQ_REMOVE(&topic->refused, phone, place);
		topic->refused_count--;
	} else {
		TAILQ_REMOVE(&topic->taken, phone, place);
		topic->taken_count--;
	}
}

static void remove_phone(struct wrong_topic *wrong_topic, struct phone *phone)
{
	leave(phone);
	map_remove(wrong_topic->phones, &phone->key, sizeof(phone->key));
	free(phone);
}

static void remove_topic(struct wrong_topic *wrong_topic, unsigned i)
{
	struct topic *topic = wrong_topic->topics[i];
	struct phone *phone;
	while ((phone = TAILQ_FIRST(&topic->taken)) || (phone = TAILQ_FIRST(&topic->refused)))
		remove_phone(wrong_topic, phone);
	wrong_topic->topics[i] = wrong_topic->topics[--wrong_topic->topic_count];
	free(topic->name);
	free(topic->user);
	free(topic);
}

void wrong_topic_free(struct wrong_topic *wrong_topic)
{
	if (!wrong_topic)
		return;
	while (wrong_topic->topic_count)
		remove_topic(wrong_topic, 0);
	map_free(wrong_topic->phones);
	free(wrong_topic);
}

static bool is_in_sample(const struct registry_key *key, unsigned bits)
{
	for (unsigned i = 0; i < bits; i++) {
		if (key->bytes[i / 8] & (0x80u >> i % 8))
			return false;
	}
	return true;
}

/* The phones in `list` that are not in the sample any more go. */
static void thin_out(struct wrong_topic *wrong_topic, struct phone_list *list, unsigned bits)
{
	struct phone *next;
	for (struct phone *phone = TAILQ_FIRST(list); phone; phone = next) {
		next = TAILQ_NEXT(phone, place);
		if (!is_in_sample(&phone->key, bits))
			remove_phone(wrong_topic, phone);
	}
}

static void forget_old(struct wrong_topic *wrong_topic, struct phone_list *list, int64_t now_ms)
{
	struct phone *phone;
	while ((phone = TAILQ_FIRST(list)) && phone->at_ms <= now_ms - WRONG_TOPIC_WINDOW_MS)
		remove_phone(wrong_topic, phone);
}

/* NULL: there are too many topics. */
static struct topic *topic_of(struct wrong_topic *wrong_topic, const char *name)
{
	for (unsigned i = 0; i < wrong_topic->topic_count; i++) {
		if (!strcmp(wrong_topic->topics[i]->name, name))
			return wrong_topic->topics[i];
	}
	if (wrong_topic->topic_count == WRONG_TOPIC_TOPICS_MAX)
		return NULL;
	struct topic *topic = mem_alloc_zero(1, sizeof(*topic));
	topic->name = mem_dup(name);
	TAILQ_INIT(&topic->taken);
	TAILQ_INIT(&topic->refused);
	wrong_topic->topics[wrong_topic->topic_count++] = topic;
	return topic;
}

static void count(struct wrong_topic *wrong_topic, struct topic *topic,
	const struct registry_key *key, bool is_refused, int64_t now_ms)
{
	struct phone *phone = map_get(wrong_topic->phones, key, sizeof(*key));
	if (phone && phone->topic != topic) {
		remove_phone(wrong_topic, phone);
		phone = NULL;
	}
	if (phone) {
		leave(phone);
	} else if (is_in_sample(key, topic->sample_bits)) {
		phone = mem_alloc_zero(1, sizeof(*phone));
		phone->key = *key;
		phone->topic = topic;
		map_add(wrong_topic->phones, &phone->key, sizeof(phone->key), phone);
	} else {
		return;
	}
	enter(phone, is_refused, now_ms);
	while (topic->taken_count + topic->refused_count > WRONG_TOPIC_KNOWN_MAX) {
		topic->sample_bits++;
		thin_out(wrong_topic, &topic->taken, topic->sample_bits);
		thin_out(wrong_topic, &topic->refused, topic->sample_bits);
	}
}

static void judge(
	struct wrong_topic *wrong_topic, struct topic *topic, bool may_begin, int64_t now_ms)
{
	forget_old(wrong_topic, &topic->taken, now_ms);
	if (!topic->are_many)
		forget_old(wrong_topic, &topic->refused, now_ms);
	unsigned all = topic->taken_count + topic->refused_count;
	bool are_many = topic->users >= WRONG_TOPIC_USERS ||
		(topic->refused_count >= WRONG_TOPIC_PHONES &&
			topic->refused_count * WRONG_TOPIC_SHARE > all);
	if (are_many != topic->are_many && (topic->are_many || may_begin)) {
		topic->are_many = are_many;
		wrong_topic->changed(wrong_topic->ctx, topic->name, are_many);
	}
	if (all || topic->users)
		return;
	for (unsigned i = 0; i < wrong_topic->topic_count; i++) {
		if (wrong_topic->topics[i] == topic) {
			remove_topic(wrong_topic, i);
			return;
		}
	}
}

void wrong_topic_refused(
	struct wrong_topic *wrong_topic, const struct push_target *target, int64_t now_ms)
{
	struct topic *topic = topic_of(wrong_topic, target->topic);
	if (!topic)
		return;
	if (!topic->user || strcmp(topic->user, target->user) != 0) {
		free(topic->user);
		topic->user = mem_dup(target->user);
		topic->users++;
	}
	count(wrong_topic, topic, &target->key, true, now_ms);
	judge(wrong_topic, topic, true, now_ms);
}

void wrong_topic_taken(
	struct wrong_topic *wrong_topic, const struct push_target *target, int64_t now_ms)
{
	struct topic *topic = topic_of(wrong_topic, target->topic);
	if (!topic)
		return;
	free(mem_steal(topic->user));
	topic->users = 0;
	count(wrong_topic, topic, &target->key, false, now_ms);
	judge(wrong_topic, topic, false, now_ms);
}

void wrong_topic_forgive(
	struct wrong_topic *wrong_topic, const struct registry_key *key, int64_t now_ms)
{
	struct phone *phone = map_get(wrong_topic->phones, key, sizeof(*key));
	if (!phone || !phone->is_refused)
		return;
	struct topic *topic = phone->topic;
	remove_phone(wrong_topic, phone);
	if (!topic->refused_count) {
		free(mem_steal(topic->user));
		topic->users = 0;
	}
	judge(wrong_topic, topic, false, now_ms);
}

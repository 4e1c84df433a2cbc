#include "stats/topic_health.h"

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
	bool stands[TOPIC_TROUBLES];
	bool is_without_credential; /* found in this look */
	struct registry_key bad[TOPIC_HEALTH_BAD_MAX];
	unsigned bad_count;
	char *user;	/* the last one that was refused; NULL: a push was taken since */
	unsigned users; /* in a row */
	struct phone_list taken, refused;
	unsigned taken_count, refused_count;
	unsigned sample_bits; /* with which a key must begin to count, all of them zero */
};

struct topic_health {
	topic_health_changed_fn *changed;
	void *ctx;
	struct map *phones; /* by key */
	struct topic *topics[TOPIC_HEALTH_TOPICS_MAX];
	unsigned topic_count;
};

struct topic_health *topic_health_new(topic_health_changed_fn *changed, void *ctx)
{
	uint8_t seed[RANDOM_SEED_SIZE];
	random_seed(seed);
	struct topic_health *health = mem_alloc_zero(1, sizeof(*health));
	health->changed = changed;
	health->ctx = ctx;
	health->phones = map_new(seed);
	return health;
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

static void remove_phone(struct topic_health *health, struct phone *phone)
{
	leave(phone);
	map_remove(health->phones, &phone->key, sizeof(phone->key));
	free(phone);
}

static void topic_free(struct topic_health *health, struct topic *topic)
{
	struct phone *phone;
	while ((phone = TAILQ_FIRST(&topic->taken)) || (phone = TAILQ_FIRST(&topic->refused)))
		remove_phone(health, phone);
	free(topic->name);
	free(topic->user);
	free(topic);
}

void topic_health_free(struct topic_health *health)
{
	if (!health)
		return;
	for (unsigned i = 0; i < health->topic_count; i++)
		topic_free(health, health->topics[i]);
	map_free(health->phones);
	free(health);
}

/* NULL: there are too many topics. */
static struct topic *topic_of(struct topic_health *health, const char *name)
{
	for (unsigned i = 0; i < health->topic_count; i++) {
		if (!strcmp(health->topics[i]->name, name))
			return health->topics[i];
	}
	if (health->topic_count == TOPIC_HEALTH_TOPICS_MAX)
		return NULL;
	struct topic *topic = mem_alloc_zero(1, sizeof(*topic));
	topic->name = mem_dup(name);
	TAILQ_INIT(&topic->taken);
	TAILQ_INIT(&topic->refused);
	health->topics[health->topic_count++] = topic;
	return topic;
}

/* It makes place for another as soon as nothing is known of it. */
static void forget_if_quiet(struct topic_health *health, struct topic *topic)
{
	bool stands = topic->taken_count || topic->refused_count || topic->users;
	for (unsigned i = 0; i < TOPIC_TROUBLES; i++)
		stands = stands || topic->stands[i];
	for (unsigned i = 0; i < health->topic_count && !stands; i++) {
		if (health->topics[i] != topic)
			continue;
		health->topics[i] = health->topics[--health->topic_count];
		topic_free(health, topic);
		return;
	}
}

static void set(
	struct topic_health *health, struct topic *topic, enum topic_trouble trouble, bool stands)
{
	if (topic->stands[trouble] == stands)
		return;
	topic->stands[trouble] = stands;
	health->changed(health->ctx, topic->name, trouble, stands);
}

/* No credential. */

void topic_health_no_credential(struct topic_health *health, const char *name)
{
	struct topic *topic = topic_of(health, name);
	if (!topic)
		return;
	topic->is_without_credential = true;
	set(health, topic, TOPIC_NO_CREDENTIAL, true);
}

void topic_health_looked(struct topic_health *health)
{
	for (unsigned i = health->topic_count; i-- > 0;) {
		struct topic *topic = health->topics[i];
		set(health, topic, TOPIC_NO_CREDENTIAL, topic->is_without_credential);
		topic->is_without_credential = false;
		forget_if_quiet(health, topic);
	}
}

/* Bad tokens. */

static bool remove_bad(struct topic *topic, const struct registry_key *key)
{
	for (unsigned i = 0; i < topic->bad_count; i++) {
		if (memcmp(&topic->bad[i], key, sizeof(*key)) != 0)
			continue;
		topic->bad[i] = topic->bad[--topic->bad_count];
		return true;
	}
	return false;
}

void topic_health_bad_token(struct topic_health *health, const struct push_target *target)
{
	struct topic *topic = topic_of(health, target->topic);
	if (!topic)
		return;
	remove_bad(topic, &target->key);
	if (topic->bad_count < TOPIC_HEALTH_BAD_MAX)
		topic->bad[topic->bad_count++] = target->key;
	set(health, topic, TOPIC_BAD_TOKENS, true);
}

/* Mismatches. */

static bool is_in_sample(const struct registry_key *key, unsigned bits)
{
	for (unsigned i = 0; i < bits; i++) {
		if (key->bytes[i / 8] & (0x80u >> i % 8))
			return false;
	}
	return true;
}

/* The phones in `list` that are not in the sample any more go. */
static void thin_out(struct topic_health *health, struct phone_list *list, unsigned bits)
{
	struct phone *next;
	for (struct phone *phone = TAILQ_FIRST(list); phone; phone = next) {
		next = TAILQ_NEXT(phone, place);
		if (!is_in_sample(&phone->key, bits))
			remove_phone(health, phone);
	}
}

static void forget_old(struct topic_health *health, struct phone_list *list, int64_t now_ms)
{
	struct phone *phone;
	while ((phone = TAILQ_FIRST(list)) && phone->at_ms <= now_ms - TOPIC_HEALTH_WINDOW_MS)
		remove_phone(health, phone);
}

static void count(struct topic_health *health, struct topic *topic, const struct registry_key *key,
	bool is_refused, int64_t now_ms)
{
	struct phone *phone = map_get(health->phones, key, sizeof(*key));
	if (phone && phone->topic != topic) {
		remove_phone(health, phone);
		phone = NULL;
	}
	if (phone) {
		leave(phone);
	} else if (is_in_sample(key, topic->sample_bits)) {
		phone = mem_alloc_zero(1, sizeof(*phone));
		phone->key = *key;
		phone->topic = topic;
		map_add(health->phones, &phone->key, sizeof(phone->key), phone);
	} else {
		return;
	}
	enter(phone, is_refused, now_ms);
	while (topic->taken_count + topic->refused_count > TOPIC_HEALTH_KNOWN_MAX) {
		topic->sample_bits++;
		thin_out(health, &topic->taken, topic->sample_bits);
		thin_out(health, &topic->refused, topic->sample_bits);
	}
}

static void judge(struct topic_health *health, struct topic *topic, bool may_begin, int64_t now_ms)
{
	bool stands = topic->stands[TOPIC_MISMATCH];
	forget_old(health, &topic->taken, now_ms);
	if (!stands)
		forget_old(health, &topic->refused, now_ms);
	unsigned all = topic->taken_count + topic->refused_count;
	bool are_many = topic->users >= TOPIC_HEALTH_USERS ||
		(topic->refused_count >= TOPIC_HEALTH_PHONES &&
			topic->refused_count * TOPIC_HEALTH_SHARE > all);
	if (stands || may_begin)
		set(health, topic, TOPIC_MISMATCH, are_many);
	forget_if_quiet(health, topic);
}

static void end_row(struct topic *topic)
{
	free(mem_steal(topic->user));
	topic->users = 0;
}

void topic_health_mismatch(
	struct topic_health *health, const struct push_target *target, int64_t now_ms)
{
	struct topic *topic = topic_of(health, target->topic);
	if (!topic)
		return;
	if (!topic->user || strcmp(topic->user, target->user) != 0) {
		free(topic->user);
		topic->user = mem_dup(target->user);
		topic->users++;
	}
	count(health, topic, &target->key, true, now_ms);
	judge(health, topic, true, now_ms);
}

/* All. */

void topic_health_taken(
	struct topic_health *health, const struct push_target *target, int64_t now_ms)
{
	struct topic *topic = topic_of(health, target->topic);
	if (!topic)
		return;
	topic->bad_count = 0;
	set(health, topic, TOPIC_BAD_TOKENS, false);
	end_row(topic);
	count(health, topic, &target->key, false, now_ms);
	judge(health, topic, false, now_ms);
}

void topic_health_renewed(
	struct topic_health *health, const struct registry_key *key, int64_t now_ms)
{
	struct phone *phone = map_get(health->phones, key, sizeof(*key));
	if (!phone || !phone->is_refused)
		return;
	struct topic *topic = phone->topic;
	remove_phone(health, phone);
	if (!topic->refused_count)
		end_row(topic);
	judge(health, topic, false, now_ms);
}

void topic_health_gone(struct topic_health *health, const struct registry_key *key, int64_t now_ms)
{
	topic_health_renewed(health, key, now_ms);
	for (unsigned i = health->topic_count; i-- > 0;) {
		struct topic *topic = health->topics[i];
		if (!remove_bad(topic, key) || topic->bad_count)
			continue;
		set(health, topic, TOPIC_BAD_TOKENS, false);
		forget_if_quiet(health, topic);
	}
}

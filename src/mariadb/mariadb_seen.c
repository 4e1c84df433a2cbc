#include "mariadb/mariadb_seen.h"

#include "base/map.h"
#include "base/mem.h"
#include "base/random.h"

struct entry {
	struct registry_key key;
	int64_t renewed_ms;
};

struct mariadb_seen {
	struct map *entries;
};

struct mariadb_seen *mariadb_seen_new(void)
{
	struct mariadb_seen *seen = mem_alloc_zero(1, sizeof(*seen));
	uint8_t seed[RANDOM_SEED_SIZE];
	random_seed(seed);
	seen->entries = map_new(seed);
	return seen;
}

void mariadb_seen_clear(struct mariadb_seen *seen)
{
	size_t position = 0;
	struct entry *entry;
	while ((entry = map_next(seen->entries, &position)))
		free(entry);
	map_clear(seen->entries);
}

void mariadb_seen_free(struct mariadb_seen *seen)
{
	if (!seen)
		return;
	mariadb_seen_clear(seen);
	map_free(seen->entries);
	free(seen);
}

void mariadb_seen_put(struct mariadb_seen *seen, const struct registry_key *key, int64_t renewed_ms)
{
	struct entry *entry = map_get(seen->entries, key->bytes, sizeof(key->bytes));
	if (!entry) {
		entry = mem_alloc_zero(1, sizeof(*entry));
		entry->key = *key;
		entry->renewed_ms = renewed_ms;
		map_add(seen->entries, entry->key.bytes, sizeof(entry->key.bytes), entry);
	}
	if (renewed_ms > entry->renewed_ms)
		entry->renewed_ms = renewed_ms;
}

int64_t mariadb_seen_get(const struct mariadb_seen *seen, const struct registry_key *key)
{
	const struct entry *entry = map_get(seen->entries, key->bytes, sizeof(key->bytes));
	return entry ? entry->renewed_ms : INT64_MAX;
}

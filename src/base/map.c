#include "base/map.h"

#include "base/mem.h"

#include <assert.h>
#include <endian.h>
#include <string.h>

#define MAP_SLOTS_MIN 64

struct slot {
	uint64_t hash;
	const void *key;
	size_t key_size;
	void *value; /* NULL: the slot is free */
};

struct map {
	uint8_t seed[16];
	struct slot *slots;
	size_t mask; /* number of slots - 1, a power of two - 1 */
	size_t count;
};

static inline uint64_t rotate(uint64_t x, int bits)
{
	return (x << bits) | (x >> (64 - bits));
}

static inline uint64_t read_le64(const void *bytes)
{
	uint64_t x;
	memcpy(&x, bytes, sizeof(x));
	return le64toh(x);
}

static inline void sip_round(uint64_t v[4])
{
	v[0] += v[1];
	v[1] = rotate(v[1], 13) ^ v[0];
	v[0] = rotate(v[0], 32);
	v[2] += v[3];
	v[3] = rotate(v[3], 16) ^ v[2];
	v[0] += v[3];
	v[3] = rotate(v[3], 21) ^ v[0];
	v[2] += v[1];
	v[1] = rotate(v[1], 17) ^ v[2];
	v[2] = rotate(v[2], 32);
}

uint64_t map_hash(const uint8_t seed[16], const void *bytes, size_t n)
{
	uint64_t k0 = read_le64(seed);
	uint64_t k1 = read_le64(seed + 8);
	uint64_t v[4] = {k0 ^ UINT64_C(0x736f6d6570736575), k1 ^ UINT64_C(0x646f72616e646f6d),
		k0 ^ UINT64_C(0x6c7967656e657261), k1 ^ UINT64_C(0x7465646279746573)};
	const uint8_t *p = bytes;
	size_t left = n;
	for (; left >= 8; p += 8, left -= 8) {
		uint64_t word = read_le64(p);
		v[3] ^= word;
		sip_round(v);
		v[0] ^= word;
	}
	uint64_t last = (uint64_t)n << 56;
	for (size_t i = 0; i < left; i++)
		last |= (uint64_t)p[i] << (8 * i);
	v[3] ^= last;
	sip_round(v);
	v[0] ^= last;
	v[2] ^= 0xff;
	sip_round(v);
	sip_round(v);
	sip_round(v);
	return v[0] ^ v[1] ^ v[2] ^ v[3];
}

struct map *map_new(const uint8_t seed[16])
{
	struct map *map = mem_alloc_zero(1, sizeof(*map));
	memcpy(map->seed, seed, sizeof(map->seed));
	map->slots = mem_alloc_zero(MAP_SLOTS_MIN, sizeof(*map->slots));
	map->mask = MAP_SLOTS_MIN - 1;
	return map;
}

void map_free(struct map *map)
{
	if (!map)
		return;
	free(map->slots);
	free(map);
}

static size_t find(const struct map *map, uint64_t hash, const void *key, size_t key_size)
{
	size_t i = (size_t)hash & map->mask;
	for (; map->slots[i].value; i = (i + 1) & map->mask) {
		const struct slot *slot = &map->slots[i];
		if (slot->hash == hash && slot->key_size == key_size &&
			!memcmp(slot->key, key, key_size))
			break;
	}
	return i;
}

void *map_get(const struct map *map, const void *key, size_t key_size)
{
	return map->slots[find(map, map_hash(map->seed, key, key_size), key, key_size)].value;
}

static void resize(struct map *map, size_t slots)
{
	struct slot *old = map->slots;
	size_t old_slots = map->mask + 1;
	map->slots = mem_alloc_zero(slots, sizeof(*map->slots));
	map->mask = slots - 1;
	for (size_t i = 0; i < old_slots; i++) {
		if (!old[i].value)
			continue;
		size_t to = (size_t)old[i].hash & map->mask;
		while (map->slots[to].value)
			to = (to + 1) & map->mask;
		map->slots[to] = old[i];
	}
	free(old);
}

void map_add(struct map *map, const void *key, size_t key_size, void *value)
{
	assert(value);
	if ((map->count + 1) * 4 > (map->mask + 1) * 3)
		resize(map, (map->mask + 1) * 2);
	uint64_t hash = map_hash(map->seed, key, key_size);
	size_t i = find(map, hash, key, key_size);
	assert(!map->slots[i].value);
	map->slots[i] = (struct slot){hash, key, key_size, value};
	map->count++;
}

void *map_remove(struct map *map, const void *key, size_t key_size)
{
	size_t hole = find(map, map_hash(map->seed, key, key_size), key, key_size);
	void *value = map->slots[hole].value;
	if (!value)
		return NULL;

	/* The rest of the run moves back over the hole, so that no search ends there. */
	for (size_t i = (hole + 1) & map->mask; map->slots[i].value; i = (i + 1) & map->mask) {
		size_t home = (size_t)map->slots[i].hash & map->mask;
		if (((i - home) & map->mask) >= ((i - hole) & map->mask)) {
			map->slots[hole] = map->slots[i];
			hole = i;
		}
	}
	map->slots[hole] = (struct slot){0};
	map->count--;
	if (map->mask + 1 > MAP_SLOTS_MIN && map->count * 8 < map->mask + 1)
		resize(map, (map->mask + 1) / 2);
	return value;
}

size_t map_count(const struct map *map)
{
	return map->count;
}

void map_clear(struct map *map)
{
	if (!map->count)
		return;
	/* A new table: wiping one that was large once would cost that time at each call. */
	free(map->slots);
	map->slots = mem_alloc_zero(MAP_SLOTS_MIN, sizeof(*map->slots));
	map->mask = MAP_SLOTS_MIN - 1;
	map->count = 0;
}

void *map_next(const struct map *map, size_t *position)
{
	while (*position <= map->mask) {
		void *value = map->slots[(*position)++].value;
		if (value)
			return value;
	}
	return NULL;
}

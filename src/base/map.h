/*
 * map - a hash table from bytes to pointers.
 *
 * Keys are borrowed: they must live and stay unchanged inside the value as long as it is in the
 * map.  Open addressing with backward shift deletion; SipHash-1-3 under a random key, because names
 * that users choose become keys here.
 *
 * One owner, one thread.  Values are never touched.
 */
#ifndef MAILPUSH_BASE_MAP_H
#define MAILPUSH_BASE_MAP_H

#include <stddef.h>
#include <stdint.h>

struct map;

/* `seed`: 16 random bytes. */
struct map *map_new(const uint8_t seed[16]);
void map_free(struct map *map);

void *map_get(const struct map *map, const void *key, size_t key_size);
/* The key must not be in the map. */
void map_add(struct map *map, const void *key, size_t key_size, void *value);
/* Returns the value taken out, or NULL. */
void *map_remove(struct map *map, const void *key, size_t key_size);
size_t map_count(const struct map *map);
/* Takes constant time. */
void map_clear(struct map *map);

/* Walks all values in no order; `*position` begins at 0; NULL at the end.  No change meanwhile. */
void *map_next(const struct map *map, size_t *position);

/* SipHash-1-3, for other uses of a keyed hash. */
uint64_t map_hash(const uint8_t seed[16], const void *bytes, size_t n);

#endif

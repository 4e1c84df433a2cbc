#include "apns/pool.h"

#include "base/mem.h"

#include <assert.h>
#include <stdint.h>
#include <string.h>
#include <sys/queue.h>

#define CLASS_SIZE 32
#define CLASSES 32 /* up to 1024 bytes */
#define CHUNK_SIZE (64 * 1024)

/* Before each block; its size keeps the block aligned for any type. */
union header {
	size_t size; /* usable bytes */
	max_align_t align;
};

struct idle {
	SLIST_ENTRY(idle) place;
};

struct chunk {
	SLIST_ENTRY(chunk) place;
	max_align_t bytes[CHUNK_SIZE / sizeof(max_align_t)];
};

struct pool {
	SLIST_HEAD(, idle) idle[CLASSES];
	SLIST_HEAD(, chunk) chunks; /* the first one has room */
	size_t chunk_used;
	size_t out; /* blocks not given back */
};

struct pool *pool_new(void)
{
	return mem_alloc_zero(1, sizeof(struct pool));
}

void pool_free(struct pool *pool)
{
	if (!pool)
		return;
	/* Also frees blocks that nghttp2 did not give back. */
	struct chunk *chunk;
	while ((chunk = SLIST_FIRST(&pool->chunks))) {
		SLIST_REMOVE_HEAD(&pool->chunks, place);
		free(chunk);
	}
	free(pool);
}

static void *new_block(struct pool *pool, size_t size)
{
	size_t needed = sizeof(union header) + size;
	struct chunk *chunk = SLIST_FIRST(&pool->chunks);
	if (!chunk || pool->chunk_used + needed > CHUNK_SIZE) {
		chunk = mem_alloc(sizeof(*chunk));
		SLIST_INSERT_HEAD(&pool->chunks, chunk, place);
		pool->chunk_used = 0;
	}
	union header *header = (void *)((uint8_t *)chunk->bytes + pool->chunk_used);
	pool->chunk_used += needed;
	header->size = size;
	return header + 1;
}

void *pool_malloc(size_t size, void *ctx)
{
	struct pool *pool = ctx;
	size_t class = size == 0 ? 0 : (size - 1) / CLASS_SIZE;

	pool->out++;
	if (class >= CLASSES) {
		union header *header = mem_alloc(sizeof(*header) + size);
		header->size = size;
		return header + 1;
	}
	struct idle *idle = SLIST_FIRST(&pool->idle[class]);
	if (!idle)
		return new_block(pool, (class + 1) * CLASS_SIZE);
	SLIST_REMOVE_HEAD(&pool->idle[class], place);
	return idle;
}

void pool_release(void *pointer, void *ctx)
{
	struct pool *pool = ctx;
	if (!pointer)
		return;
	union header *header = (union header *)pointer - 1;
	size_t class = (header->size - 1) / CLASS_SIZE;

	assert(pool->out > 0);
	pool->out--;
	if (class >= CLASSES) {
		free(header);
		return;
	}
	struct idle *idle = pointer;
	SLIST_INSERT_HEAD(&pool->idle[class], idle, place);
}

void *pool_calloc(size_t count, size_t size, void *pool)
{
	assert(size == 0 || count <= SIZE_MAX / size);
	return memset(pool_malloc(count * size, pool), 0, count * size);
}

void *pool_realloc(void *pointer, size_t size, void *pool)
{
	if (!pointer)
		return pool_malloc(size, pool);
	const union header *header = (const union header *)pointer - 1;
	if (size <= header->size)
		return pointer;
	void *larger = pool_malloc(size, pool);
	memcpy(larger, pointer, header->size);
	pool_release(pointer, pool);
	return larger;
}

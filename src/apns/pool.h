/*
 * pool - memory for nghttp2, which keeps small freed blocks for the next request.
 *
 * nghttp2 allocates and frees about ten small blocks a push; with libc's malloc that is a sixth of
 * the cost of a push.  Sizes are rounded up to classes of 32 bytes, each with a list of idle
 * blocks; larger blocks come from malloc.  Nothing goes back to libc before pool_free.
 *
 * One owner, one thread.
 */
#ifndef MAILPUSH_APNS_POOL_H
#define MAILPUSH_APNS_POOL_H

#include <stddef.h>

struct pool;

struct pool *pool_new(void);
/* All blocks must have been given back. */
void pool_free(struct pool *pool);

/* As malloc, free, calloc and realloc; `pool` is last because nghttp2 wants it so. */
void *pool_malloc(size_t size, void *pool);
void pool_release(void *pointer, void *pool);
void *pool_calloc(size_t count, size_t size, void *pool);
void *pool_realloc(void *pointer, size_t size, void *pool);

#endif

/*
 * mem - memory that is there or the process ends; locals that free themselves.
 *
 * Out of memory aborts (with a line on stderr): a daemon that limps on without memory loses more
 * than one that is restarted.  Sizes that come from outside are bounded before they get here.
 *
 * Any thread.
 */
#ifndef MAILPUSH_BASE_MEM_H
#define MAILPUSH_BASE_MEM_H

#include <stddef.h>
#include <stdlib.h>

void *mem_alloc(size_t size) __attribute__((malloc, returns_nonnull));
void *mem_alloc_zero(size_t count, size_t size) __attribute__((malloc, returns_nonnull));
void *mem_realloc_array(void *old, size_t count, size_t size) __attribute__((returns_nonnull));
char *mem_dup(const char *text) __attribute__((malloc, returns_nonnull));
/* A NUL-terminated copy of n bytes. */
char *mem_dup_n(const void *bytes, size_t n) __attribute__((malloc, returns_nonnull));
char *mem_printf(const char *format, ...) __attribute__((format(printf, 1, 2), returns_nonnull));

static inline void mem_cleanup_free(void *pointer_to_pointer)
{
	free(*(void **)pointer_to_pointer);
}

/* `mem_auto char *path = ...;` is freed when the scope ends. */
#define mem_auto __attribute__((cleanup(mem_cleanup_free)))

/* Hands an owned pointer over: yields its value and leaves NULL behind. */
#define mem_steal(pointer)                                   \
	({                                                   \
		__typeof__(pointer) mem_stolen_ = (pointer); \
		(pointer) = NULL;                            \
		mem_stolen_;                                 \
	})

/* Defines `static void NAME_cleanup(TYPE **p)` for `__attribute__((cleanup(NAME_cleanup)))`. */
#define MEM_DEFINE_CLEANUP(name, type, free_function) \
	static inline void name(type **pointer)       \
	{                                             \
		free_function(*pointer);              \
	}

#define MEM_CONTAINER(pointer, type, member) \
	((type *)(void *)((char *)(pointer)-offsetof(type, member)))

#endif

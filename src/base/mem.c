#include "base/mem.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

static void *check(void *memory)
{
	if (memory)
		return memory;
	fputs("mailpush: out of memory\n", stderr);
	abort();
}

void *mem_alloc(size_t size)
{
	return check(malloc(size ? size : 1));
}

void *mem_alloc_zero(size_t count, size_t size)
{
	return check(calloc(count ? count : 1, size ? size : 1));
}

void *mem_realloc_array(void *old, size_t count, size_t size)
{
	return check(reallocarray(old, count ? count : 1, size ? size : 1));
}

char *mem_dup(const char *text)
{
	return check(strdup(text));
}

char *mem_dup_n(const void *bytes, size_t n)
{
	char *copy = mem_alloc(n + 1);
	if (n)
		memcpy(copy, bytes, n);
	copy[n] = '\0';
	return copy;
}

char *mem_printf(const char *format, ...)
{
	char *text = NULL;
	va_list args;
	va_start(args, format);
	int n = vasprintf(&text, format, args);
	va_end(args);
	return check(n < 0 ? NULL : text);
}

#include "base/buf.h"

#include "base/mem.h"

#include <assert.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

void buf_init(struct buf *buf)
{
	*buf = (struct buf){0};
}

void buf_fini(struct buf *buf)
{
	free(buf->data);
	*buf = (struct buf){0};
}

uint8_t *buf_reserve(struct buf *buf, size_t n)
{
	assert(n <= SIZE_MAX / 2 - buf->used);
	size_t need = buf->used + n;
	if (need > buf->capacity) {
		size_t capacity = buf->capacity ? buf->capacity : 256;
		while (capacity < need)
			capacity *= 2;
		buf->data = mem_realloc_array(buf->data, capacity, 1);
		buf->capacity = capacity;
	}
	return buf->data + buf->used;
}

void buf_commit(struct buf *buf, size_t n)
{
	assert(n <= buf->capacity - buf->used);
	buf->used += n;
}

void buf_append(struct buf *buf, const void *bytes, size_t n)
{
	if (!n)
		return;
	memcpy(buf_reserve(buf, n), bytes, n);
	buf->used += n;
}

void buf_append_text(struct buf *buf, const char *text)
{
	buf_append(buf, text, strlen(text));
}

void buf_printf(struct buf *buf, const char *format, ...)
{
	va_list args;
	va_start(args, format);
	va_list again;
	va_copy(again, args);
	char *at = (char *)buf_reserve(buf, 64);
	size_t room = buf->capacity - buf->used;
	int n = vsnprintf(at, room, format, args);
	va_end(args);
	assert(n >= 0);
	if ((size_t)n >= room) {
		at = (char *)buf_reserve(buf, (size_t)n + 1);
		vsnprintf(at, (size_t)n + 1, format, again);
	}
	va_end(again);
	buf->used += (size_t)n;
}

void buf_consume(struct buf *buf, size_t n)
{
	assert(n <= buf->used);
	buf->used -= n;
	if (n && buf->used)
		memmove(buf->data, buf->data + n, buf->used);
}

void buf_clear(struct buf *buf)
{
	buf->used = 0;
}

const char *buf_text(struct buf *buf)
{
	*buf_reserve(buf, 1) = '\0';
	return (const char *)buf->data;
}

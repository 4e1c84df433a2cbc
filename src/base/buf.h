/*
 * buf - a growing run of bytes.
 *
 * Embedded (buf_init/buf_fini); one owner, any thread.  Callers bound what they append: buf itself
 * knows no limit but memory.
 */
#ifndef MAILPUSH_BASE_BUF_H
#define MAILPUSH_BASE_BUF_H

#include <stddef.h>
#include <stdint.h>

struct buf {
	uint8_t *data; /* NULL until something was appended */
	size_t used;
	size_t capacity;
};

void buf_init(struct buf *buf);
void buf_fini(struct buf *buf);
#define buf_auto __attribute__((cleanup(buf_fini)))

/* Makes room for n further bytes and returns where they go; buf_commit says how many came. */
uint8_t *buf_reserve(struct buf *buf, size_t n);
void buf_commit(struct buf *buf, size_t n);

void buf_append(struct buf *buf, const void *bytes, size_t n);
void buf_append_text(struct buf *buf, const char *text);
void buf_printf(struct buf *buf, const char *format, ...) __attribute__((format(printf, 2, 3)));

/* Drops n bytes from the front. */
void buf_consume(struct buf *buf, size_t n);
void buf_clear(struct buf *buf);

/* The bytes as text, with a NUL that `used` does not count; valid until the next change. */
const char *buf_text(struct buf *buf);

#endif

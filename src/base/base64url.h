/*
 * base64url - bytes as text of the alphabet that needs no escape in a URL (RFC 4648, section 5),
 * without padding.
 *
 * Pure.
 */
#ifndef MAILPUSH_BASE_BASE64URL_H
#define MAILPUSH_BASE_BASE64URL_H

#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

/* Returns the length without the NUL; `ret` has room for (size * 4 + 2) / 3 + 1. */
size_t base64url_write(const uint8_t *bytes, size_t size, char *ret);
/*
 * Returns the number of bytes, or -1 if the text has another character; `ret` has room for
 * size * 3 / 4.
 */
ssize_t base64url_read(const char *text, size_t size, uint8_t *ret);

#endif

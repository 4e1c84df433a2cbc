/*
 * urltext - bytes as text in a URL: percent-encoding (RFC 3986, section 2.1), and the alphabet that
 * needs none (base64url: RFC 4648, section 5, without padding).
 *
 * Pure.
 */
#ifndef MAILPUSH_BASE_URLTEXT_H
#define MAILPUSH_BASE_URLTEXT_H

#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

/* Returns the length without the NUL; `ret` has room for (size * 4 + 2) / 3 + 1. */
size_t urltext_write_base64(const uint8_t *bytes, size_t size, char *ret);
/*
 * Returns the number of bytes, or -1 if the text has another character; `ret` has room for
 * size * 3 / 4.
 */
ssize_t urltext_read_base64(const char *text, size_t size, uint8_t *ret);

/*
 * Returns the length without the NUL, or -1: a % without two hex digits behind it, or a NUL.  `ret`
 * has room for size + 1.
 */
ssize_t urltext_decode(const char *text, size_t size, char *ret);

#endif

/*
 * utf8 - is this text, and how is a character written.
 *
 * Pure; any thread.
 */
#ifndef MAILPUSH_EVENT_UTF8_H
#define MAILPUSH_EVENT_UTF8_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define UTF8_CHARACTER_MAX 4 /* bytes */

/* Well-formed as RFC 3629 has it: shortest form, no surrogates, nothing above U+10FFFF. */
bool utf8_is_valid(const char *text, size_t size);

/* Writes a code point (no surrogate, at most U+10FFFF) and returns its number of bytes. */
size_t utf8_put(char ret[UTF8_CHARACTER_MAX], uint32_t code_point);

#endif

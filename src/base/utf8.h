/*
 * utf8 - checks, reads and writes UTF-8, and knows characters that change how text is shown.
 *
 * Pure; any thread.
 */
#ifndef MAILPUSH_BASE_UTF8_H
#define MAILPUSH_BASE_UTF8_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define UTF8_CHARACTER_MAX 4 /* bytes */

/* Well-formed as RFC 3629 has it: shortest form, no surrogates, nothing above U+10FFFF. */
bool utf8_is_valid(const char *text, size_t size);

/* How many bytes the character at the front of `text` has; 0: none, or not well-formed. */
size_t utf8_read(const char *text, size_t size, uint32_t *ret_code_point);

/*
 * Does the character steer the terminal instead of being shown? These are control characters (C0,
 * DEL, C1), the separators of lines and paragraphs, and the marks, embeddings, overrides and
 * isolates of the bidirectional algorithm: with these a text could look like another, or like two
 * lines.
 */
bool utf8_steers(uint32_t code_point);

/* Writes a code point (no surrogate, at most U+10FFFF) and returns its number of bytes. */
size_t utf8_put(char ret[UTF8_CHARACTER_MAX], uint32_t code_point);

#endif

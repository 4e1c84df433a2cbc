/*
 * encode - how Cyrus and a phone write names: the ways back from what the event stage decodes.
 *
 * Only the fuzzers need it, to ask whether decoding gives back what was encoded.
 */
#ifndef MAILPUSH_FUZZ_ENCODE_H
#define MAILPUSH_FUZZ_ENCODE_H

#include "base/buf.h"

#include <stddef.h>
#include <stdint.h>
#include <string.h>

/* The code point at `*text` of well-formed UTF-8; moves behind it. */
static inline uint32_t encode_next(const unsigned char **text)
{
	const unsigned char *s = *text;
	unsigned more = s[0] < 0x80 ? 0 : s[0] < 0xe0 ? 1 : s[0] < 0xf0 ? 2 : 3;
	uint32_t c = more ? s[0] & (0x3fu >> more) : s[0];
	for (unsigned i = 1; i <= more; i++)
		c = c << 6 | (s[i] & 0x3fu);
	*text += more + 1;
	return c;
}

/* Modified UTF-7 of NUL-terminated, well-formed UTF-8. */
static inline void encode_utf7(const char *text, struct buf *ret)
{
	static const char digits[] =
		"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+,";
	const unsigned char *at = (const unsigned char *)text;
	while (*at) {
		if (*at >= 0x20 && *at < 0x7f) {
			buf_append(ret, at, 1);
			if (*at++ == '&')
				buf_append(ret, "-", 1);
			continue;
		}
		uint32_t bits = 0;
		unsigned bit_count = 0;
		buf_append(ret, "&", 1);
		while (*at && (*at < 0x20 || *at >= 0x7f)) {
			uint32_t c = encode_next(&at);
			uint32_t units[2] = {c, 0};
			unsigned unit_count = 1;
			if (c >= 0x10000) {
				units[0] = 0xd800 + ((c - 0x10000) >> 10);
				units[1] = 0xdc00 + ((c - 0x10000) & 0x3ff);
				unit_count = 2;
			}
			for (unsigned i = 0; i < unit_count; i++) {
				bits = bits << 16 | units[i];
				for (bit_count += 16; bit_count >= 6; bit_count -= 6)
					buf_append(ret, &digits[bits >> (bit_count - 6) & 63], 1);
			}
		}
		if (bit_count)
			buf_append(ret, &digits[bits << (6 - bit_count) & 63], 1);
		buf_append(ret, "-", 1);
	}
}

/* As Cyrus encodes a name in a uri. */
static inline void encode_percent(const char *text, struct buf *ret)
{
	for (const char *at = text; *at; at++) {
		unsigned char c = (unsigned char)*at;
		if (c <= 0x20 || c >= 0x7f || strchr("\"#%&+:;<=>?@[\\]^{|}`", c))
			buf_printf(ret, "%%%02X", c);
		else
			buf_append(ret, at, 1);
	}
}

#endif

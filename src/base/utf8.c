#include "base/utf8.h"

#include <assert.h>

/* How many bytes the character at `s` has, of which `left` are there; 0: not well-formed. */
static size_t character_size(const unsigned char *s, size_t left)
{
	size_t size = s[0] < 0x80 ? 1 : s[0] < 0xc2 ? 0 : s[0] < 0xe0 ? 2 : s[0] < 0xf0 ? 3 : 4;
	if (!size || size > left || s[0] > 0xf4)
		return 0;
	for (size_t i = 1; i < size; i++)
		if ((s[i] & 0xc0) != 0x80)
			return 0;
	if ((s[0] == 0xe0 && s[1] < 0xa0) || (s[0] == 0xf0 && s[1] < 0x90))
		return 0; /* longer than needed */
	if ((s[0] == 0xed && s[1] >= 0xa0) || (s[0] == 0xf4 && s[1] >= 0x90))
		return 0; /* a surrogate, or beyond the last plane */
	return size;
}

size_t utf8_read(const char *text, size_t size, uint32_t *ret_code_point)
{
	static const unsigned char lead[] = {0, 0x7f, 0x1f, 0x0f, 0x07};
	const unsigned char *s = (const unsigned char *)text;
	size_t n = size ? character_size(s, size) : 0;
	if (!n)
		return 0;
	uint32_t c = s[0] & lead[n];
	for (size_t i = 1; i < n; i++)
		c = c << 6 | (s[i] & 0x3f);
	*ret_code_point = c;
	return n;
}

bool utf8_steers(uint32_t c)
{
	return c < 0x20 || (c >= 0x7f && c <= 0x9f) || c == 0x061c || c == 0x200e || c == 0x200f ||
		(c >= 0x2028 && c <= 0x202e) || (c >= 0x2066 && c <= 0x2069);
}

bool utf8_is_valid(const char *text, size_t size)
{
	const unsigned char *s = (const unsigned char *)text;
	for (size_t at = 0; at < size;) {
		size_t n = character_size(s + at, size - at);
		if (!n)
			return false;
		at += n;
	}
	return true;
}

size_t utf8_put(char ret[UTF8_CHARACTER_MAX], uint32_t c)
{
	assert(c <= 0x10ffff && (c < 0xd800 || c > 0xdfff));
	if (c < 0x80) {
		ret[0] = (char)c;
		return 1;
	}
	size_t size = c < 0x800 ? 2 : c < 0x10000 ? 3 : 4;
	static const unsigned char lead[] = {0, 0, 0xc0, 0xe0, 0xf0};
	for (size_t i = size - 1; i > 0; i--) {
		ret[i] = (char)(0x80 | (c & 0x3f));
		c >>= 6;
	}
	ret[0] = (char)(lead[size] | c);
	return size;
}

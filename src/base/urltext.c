#include "base/urltext.h"

#include <string.h>

static const char digits[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";

size_t urltext_write_base64(const uint8_t *bytes, size_t size, char *ret)
{
	char *at = ret;
	unsigned bits = 0;
	unsigned held = 0;
	for (size_t i = 0; i < size; i++) {
		bits = bits << 8 | bytes[i];
		for (held += 8; held >= 6; held -= 6)
			*at++ = digits[bits >> (held - 6) & 63];
	}
	if (held)
		*at++ = digits[bits << (6 - held) & 63];
	*at = '\0';
	return (size_t)(at - ret);
}

ssize_t urltext_read_base64(const char *text, size_t size, uint8_t *ret)
{
	unsigned bits = 0;
	unsigned held = 0;
	ssize_t count = 0;
	for (size_t i = 0; i < size; i++) {
		const char *digit = memchr(digits, text[i], sizeof(digits) - 1);
		if (!digit)
			return -1;
		bits = bits << 6 | (unsigned)(digit - digits);
		held += 6;
		if (held < 8)
			continue;
		held -= 8;
		ret[count++] = (uint8_t)(bits >> held);
	}
	return count;
}

static int hex_digit(char c)
{
	if (c >= '0' && c <= '9')
		return c - '0';
	if (c >= 'a' && c <= 'f')
		return c - 'a' + 10;
	return c >= 'A' && c <= 'F' ? c - 'A' + 10 : -1;
}

ssize_t urltext_decode(const char *text, size_t size, char *ret)
{
	size_t used = 0;
	for (size_t i = 0; i < size; i++) {
		char c = text[i];
		if (c == '%') {
			int high = i + 2 < size ? hex_digit(text[i + 1]) : -1;
			int low = i + 2 < size ? hex_digit(text[i + 2]) : -1;
			if (high < 0 || low < 0)
				return -1;
			c = (char)(high << 4 | low);
			i += 2;
		}
		if (c == '\0')
			return -1;
		ret[used++] = c;
	}
	ret[used] = '\0';
	return (ssize_t)used;
}

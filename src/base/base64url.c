#include "base/base64url.h"

#include <string.h>

static const char digits[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";

size_t base64url_write(const uint8_t *bytes, size_t size, char *ret)
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

ssize_t base64url_read(const char *text, size_t size, uint8_t *ret)
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

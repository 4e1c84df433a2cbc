#include "event/utf7.h"

#include "base/utf8.h"

#include <errno.h>
#include <stdbool.h>
#include <stdint.h>

/* UTF-16 on its way to UTF-8. */
struct output {
	char *bytes;
	size_t used;
	uint32_t high; /* a high surrogate that waits for its low one, or 0 */
};

static int sextet(char c)
{
	if (c >= 'A' && c <= 'Z')
		return c - 'A';
	if (c >= 'a' && c <= 'z')
		return c - 'a' + 26;
	if (c >= '0' && c <= '9')
		return c - '0' + 52;
	return c == '+' ? 62 : c == ',' ? 63 : -1;
}

static bool put_unit(struct output *out, uint32_t unit)
{
	bool is_low = unit >= 0xdc00 && unit <= 0xdfff;
	if (is_low != (out->high != 0))
		return false;
	if (unit >= 0xd800 && unit <= 0xdbff) {
		out->high = unit;
		return true;
	}
	if (is_low) {
		unit = 0x10000 + ((out->high - 0xd800) << 10) + (unit - 0xdc00);
		out->high = 0;
	}
	if (unit == 0 || (unit >= 0x20 && unit <= 0x7e))
		return false;
	out->used += utf8_put(out->bytes + out->used, unit);
	return true;
}

/* Decodes from behind `&` up to and including `-`; returns the bytes read, 0 when invalid. */
static size_t decode_shifted(const char *s, size_t size, struct output *out)
{
	if (size && s[0] == '-') {
		out->bytes[out->used++] = '&';
		return 1;
	}
	uint32_t bits = 0;
	unsigned bit_count = 0;
	for (size_t i = 0; i < size; i++) {
		if (s[i] == '-') {
			bool is_padded = bit_count < 6 && !(bits & ((1u << bit_count) - 1));
			return is_padded && !out->high ? i + 1 : 0;
		}
		int value = sextet(s[i]);
		if (value < 0)
			return 0;
		bits = bits << 6 | (uint32_t)value;
		bit_count += 6;
		if (bit_count < 16)
			continue;
		bit_count -= 16;
		if (!put_unit(out, bits >> bit_count & 0xffff))
			return 0;
	}
	return 0;
}

int utf7_decode(const char *name, size_t size, char *ret, size_t *ret_size)
{
	struct output out = {.bytes = ret};
	for (size_t at = 0; at < size;) {
		char c = name[at++];
		if (c < 0x20 || c > 0x7e)
			return -EINVAL;
		if (c != '&') {
			out.bytes[out.used++] = c;
			continue;
		}
		size_t n = decode_shifted(name + at, size - at, &out);
		if (!n)
			return -EINVAL;
		at += n;
	}
	ret[out.used] = '\0';
	*ret_size = out.used;
	return 0;
}

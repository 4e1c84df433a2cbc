#include "event/flat.h"

#include "base/utf8.h"

#include <assert.h>
#include <string.h>

#define DIGITS_MAX 18 /* fits what any parser makes of a whole number */

/* The state of reading; each reader returns false on JSON of another shape. */
struct reading {
	const char *at;
	const char *end;
	char *memory; /* free from here; decoded text is never longer than the JSON */
};

static bool skip(struct reading *reading, char c)
{
	if (reading->at == reading->end || *reading->at != c)
		return false;
	reading->at++;
	return true;
}

static bool read_key(struct reading *reading, struct flat_member *member)
{
	if (!skip(reading, '"'))
		return false;
	member->key = reading->at;
	for (; reading->at < reading->end && *reading->at != '"'; reading->at++) {
		unsigned char c = (unsigned char)*reading->at;
		if (c < 0x20 || c >= 0x80 || c == '\\')
			return false;
	}
	member->key_size = (size_t)(reading->at - member->key);
	return skip(reading, '"');
}

/* The character that a backslash and `c` stand for; '\0': none that is read here. */
static char unescape(char c)
{
	switch (c) {
	case 't':
		return '\t';
	case 'n':
		return '\n';
	case 'r':
		return '\r';
	case '"':
	case '\\':
	case '/':
		return c;
	default:
		return '\0';
	}
}

static bool read_string(struct reading *reading, struct flat_member *member)
{
	const char *at = reading->at;
	char *to = reading->memory;
	bool is_ascii = true;
	for (; at < reading->end && *at != '"'; at++) {
		char c = *at;
		if (c == '\\') {
			if (++at == reading->end || !(c = unescape(*at)))
				return false;
		} else if ((unsigned char)c < 0x20) {
			return false;
		}
		is_ascii = is_ascii && !((unsigned char)c & 0x80);
		*to++ = c;
	}
	member->text = reading->memory;
	member->size = (size_t)(to - reading->memory);
	*to++ = '\0';
	reading->at = at;
	reading->memory = to;
	return skip(reading, '"') && (is_ascii || utf8_is_valid(member->text, member->size));
}

static bool read_whole_number(struct reading *reading)
{
	skip(reading, '-');
	const char *first = reading->at;
	while (reading->at < reading->end && *reading->at >= '0' && *reading->at <= '9')
		reading->at++;
	size_t digits = (size_t)(reading->at - first);
	return digits >= 1 && digits <= DIGITS_MAX && (*first != '0' || digits == 1);
}

static bool read_member(struct reading *reading, struct flat_member *member)
{
	*member = (struct flat_member){0};
	if (!read_key(reading, member) || !skip(reading, ':'))
		return false;
	return skip(reading, '"') ? read_string(reading, member) : read_whole_number(reading);
}

bool flat_read(const char *json, size_t size, struct flat *ret)
{
	if (size > FLAT_SIZE_MAX)
		return false;
	struct reading reading = {json, json + size, ret->memory};
	ret->count = 0;
	if (!skip(&reading, '{'))
		return false;
	do {
		if (ret->count == FLAT_MEMBERS_MAX ||
			!read_member(&reading, &ret->members[ret->count++]))
			return false;
	} while (skip(&reading, ','));
	assert(reading.memory <= ret->memory + sizeof(ret->memory));
	return skip(&reading, '}') && reading.at == reading.end;
}

const struct flat_member *flat_get(const struct flat *flat, const char *key)
{
	size_t size = strlen(key);
	for (unsigned i = flat->count; i-- > 0;)
		if (flat->members[i].key_size == size && !memcmp(flat->members[i].key, key, size))
			return &flat->members[i];
	return NULL;
}

#include "event/field.h"

#include "event/bounds.h"

#include <stdio.h>
#include <string.h>

static bool is_alnum(char c)
{
	return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
}

bool field_is_token(struct field field)
{
	static const char hex_digits[] = "0123456789abcdefABCDEF";
	return field.size >= EVENT_TOKEN_MIN && field.size <= EVENT_TOKEN_MAX &&
		strspn(field.bytes, hex_digits) == field.size;
}

bool field_is_account_id(struct field field)
{
	for (size_t i = 0; i < field.size; i++)
		if (!is_alnum(field.bytes[i]) && field.bytes[i] != '-')
			return false;
	return field.size >= 1 && field.size <= EVENT_ACCOUNT_ID_MAX;
}

bool field_is_subtopic(struct field field)
{
	for (size_t i = 0; i < field.size; i++)
		if (!is_alnum(field.bytes[i]) && !strchr(".-_", field.bytes[i]))
			return false;
	return field.size >= 1;
}

bool field_is_name(struct field field)
{
	for (size_t i = 0; i < field.size; i++)
		if ((unsigned char)field.bytes[i] < 0x20 || field.bytes[i] == 0x7f)
			return false;
	return field.size >= 1;
}

bool field_is_name_or_empty(struct field field, size_t max)
{
	return !field.size || (field.size <= max && field_is_name(field));
}

void field_lower(char *text)
{
	for (; *text; text++)
		if (*text >= 'A' && *text <= 'Z')
			*text = (char)(*text + ('a' - 'A'));
}

const char *field_quote(struct field field, char ret[FIELD_QUOTE_SIZE])
{
	char *at = ret;
	for (size_t i = 0; i < field.size && i < FIELD_QUOTE_BYTES; i++) {
		unsigned char c = (unsigned char)field.bytes[i];
		bool is_plain = c >= 0x20 && c < 0x7f && c != '\\' && c != '\'';
		at += sprintf(at, is_plain ? "%c" : "\\x%02x", c);
	}
	strcpy(at, field.size > FIELD_QUOTE_BYTES ? "..." : "");
	return ret;
}

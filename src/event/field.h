/*
 * field - a text of an event, and what is accepted of it: tokens, account ids, subtopics, names.
 *
 * The same for all mail servers.  Pure; any thread.
 */
#ifndef MAILPUSH_EVENT_FIELD_H
#define MAILPUSH_EVENT_FIELD_H

#include <stdbool.h>
#include <stddef.h>

struct field {
	const char *bytes; /* NUL-terminated, borrowed; NULL: the key is absent */
	size_t size;
};

/* Hex digits, EVENT_TOKEN_MIN to EVENT_TOKEN_MAX. */
bool field_is_token(struct field field);
/* [A-Za-z0-9-]{1,64} */
bool field_is_account_id(struct field field);
/* [A-Za-z0-9._-], at least one. */
bool field_is_subtopic(struct field field);
/* A user or a mailbox: anything but nothing and control characters. */
bool field_is_name(struct field field);

/* The same, or nothing, of at most `max` bytes. */
bool field_is_name_or_empty(struct field field, size_t max);

/* In place, ASCII alone. */
void field_lower(char *text);

#define FIELD_QUOTE_BYTES 8 /* of a value, shown in an error's text */
#define FIELD_QUOTE_SIZE (4 * FIELD_QUOTE_BYTES + 4)

/* The beginning of a value, harmless in a log. */
const char *field_quote(struct field field, char ret[FIELD_QUOTE_SIZE]);

#endif

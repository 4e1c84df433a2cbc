/*
 * flat - reads the flat JSON objects that Cyrus writes, without building a tree.
 *
 * Reading events is the loop thread's hottest work, and nearly each is one object of strings and
 * whole numbers, without spaces.  That shape is read here, in one pass and without an allocation.
 * JSON of another shape (nested, spaced, broken, or with an escape that Cyrus does not use) is not
 * judged: flat_read returns false and the caller uses a full parser.  JSON that is read is valid
 * and means the same to a full parser (fuzz_flat.c compares the two).
 *
 * Pure; any thread.
 */
#ifndef MAILPUSH_EVENT_FLAT_H
#define MAILPUSH_EVENT_FLAT_H

#include <stdbool.h>
#include <stddef.h>

#define FLAT_SIZE_MAX 4096 /* bytes of JSON */
#define FLAT_MEMBERS_MAX 32

struct flat_member {
	const char *key; /* not NUL-terminated; in the JSON */
	size_t key_size;
	const char *text; /* NUL-terminated, in `memory`; NULL: not a string */
	size_t size;
};

struct flat {
	struct flat_member members[FLAT_MEMBERS_MAX];
	unsigned count;
	char memory[FLAT_SIZE_MAX];
};

/* `json` is borrowed for as long as `ret` is used. */
bool flat_read(const char *json, size_t size, struct flat *ret);
/* NULL: absent.  Of several with the same key the last counts. */
const struct flat_member *flat_get(const struct flat *flat, const char *key);

#endif

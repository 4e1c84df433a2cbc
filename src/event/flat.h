/*
 * flat - reads the flat JSON objects that Cyrus writes, without building a tree.
 *
 * Reading events is the loop thread's hottest work, and nearly each is one object of strings and
 * whole numbers, without spaces.  That shape is read here, in one pass and without an allocation.
 * What is of another shape (nested, spaced, broken, or with an escape that Cyrus does not use) is
 * not judged: then flat_read says no and the caller asks a full parser.  What is read is valid JSON
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
/* NULL: there is none.  Of several with the same key the last counts. */
const struct flat_member *flat_get(const struct flat *flat, const char *key);

#endif

/*
 * copy_page - some registrations with their subscriptions, in memory.
 *
 * Filled by the callbacks of ops.h; owns all texts.
 */
#ifndef MAILPUSH_TRANSFER_COPY_PAGE_H
#define MAILPUSH_TRANSFER_COPY_PAGE_H

#include "driver/ops.h"

#define COPY_PAGE_ROWS 256
#define COPY_PAGE_SLICE 32 /* whose subscriptions are asked for at once */
/* With more in it a page ends behind the slice. */
#define COPY_PAGE_BYTES (8 * 1024 * 1024)

/* What the other registry has of it. */
enum copy_page_state {
	COPY_PAGE_NEW, /* nothing */
	COPY_PAGE_FORGOTTEN,
	COPY_PAGE_OLDER,
	COPY_PAGE_DIFFERENT, /* of the same renewal */
	COPY_PAGE_SAME,
	COPY_PAGE_NEWER,
};

struct copy_page_row {
	struct registry_row row;
	struct registry_subscription *subscriptions;
	size_t subscription_count;
	enum copy_page_state state;
	size_t compared; /* of the subscriptions */
};

struct copy_page {
	struct copy_page_row rows[COPY_PAGE_ROWS];
	struct registry_key keys[COPY_PAGE_ROWS];
	size_t count;
	size_t bytes; /* of the subscriptions */
};

void copy_page_clear(struct copy_page *page);
/* Reads the registrations behind (user, key), in a transaction of its own. */
int copy_page_read(struct copy_page *page, struct registry_db *db, const char *user,
	const struct registry_key *key, struct err *err);
/* Sets the states; `has_lists`: subscriptions are compared too. */
int copy_page_compare(
	struct copy_page *page, struct registry_db *db, bool has_lists, struct err *err);

#endif

/*
 * news - the mailboxes that changed for one registration, one row a hash.
 *
 * Embedded in schedule's entries; room for one row is inside, as most registrations have news about
 * one mailbox only.  Pure; loop thread.
 */
#ifndef MAILPUSH_SCHEDULE_NEWS_H
#define MAILPUSH_SCHEDULE_NEWS_H

#include "schedule/job.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct news {
	struct queue_news *many; /* NULL: `one` is used */
	uint32_t count;
	uint32_t capacity; /* of many */
	struct queue_news one;
};

static inline struct queue_news *news_rows(struct news *news)
{
	return news->many ? news->many : &news->one;
}

void news_init(struct news *news);
/* Forgets all rows; it is empty then, and can be used again. */
void news_fini(struct news *news);

struct queue_news *news_find(struct news *news, const char *hash);
/*
 * Puts `row` in.  If there is one of that hash they become one: the older first_ms,
 * the older urgent_ms if there is one, the newer seq.  Returns the row as it stands now, valid
 * until the next change.
 */
struct queue_news *news_put(struct news *news, const struct queue_news *row, bool *ret_is_new);
void news_merge(struct queue_news *into, const struct queue_news *row);
/* Moves the `n` rows (or all) with the lowest seq over to `to`, which is empty. */
void news_take(struct news *news, uint32_t n, struct news *to);
/* Takes out the row at `index`; the last one takes its place. */
void news_remove(struct news *news, uint32_t index);

bool news_has_urgent(struct news *news);
/* The oldest first_ms; INT64_MAX if empty. */
int64_t news_first_ms(struct news *news);
/* The oldest urgent_ms; INT64_MAX if none is urgent. */
int64_t news_urgent_ms(struct news *news);

#endif

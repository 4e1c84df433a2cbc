/*
 * phones - what happened last with each registration, gathered before it is written.
 *
 * A registration has one row, in the order of keys, which is as good as random: written with each
 * push, a million of them would cost a page each.  So they are gathered here, and later sorted by
 * key and merged, and written in slices, some with every batch, while the next ones are gathered.
 * The thread that writes; embedded.
 */
#ifndef MAILPUSH_QUEUE_PHONES_H
#define MAILPUSH_QUEUE_PHONES_H

#include "schedule/job.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct phone {
	struct registry_key key;
	struct queue_phone last;
	bool is_removed; /* nothing before counts */
};

struct phones {
	struct phone *gathered;
	size_t gathered_count;
	size_t gathered_capacity;

	struct phone *rows; /* what is being written, in the order in which it was gathered */
	struct phones_place {
		uint64_t prefix; /* of the key */
		uint32_t at;	 /* in rows */
	} * sorted;		 /* by key, one a registration */
	size_t sorted_count;
	size_t written; /* of sorted */
};

void phones_init(struct phones *phones);
void phones_fini(struct phones *phones);

/* Later ones win; a time of 0 leaves the earlier one. */
void phones_put(
	struct phones *phones, const struct registry_key *key, const struct queue_phone *last);
void phones_remove(struct phones *phones, const struct registry_key *key);
size_t phones_gathered(const struct phones *phones);
/* How many phones_sort took that are not written yet. */
size_t phones_to_write(const struct phones *phones);

/*
 * What is known here of each key (in ascending order) is laid over its `rows`, which are as on
 * disk.
 */
void phones_lay_over(const struct phones *phones, const struct registry_key *keys, size_t count,
	struct queue_phone *rows);

/* Begins to write what is gathered; only when all before is written. */
void phones_sort(struct phones *phones);
/* The next to be written, by index from 0; may be a removed one. */
const struct phone *phones_peek(const struct phones *phones, size_t index);
/* The first `n` are on disk. */
void phones_wrote(struct phones *phones, size_t n);

#endif

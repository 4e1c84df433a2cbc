/*
 * memory - a registry in memory, by the plainest reading of ops.h: for tests that run for years.
 *
 * A place is kept until memory_forget, however often it is opened and closed, as a file would be.
 * A transaction that fails leaves nothing behind.
 */
#ifndef MAILPUSH_TESTS_REGISTRY_MEMORY_H
#define MAILPUSH_TESTS_REGISTRY_MEMORY_H

#include "driver/ops.h"

extern const struct registry_ops memory_ops;

#define MEMORY_SLOW_ROWS 2

enum memory_failure {
	MEMORY_WELL,
	MEMORY_NO_BEGIN,
	MEMORY_REFUSED_BEGIN, /* as if a job's value had been refused */
	MEMORY_NO_COMMIT,
	MEMORY_NO_ANSWER,	      /* the transaction is committed, and said to have failed */
	MEMORY_CONFLICT,	      /* it is not committed, as another was in the way */
	MEMORY_CONFLICT_THEN_UNKNOWN, /* with memory_fail_times: the last one nobody knows */
	MEMORY_NO_RIGHTS,	      /* nothing begins, until somebody mends it */
	MEMORY_SLOW, /* it has no time for more than MEMORY_SLOW_ROWS rows that are put at once */
	MEMORY_TEXT_ONLY, /* what is not UTF-8 is refused: users that are put, mailboxes asked for
			   */
	MEMORY_TEXT_OR_UNKNOWN, /* the same, with an error that nobody knows */
	MEMORY_TEXT_OR_TAKEN,	/* the same, as if another had made the same row */
};

typedef void memory_unanswered_fn(void);

/*
 * From now on it fails so.  `unanswered`: called when a transaction that wrote has no answer, and
 * its jobs still say what they did.
 */
void memory_fail(enum memory_failure failure, memory_unanswered_fn *unanswered);
/* So it fails that many times, and is well then.  Any thread. */
void memory_fail_times(enum memory_failure failure, unsigned times);
/* The site's place `to` holds what its place `from` does; neither has a transaction. */
void memory_copy(const char *from, const char *to, const char *site);
/* All places are empty again; none may be open. */
void memory_forget(void);

#endif

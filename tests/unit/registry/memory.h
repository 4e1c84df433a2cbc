/*
 * memory - a registry in memory, by the plainest reading of ops.h: for tests that run for years.
 *
 * A place is kept until memory_forget, however often it is opened and closed, as a file would be.
 * A transaction that fails leaves nothing behind.
 */
#ifndef MAILPUSH_TESTS_REGISTRY_MEMORY_H
#define MAILPUSH_TESTS_REGISTRY_MEMORY_H

#include "registry/ops.h"

extern const struct registry_ops memory_ops;

enum memory_failure {
	MEMORY_WELL,
	MEMORY_NO_BEGIN,
	MEMORY_NO_COMMIT,
	MEMORY_NO_ANSWER, /* the transaction is committed, and said to have failed */
};

typedef void memory_unanswered_fn(void);

/*
 * From now on it fails so.  `unanswered`: called when a transaction that wrote has no answer, and
 * its jobs still say what they did.
 */
void memory_fail(enum memory_failure failure, memory_unanswered_fn *unanswered);
/* All places are empty again; none may be open. */
void memory_forget(void);

#endif

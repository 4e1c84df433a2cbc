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

/* The next `count` calls of begin or commit fail, as those of a database in trouble. */
void memory_fail(unsigned count);
/* All places are empty again; none may be open. */
void memory_forget(void);

#endif

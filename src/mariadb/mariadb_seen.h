/*
 * mariadb_seen - when the registrations that a transaction has read were renewed, as it saw them.
 *
 * What is decided from them must not happen to one that was renewed since.  On one server the locks
 * see to that; a cluster may lose them, so that the statement that removes asks once more.
 *
 * One owner, one thread.
 */
#ifndef MAILPUSH_MARIADB_MARIADB_SEEN_H
#define MAILPUSH_MARIADB_MARIADB_SEEN_H

#include "driver/registry_row.h"

#include <stdint.h>

struct mariadb_seen;

struct mariadb_seen *mariadb_seen_new(void);
void mariadb_seen_free(struct mariadb_seen *seen);
void mariadb_seen_clear(struct mariadb_seen *seen);

/* Of what is said of a key the newest time counts. */
void mariadb_seen_put(
	struct mariadb_seen *seen, const struct registry_key *key, int64_t renewed_ms);
/* INT64_MAX: it was not read. */
int64_t mariadb_seen_get(const struct mariadb_seen *seen, const struct registry_key *key);

#endif

/*
 * postgresql - the registry in a PostgreSQL database, which many nodes share.
 *
 * The place of the url is libpq's, without "postgresql:".  Nothing is kept between batches but the
 * connection: each asks the database again.  `open` needs no server that is there; the first
 * `begin` connects, makes or migrates the schema and adds the site's row, as does the first after a
 * loss.
 *
 * Only SQL that CockroachDB and YugabyteDB document too; nothing that outlives a transaction on the
 * server, so that a pooler may give each transaction another connection.
 */
#ifndef MAILPUSH_POSTGRESQL_POSTGRESQL_H
#define MAILPUSH_POSTGRESQL_POSTGRESQL_H

#include "driver/ops.h"

extern const struct registry_ops postgresql_ops;

#endif

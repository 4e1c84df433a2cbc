/*
 * mariadb - the registry in a MariaDB database, which many nodes share.
 *
 * The place of the url is mariaurl.h's.  Nothing is kept between batches but the connection: each
 * asks the database again.  `open` needs no server that is there; the first `begin` connects, makes
 * or migrates the schema and adds the site's row, as does the first after a loss.
 *
 * Needs MariaDB 10.11 or newer, with tables in InnoDB.
 */
#ifndef MAILPUSH_MARIADB_MARIADB_H
#define MAILPUSH_MARIADB_MARIADB_H

#include "driver/ops.h"

extern const struct registry_ops mariadb_ops;

#endif

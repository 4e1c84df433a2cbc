/*
 * malformed - what stands in a database and no mailpushd wrote there is left out.
 *
 * Somebody edited a table, or a disk changed it.  Nobody can be pushed to with what such a row
 * says, and it must not keep the others from being found: drivers ask here of each row that they
 * give, and find nothing where it is malformed.  It is logged, once a minute however many there
 * are.
 *
 * Any thread.
 */
#ifndef MAILPUSH_DRIVER_MALFORMED_H
#define MAILPUSH_DRIVER_MALFORMED_H

#include "driver/registry_row.h"

/* `database` is what people call it. */
bool malformed_row(const char *database, const struct registry_row *row);
/* Of a mailbox on a registration's list. */
bool malformed_hash(const char *database, const char *hash);

#endif

/*
 * sqlite - the registry in a file: the embedded default.
 *
 * For one daemon on one machine; `mailpushctl` may read the file meanwhile (WAL).  The place of the
 * url is a path.  Every commit is on the disk when it returns (synchronous=FULL).
 *
 * What is looked up for each event is laid out for it: subscriptions are clustered by mailbox, so
 * that an event costs one descent to its subscriptions and one by integer to each registration.
 */
#ifndef MAILPUSH_SQLITE_SQLITE_H
#define MAILPUSH_SQLITE_SQLITE_H

#include "driver/ops.h"

extern const struct registry_ops sqlite_ops;

#endif

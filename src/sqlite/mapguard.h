/*
 * mapguard - a database read through a map fails with an error where the disk does.
 *
 * A page of a map that cannot be read (a bad sector, a file that was cut short) is no error that a
 * call returns, but SIGBUS, which ends the process.  Here it is caught where it happens in the map
 * of a database that is watched: zeroes take the place of the page, so that SQLite goes on, and
 * whoever uses it asks mapguard_failed before believing anything that it said.  Anywhere else, in
 * the index of its log too, which it shares with other processes, SIGBUS means what it always does.
 *
 * Why a map at all: without one, a look for a random mailbox among 300 000 registrations costs
 * twice the CPU time (docs/performance.md).
 *
 * Each thread has a database of its own, or several one after the other.
 */
#ifndef MAILPUSH_SQLITE_MAPGUARD_H
#define MAILPUSH_SQLITE_MAPGUARD_H

#include <sqlite3.h>
#include <stdbool.h>

/* From opening to closing. */
void mapguard_watch(sqlite3 *db);

/* Did it happen on this thread since this was asked last? */
bool mapguard_failed(void);

/* Outside of a transaction: no map any more, and nothing that was read through it. */
void mapguard_give_up_map(sqlite3 *db);

#endif

/*
 * queue_listing - answers administrators' questions about the queue's file, in the transaction that
 * writes.
 *
 * The thread that writes.
 */
#ifndef MAILPUSH_QUEUE_QUEUE_LISTING_H
#define MAILPUSH_QUEUE_QUEUE_LISTING_H

#include "queue/phones.h"
#include "schedule/job.h"

#include <sqlite3.h>
#include <stdbool.h>

/* The parts READ_*.  False: SQLite failed, and knows why. */
bool queue_listing_run(
	sqlite3 *db, const struct phones *phones, unsigned parts, struct queue_reading *reading);

#endif

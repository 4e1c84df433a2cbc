/*
 * load - reads the queue's file row by row; store_file_load of file.h is here too.
 *
 * One thread at a time.
 */
#ifndef MAILPUSH_QUEUE_LOAD_H
#define MAILPUSH_QUEUE_LOAD_H

#include "queue/file.h"

/*
 * Tells `loader` the pushes, news and parked events of a damaged file that can be read: of each
 * table the rows before its first bad page and those behind its last one.  The order is that of the
 * numbers, or the reverse of it; no push has its last_push_ms, no news its key.  A row may come
 * twice.  An error other than damage ends it.
 */
int load_salvage(
	struct store_file *file, const struct store_loader *loader, void *ctx, struct err *err);

#endif

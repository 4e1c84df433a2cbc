/*
 * salvage - what can be read of a damaged queue becomes a new one.
 *
 * Pushes, news and parked events alone: what happened with phones is for people, and begins again
 * from nothing. The new file is written beside the damaged one, and takes its place when it is
 * whole: at any moment one of the two holds all that can be read.
 *
 * One thread at a time.
 */
#ifndef MAILPUSH_QUEUE_SALVAGE_H
#define MAILPUSH_QUEUE_SALVAGE_H

#include "queue/file.h"

#include <stddef.h>

/*
 * `file` is the damaged one, opened as far as it can be.  It stays open, and locked, and is not
 * written to; afterwards it is to be closed.  An error is one of reading other than damage, or of
 * writing: to be tried again.  `ret_aside`: the damaged one's new name, to be freed; `ret_rows`:
 * how much was read.
 */
int salvage_run(struct store_file *file, char **ret_aside, size_t *ret_rows, struct err *err);

#endif

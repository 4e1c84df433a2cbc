/*
 * damaged_file - takes a damaged queue out of the way, and keeps it for whoever wants to look into
 * it.
 *
 * The thread that writes.
 */
#ifndef MAILPUSH_QUEUE_DAMAGED_FILE_H
#define MAILPUSH_QUEUE_DAMAGED_FILE_H

#include "base/err.h"

#include <stdbool.h>

/*
 * May the file at `path`, which SQLite cannot read, have been a queue?  Not what somebody's mistake
 * in mailpush.conf names: that is to be left alone.
 */
bool damaged_file_may_be_queue(const char *path);

/*
 * Renames the database at `path`, which is closed, and its log to `path`.damaged-TIME, where no
 * file is yet.  May be tried again.  `ret_aside` is to be freed.
 */
int damaged_file_move(const char *path, char **ret_aside, struct err *err);

#endif

/*
 * damaged_file - moves a damaged queue out of the way, and keeps it for administrators.
 *
 * The thread that writes.
 */
#ifndef MAILPUSH_QUEUE_DAMAGED_FILE_H
#define MAILPUSH_QUEUE_DAMAGED_FILE_H

#include "base/err.h"

#include <stdbool.h>

/*
 * May the file at `path`, which SQLite cannot read, have been a queue?  A file that mailpush.conf
 * names by mistake is not to be touched.
 */
bool damaged_file_may_be_queue(const char *path);

/* The name of a new file for `path`, to be freed; it is made whole and closed there. */
char *damaged_file_successor(const char *path);
/*
 * Renames the database at `path`, and its log, to `path`.damaged-TIME, where no file is yet, and
 * its successor to `path`.  What is cut short, damaged_file_settle finishes.  `ret_aside` is to be
 * freed.
 */
int damaged_file_replace(const char *path, char **ret_aside, struct err *err);
/*
 * Before the file at `path` is opened: where it is missing, its successor takes its place; where it
 * is there, one that was begun and never took it is removed.
 */
int damaged_file_settle(const char *path, struct err *err);

#endif

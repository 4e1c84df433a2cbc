/*
 * spool_write - puts a request into the spool folder (intake/spoolfile.h), where the daemon finds
 * it, and remembers there that the daemon gave no answer.
 */
#ifndef MAILPUSH_NOTIFY_SPOOL_WRITE_H
#define MAILPUSH_NOTIFY_SPOOL_WRITE_H

#include "base/err.h"

#include <stdbool.h>
#include <stddef.h>

#define SPOOL_WRITE_SILENT_MS 5000

/* Did the daemon give no answer within the last SPOOL_WRITE_SILENT_MS? */
bool spool_write_is_silent(const char *folder);
/* Notes that.  Without the note the next run asks the daemon itself. */
void spool_write_note_silence(const char *folder);

/* 0: it is on disk, as file and folder are synced.  A failure leaves nothing behind. */
int spool_write(const char *folder, const void *request, size_t size, struct err *err);

#endif

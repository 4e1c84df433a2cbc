/*
 * keep - puts a request into the spool folder (intake/spoolfile.h), where the daemon finds it, and
 * remembers there that the daemon gave no answer.
 */
#ifndef MAILPUSH_NOTIFY_KEEP_H
#define MAILPUSH_NOTIFY_KEEP_H

#include "base/err.h"

#include <stdbool.h>
#include <stddef.h>

#define KEEP_SILENT_MS 5000

/* Did the daemon give no answer within the last KEEP_SILENT_MS? */
bool keep_is_silent(const char *folder);
/* If it cannot be noted, the next run asks the daemon itself. */
void keep_note_silence(const char *folder);

/* On disk when it returns 0: file and folder are synced.  On failure nothing is left behind. */
int keep_write(const char *folder, const void *request, size_t size, struct err *err);

#endif

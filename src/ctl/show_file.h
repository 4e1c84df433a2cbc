/*
 * show_file - files that inspect examined, as text for people or as JSON lines.
 */
#ifndef MAILPUSH_CTL_SHOW_FILE_H
#define MAILPUSH_CTL_SHOW_FILE_H

#include "console/client.h"

#include <stdbool.h>

/* `paths` ends in NULL; `passphrase_file`: NULL, or as in inspect.h.  CLIENT_FAILED: one cannot be
 * used. */
enum client_exit show_file_run(char **paths, const char *passphrase_file, bool is_json);

#endif

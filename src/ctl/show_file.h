/*
 * show_file - a file that inspect examined, as text for people.
 */
#ifndef MAILPUSH_CTL_SHOW_FILE_H
#define MAILPUSH_CTL_SHOW_FILE_H

#include <jansson.h>

/* One without `error`. */
void show_file(const json_t *file);

#endif

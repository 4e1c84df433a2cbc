/*
 * show_time - times of answers, against the clock.
 */
#ifndef MAILPUSH_SHOW_SHOW_TIME_H
#define MAILPUSH_SHOW_SHOW_TIME_H

#include "console/format.h"

#include <jansson.h>

/* Unix, in seconds. */
double show_time_now_s(void);
/* As format_ago; "never": the member is no time. */
const char *show_time_ago(const json_t *json, const char *key, char ret[FORMAT_SIZE]);

#endif

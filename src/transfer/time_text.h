/*
 * time_text - reads times as other programs write them.
 *
 * Pure.
 */
#ifndef MAILPUSH_TRANSFER_TIME_TEXT_H
#define MAILPUSH_TRANSFER_TIME_TEXT_H

#include <stdbool.h>

/*
 * 2024-05-06T07:08:09.123456789+02:00 (RFC 3339) or 2024-05-06 07:08:09, which is UTC, as Unix
 * seconds; negative before 1970.
 */
bool time_text_read(const char *text, double *ret_s);

#endif

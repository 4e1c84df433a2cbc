/*
 * units - numbers and durations as people write them in mailpush.conf.
 *
 * Pure.
 */
#ifndef MAILPUSH_BASE_UNITS_H
#define MAILPUSH_BASE_UNITS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* A whole decimal number and nothing else. */
bool units_parse_number(const char *text, int64_t *ret);
/* Milliseconds of "200ms", "30s", "5min", "12h", "30d"; never negative. */
bool units_parse_duration(const char *text, int64_t *ret);
/* In the largest unit of d, s and ms that fits. */
void units_print_duration(int64_t ms, char *text, size_t size);

#endif

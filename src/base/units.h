/*
 * units - numbers, durations and sizes as people write them in mailpush.conf.
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
/* Bytes of "512KiB", "64MiB", "1GiB"; never negative. */
bool units_parse_size(const char *text, int64_t *ret);
/* In the largest of these units that fits. */
void units_print_size(int64_t bytes, char *text, size_t size);
/* In the largest unit of d, s and ms that fits. */
void units_print_duration(int64_t ms, char *text, size_t size);

#endif

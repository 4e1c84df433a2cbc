/*
 * format - times, sizes and texts as people read them.
 *
 * Pure, except for the time zone and the locale.
 */
#ifndef MAILPUSH_CONSOLE_FORMAT_H
#define MAILPUSH_CONSOLE_FORMAT_H

#include <jansson.h>
#include <stddef.h>

#define FORMAT_SIZE 64

/* "just now", "12 s ago", "3 min ago", "2 h ago", "5 d ago"; "in 3 min" for the future. */
const char *format_ago(double then_s, double now_s, char ret[FORMAT_SIZE]);
/* "12 s", "3 min 5 s", "2 h 14 min", "5 d 3 h". */
const char *format_duration(double seconds, char ret[FORMAT_SIZE]);
/* "14:05:09" here; "" where there is no such time. */
const char *format_clock(double unix_s, char ret[FORMAT_SIZE]);
/* "0.4 ms", "12 ms", "1.5 s". */
const char *format_latency(double seconds, char ret[FORMAT_SIZE]);
/* Why a registration is gone, from the daemon's /forgotten; the caller frees it. */
char *format_forgotten(const json_t *trace);
/* "512 B", "45 kB", "1.2 GB". */
const char *format_size(double bytes, char ret[FORMAT_SIZE]);

/*
 * Text from outside, safe on a terminal: control characters, characters that change the direction
 * of writing, and bytes that are not text in this locale become '?'.  At most `size` bytes with the
 * NUL; returns the columns that it takes.
 */
size_t format_printable(const char *text, char *ret, size_t size);

#endif
